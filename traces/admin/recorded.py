"""Lists of what arrives by itself, and the cells and searches that they have in common."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from projects.roles import Role
from projects.scoped_admin import ProjectScopedAdmin
from traces.admin.filters import MAX_TEXT
from traces.admin.lists import POSITIONS, NewestFirstList, UncountedPaginator

PREVIEW_CHARS = 160


def searched_for(text: str) -> str:
    """What a search looks for: the text as typed, without what no column holds."""
    return text.replace("\x00", "").strip()[:MAX_TEXT]


def any_contains(columns: Iterable[str], text: str) -> Q:
    """Rows in which one of the columns holds the text, case ignored."""
    condition = Q()
    for column in columns:
        condition |= Q(**{f"{column}__icontains": text})
    return condition


def preview(text: str) -> SafeString | str:
    """A line of text for a cell, the rest as its tooltip."""
    if not text:
        return ""
    return format_html('<span class="preview" dir="auto" title="{}">{}</span>', text[:1_000], text[:PREVIEW_CHARS])


def preview_pair(put_in: str, came_out: str) -> SafeString | str:
    """What went in and what came out, in one line for a cell, each with the rest as its tooltip."""
    if not came_out:
        return preview(put_in)
    return format_html(
        '<span class="said"><span class="preview" dir="auto" title="{}">{}</span><i aria-hidden="true">→</i>'
        '<span class="visually-hidden">answered:</span>'
        '<span class="preview quiet" dir="auto" title="{}">{}</span></span>',
        put_in[:1_000],
        put_in[:PREVIEW_CHARS],
        came_out[:1_000],
        came_out[:PREVIEW_CHARS],
    )


def trace_url(trace_row_id: Any, span_id: str = "") -> str:
    url = reverse("admin:traces_trace_change", args=[trace_row_id])
    return f"{url}?span={span_id}" if span_id else url


class RecordedAdmin(ProjectScopedAdmin):
    """What arrives by itself: nobody adds or edits it here, and there may be millions of it."""

    change_list_template = "admin/recorded_list.html"
    delete_role: Role | None = Role.EDITOR
    list_per_page = 50
    show_full_result_count = False
    empty_value_display = ""
    list_display_links = None
    paginator = UncountedPaginator
    newest_first = "start_time_unix_nano"
    list_parameters = ProjectScopedAdmin.list_parameters.union(POSITIONS)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[NewestFirstList]:
        return NewestFirstList

    def list_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The columns that the list shows."""
        return rows

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions
