"""Mirror states in the admin, and what the mirror adds to the pages of traces."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from mlflow_sync.client import is_enabled, server_url
from mlflow_sync.erasure_admin import ErasureAdmin as ErasureAdmin
from mlflow_sync.models import MlflowTrace
from mlflow_sync.pull import mirror_again
from projects.roles import Role, may
from spans.timestamps import to_unix_nano
from traces.admin import filters
from traces.admin.recorded import RecordedAdmin, trace_url
from traces.admin.traces import TRACE_ID, TraceAdmin
from traces.models import Trace
from traces.templatetags.tracing import moment


def state_chip(row: MlflowTrace) -> SafeString:
    return format_html(
        '<span class="state state-{}" title="{}">{}</span>', row.state.value, row.error_message, row.state.label
    )


def mlflow_link(row: MlflowTrace) -> SafeString | str:
    """To the trace in MLflow's own pages, once it is there."""
    if not (row.mlflow_trace_id and row.experiment_id and is_enabled()):
        return row.mlflow_trace_id
    address = f"{server_url()}/#/experiments/{row.experiment_id}/traces?selectedEvaluationId={row.mlflow_trace_id}"
    return format_html('<a href="{}" rel="noopener">{}</a>', address, row.mlflow_trace_id)


def mirror_allowed(request: HttpRequest, rows: list[tuple[Any, int]]) -> None:
    """Mirror again those (key, project id) where the user is an editor, and say how many."""
    keys = [key for key, project in rows if may(request.user, Role.EDITOR, project)]
    if len(keys) < len(rows):
        messages.warning(request, "Only editors and owners of a project may mirror its traces.")
    if keys:
        count = mirror_again(keys)
        messages.success(request, f"{count} trace{'' if count == 1 else 's'} will be mirrored.")


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


admin.site.unregister(Trace)


@admin.register(Trace)
class MirroredTraceAdmin(TraceAdmin):
    """Traces with their mirror state."""

    actions = (*TraceAdmin.actions, "mirror_selected_traces")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return (*self.list_display, "mirror") if is_enabled() else self.list_display

    def list_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related("mlflow")

    def has_mirror_permission(self, request: HttpRequest) -> bool:
        return is_enabled() and may(request.user, Role.EDITOR)

    @admin.action(description="Mirror selected traces again", permissions=["mirror"])
    def mirror_selected_traces(self, request: HttpRequest, queryset: QuerySet[Trace]) -> None:
        mirror_allowed(request, list(queryset.order_by().values_list("pk", "project")))

    @admin.display(description="MLflow")
    def mirror(self, trace: Trace) -> SafeString | str:
        row = getattr(trace, "mlflow", None)
        return state_chip(row) if row else ""

    def facts(self, request: HttpRequest, trace: Trace) -> list[tuple[str, Any]]:
        """One query more than without a mirror."""
        row = MlflowTrace.objects.filter(pk=trace.pk).first()
        found = super().facts(request, trace)
        return [*found, ("MLflow", format_html("{} {}", state_chip(row), mlflow_link(row)))] if row else found
