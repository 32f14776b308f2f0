"""Traces in the admin: the list to find them, the page to read one, and what can be done with them."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from projects.roles import Role, may, project_ids
from traces import panels
from traces.admin import filters, trace_page
from traces.admin.came_from import came_from, with_list
from traces.admin.recorded import RecordedAdmin, any_contains, preview_pair, searched_for, trace_url
from traces.admin.session_pages import group_url
from traces.models import Trace
from traces.templatetags.tracing import duration, number, sent_moment, spent, status_dot, tokens
from traces.upkeep.deletion import delete_traces
from traces.upkeep.renormalize import renormalize

TRACE_ID = re.compile(r"[0-9a-f]{32}")
# Traces that one request normalizes again
MAX_RENORMALIZED = 500


def as_cell(column: panels.Column) -> Callable[[Trace], str]:
    """The column as Django's lists take it: a function with a name and a heading."""

    def cell(trace: Trace) -> str:
        return column.cell(trace)

    cell.__name__ = column.name
    return admin.display(description=column.heading)(cell)


def as_admin_action(action: panels.Action) -> Callable[[Any, HttpRequest, QuerySet[Trace]], object]:
    return lambda model_admin, request, queryset: action.run(request, queryset)


@admin.register(Trace)
class TraceAdmin(RecordedAdmin):
    list_display: tuple[str, ...] = (
        "started",
        "title",
        "said",
        "took",
        "spans",
        "models",
        "tokens",
        "cost",
        "who",
    )
    list_filter = (
        filters.TimeRangeFilter,
        filters.ProjectFilter,
        filters.StatusFilter,
        filters.ErrorsFilter,
        filters.ServiceFilter,
        filters.ModelFilter,
        filters.LogFilter,
        filters.MinimumDurationFilter,
        filters.MinimumCostFilter,
        filters.TraceSessionFilter,
        filters.TraceUserFilter,
    )
    search_fields = ("name", "input_preview", "output_preview")
    search_help_text = "Name, input, output, session, user, or a trace id"
    actions: tuple[str, ...] = (
        "delete_selected_traces",
        "pin_selected_traces",
        "unpin_selected_traces",
        "renormalize_selected_traces",
    )

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        return (*self.list_display, *map(as_cell, panels.trace_columns()))

    def list_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        related = [column.related for column in panels.trace_columns() if column.related]
        return rows.select_related(*related) if related else rows

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        for action in panels.trace_actions(request):
            actions[action.name] = (as_admin_action(action), action.name, action.label)
        return actions

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """An OTel trace id finds exactly that; other text is looked for in the columns below, without case."""
        term = searched_for(search_term)
        if not term:
            return queryset, False
        identifier = term.lower().replace("-", "")
        if TRACE_ID.fullmatch(identifier):
            return queryset.filter(trace_id=identifier), False
        columns = ("name", "input_preview", "output_preview", "session_id", "user_id", "framework_trace_id")
        return queryset.filter(any_contains(columns, term)), False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("open/<str:identifier>/", wrap(self.open_view), name="traces_trace_open"),
            path("<uuid:key>/pin/", wrap(self.pin_view), name="traces_trace_pin"),
            path("<uuid:key>/rows/", wrap(self.rows_view), name="traces_trace_rows"),
            path("<uuid:key>/spans/<str:span_id>/", wrap(self.span_view), name="traces_trace_span"),
            path("<uuid:key>/spans/<str:span_id>/raw/", wrap(self.span_json_view), name="traces_trace_span_json"),
            *super().get_urls(),
        ]

    def open_view(self, request: HttpRequest, identifier: str) -> HttpResponse:
        """A link that other systems can make: by OTel or framework trace id."""
        return HttpResponseRedirect(trace_url(trace_page.find_trace(request, identifier).pk))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The trace page: Django's place for one object."""
        trace = trace_page.trace_or_404(self.get_queryset(request), object_id)
        context = {
            **self.admin_site.each_context(request),
            **trace_page.trace_page(request, trace, came_from(request, self)),
            "title": trace.name or trace.trace_id,
            "opts": self.opts,
            "original": trace,
            "facts": self.facts(request, trace),
            "may_delete": self.has_delete_permission(request, trace),
            "may_pin": self.has_pin_permission(request, trace),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/traces/trace/page.html", context)

    def facts(self, request: HttpRequest, trace: Trace) -> list[tuple[str, Any]]:
        """Label and value of the header's line of facts."""
        return [*trace_page.facts(trace), *panels.trace_facts(request, trace)]

    def rows_view(self, request: HttpRequest, key: Any) -> HttpResponse:
        return trace_page.rows(request, trace_page.trace_or_404(self.get_queryset(request), key))

    def span_view(self, request: HttpRequest, key: Any, span_id: str) -> HttpResponse:
        return trace_page.span_panel(request, trace_page.trace_or_404(self.get_queryset(request), key), span_id)

    def span_json_view(self, request: HttpRequest, key: Any, span_id: str) -> HttpResponse:
        return trace_page.span_json(request, trace_page.trace_or_404(self.get_queryset(request), key), span_id)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        trace = trace_page.trace_or_404(self.get_queryset(request), object_id)
        response = self.confirm_deletion(request, self.get_queryset(request).filter(pk=trace.pk), one=True)
        return response or HttpResponseRedirect(reverse("admin:traces_trace_changelist"))

    def has_pin_permission(self, request: HttpRequest, obj: Trace | None = None) -> bool:
        return self._allows(request, Role.EDITOR, obj)

    def pin_view(self, request: HttpRequest, key: Any) -> HttpResponse:
        """POST with `pinned` "yes" or nothing: pin or unpin one trace."""
        trace = trace_page.trace_or_404(self.get_queryset(request), key)
        if not self.has_pin_permission(request, trace):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        Trace.objects.filter(pk=trace.pk).update(pinned=bool(request.POST.get("pinned")))
        return HttpResponseRedirect(trace_url(trace.pk))

    @admin.action(description="Pin selected traces: they never expire", permissions=["pin"])
    def pin_selected_traces(self, request: HttpRequest, queryset: QuerySet[Trace]) -> None:
        self.set_pinned(request, queryset, True)

    @admin.action(description="Unpin selected traces", permissions=["pin"])
    def unpin_selected_traces(self, request: HttpRequest, queryset: QuerySet[Trace]) -> None:
        self.set_pinned(request, queryset, False)

    def set_pinned(self, request: HttpRequest, traces: QuerySet[Trace], pinned: bool) -> None:
        """Only where the user is an editor."""
        allowed = traces.filter(project__in=project_ids(request.user, Role.EDITOR)).order_by()
        count = allowed.update(pinned=pinned)
        messages.success(request, f"{count} trace{'' if count == 1 else 's'} {'pinned' if pinned else 'unpinned'}.")

    @admin.action(description="Run the conventions again over selected traces", permissions=["pin"])
    def renormalize_selected_traces(self, request: HttpRequest, queryset: QuerySet[Trace]) -> None:
        """Only where the user is an editor, and only so many as one request has the time for."""
        allowed = queryset.filter(project__in=project_ids(request.user, Role.EDITOR)).order_by("pk")
        keys = list(allowed.values_list("pk", flat=True)[: MAX_RENORMALIZED + 1])
        done = renormalize(keys[:MAX_RENORMALIZED])
        text = f"{done.changed} of {done.spans} spans changed."
        if len(keys) > MAX_RENORMALIZED:
            text += f" Only the first {MAX_RENORMALIZED} traces were looked at; manage.py renormalizespans takes all."
        messages.success(request, text)

    @admin.action(description="Delete selected traces", permissions=["delete"])
    def delete_selected_traces(self, request: HttpRequest, queryset: QuerySet[Trace]) -> HttpResponse | None:
        return self.confirm_deletion(request, queryset, one=False)

    def confirm_deletion(self, request: HttpRequest, traces: QuerySet[Trace], one: bool) -> HttpResponse | None:
        """Ask, or with `post` delete; spans are neither loaded nor counted for it. Only where the user is an editor."""
        columns = traces.order_by().values_list("pk", "name", "span_count", "project")
        rows = list(columns[: self.list_per_page * 2])
        allowed = [row for row in rows if may(request.user, Role.EDITOR, row[3])]
        if len(allowed) < len(rows):
            messages.error(request, "Only editors and owners of a project may delete its traces.")
            return None
        if request.method == "POST" and request.POST.get("post"):
            deleted = delete_traces([key for key, *_ in rows])
            messages.success(request, f"{deleted} trace{'' if deleted == 1 else 's'} deleted.")
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete trace" if one else "Delete traces",
            "opts": self.opts,
            "rows": rows,
            "span_total": sum(row[2] for row in rows),
            "is_action": not one,
        }
        return TemplateResponse(request, "admin/traces/trace/delete.html", context)

    @admin.display(description="Started", ordering="start_time_unix_nano")
    def started(self, trace: Trace) -> SafeString:
        return sent_moment(trace.start_time_unix_nano)

    @admin.display(description="Trace")
    def title(self, trace: Trace) -> SafeString:
        return format_html(
            '<a class="title" href="{}">{}{}</a><div class="under">{}{}</div>',
            with_list(trace_url(trace.pk), getattr(trace, "list_query", "")),
            status_dot(trace.status, trace.error_count),
            trace.name[:200] or trace.trace_id,
            "pinned · " if trace.pinned else "",
            trace.service_name[:100],
        )

    @admin.display(description="Input → output")
    def said(self, trace: Trace) -> SafeString | str:
        return preview_pair(trace.input_preview, trace.output_preview)

    @admin.display(description="Duration", ordering="duration_ns")
    def took(self, trace: Trace) -> str:
        return duration(trace.duration_ns)

    @admin.display(description="Spans", ordering="span_count")
    def spans(self, trace: Trace) -> SafeString | str:
        if not trace.error_count:
            return number(trace.span_count)
        return format_html('{}<div class="errors">{} failed</div>', number(trace.span_count), number(trace.error_count))

    @admin.display(description="Model")
    def models(self, trace: Trace) -> SafeString | str:
        names = [str(name) for name in trace.model_names]
        more = f" +{len(names) - 1}" if len(names) > 1 else ""
        return format_html('<span class="preview" title="{}">{}{}</span>', ", ".join(names), *(names[:1] or [""]), more)

    @admin.display(description="Tokens", ordering=F("input_tokens").asc(nulls_last=True))
    def tokens(self, trace: Trace) -> SafeString | str:
        return tokens(trace)

    @admin.display(description="Cost", ordering=F("cost_usd").asc(nulls_last=True))
    def cost(self, trace: Trace) -> SafeString | str:
        return spent(trace)

    @admin.display(description="Session, user")
    def who(self, trace: Trace) -> SafeString:
        links = (("session", trace.session_id), ("user", trace.user_id))
        return format_html_join(
            "",
            '<a class="preview quiet" href="{}" title="{} {}">{}</a>',
            (
                (group_url(name, value, trace.project_id, trace.pk), name, value[:1_000], value[:40])
                for name, value in links
                if value
            ),
        )
