"""Mirror states in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from mlflow_sync.erasure_admin import ErasureAdmin as ErasureAdmin
from mlflow_sync.models import MlflowTrace
from mlflow_sync.panels import mirror_allowed, mlflow_link, state_chip
from projects.roles import Role, may
from spans.timestamps import to_unix_nano
from traces.admin import filters
from traces.admin.recorded import RecordedAdmin, trace_url
from traces.admin.traces import TRACE_ID
from traces.templatetags.tracing import moment


class StateFilter(filters.ChoiceFilter):
    title = "State"
    parameter_names = ("state",)
    options = (("pending", "waiting, retrying or deleting"), ("failed", "failed"), ("mirrored", "mirrored"))

    def select(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        narrowed: QuerySet[Any] = getattr(queryset, self.chosen)()
        return narrowed


@admin.register(MlflowTrace)
class MlflowTraceAdmin(RecordedAdmin):
    """Where every trace stands on its way to MLflow. Rows come and go by themselves."""

    delete_role = None
    newest_first = "created_at"
    list_display = ("created", "trace", "state", "in_mlflow", "span_count", "attempts", "mirrored", "next_try", "error")
    list_filter = (filters.ProjectFilter, StateFilter)
    search_fields = ("trace_id",)
    search_help_text = "OTel or MLflow trace id"
    sortable_by = ()
    actions = ("mirror_selected",)
    change_list_template = "admin/mlflow_sync/mlflowtrace/change_list.html"

    def has_mirror_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Role.EDITOR)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the OTel trace id, which is that of MLflow too, or by MLflow's where it is made of the trace's key."""
        term = search_term.strip().lower().removeprefix("tr-")
        if not term:
            return queryset, False
        if not TRACE_ID.fullmatch(term):
            return queryset.none(), False
        return queryset.filter(Q(trace_id=term) | Q(pk=term)), False

    @admin.action(description="Mirror again", permissions=["mirror"])
    def mirror_selected(self, request: HttpRequest, queryset: QuerySet[MlflowTrace]) -> None:
        mirror_allowed(request, list(queryset.order_by().values_list("pk", "project")))

    @admin.display(description="Since")
    def created(self, row: MlflowTrace) -> SafeString:
        return moment(to_unix_nano(row.created_at))

    @admin.display(description="Trace")
    def trace(self, row: MlflowTrace) -> SafeString:
        if row.delete_requested_at is not None:
            return format_html("<code>{}</code>", row.trace_id)
        return format_html('<a class="title" href="{}">{}</a>', trace_url(row.pk), row.trace_id)

    @admin.display(description="State")
    def state(self, row: MlflowTrace) -> SafeString:
        return state_chip(row)

    @admin.display(description="MLflow trace")
    def in_mlflow(self, row: MlflowTrace) -> SafeString | str:
        return mlflow_link(row)

    @admin.display(description="Mirrored")
    def mirrored(self, row: MlflowTrace) -> SafeString | str:
        return moment(to_unix_nano(row.mirrored_at)) if row.mirrored_at else ""

    @admin.display(description="Next try")
    def next_try(self, row: MlflowTrace) -> SafeString | str:
        return moment(to_unix_nano(row.next_try_at)) if row.next_try_at else ""

    @admin.display(description="Error")
    def error(self, row: MlflowTrace) -> SafeString | str:
        if not row.error_code:
            return ""
        return format_html(
            '<span class="preview" title="{} {}">{}: {}</span>',
            row.error_message,
            row.error_reason,
            row.error_code,
            row.error_message,
        )
