"""What the mirror adds to the pages of traces: a column, an action, a fact."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from mlflow_sync.client import is_enabled, server_url
from mlflow_sync.models import MlflowTrace
from mlflow_sync.pull import mirror_again
from projects.roles import Role, may
from traces.models import Trace
from traces.panels import Action, Column, Fact, register_trace_action, register_trace_column, register_trace_fact


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


def mirror_cell(trace: Trace) -> str:
    row = getattr(trace, "mlflow", None)
    return state_chip(row) if row else ""


def mirror_fact(request: HttpRequest, trace: Trace) -> Fact | None:
    """One query."""
    row = MlflowTrace.objects.filter(pk=trace.pk).first()
    return ("MLflow", format_html("{} {}", state_chip(row), mlflow_link(row))) if row else None


def mirror_selected(request: HttpRequest, queryset: QuerySet[Trace]) -> None:
    mirror_allowed(request, list(queryset.order_by().values_list("pk", "project")))


def may_mirror(request: HttpRequest) -> bool:
    return is_enabled() and may(request.user, Role.EDITOR)


def register() -> None:
    register_trace_column(Column("mirror", "MLflow", mirror_cell, "mlflow", is_enabled))
    register_trace_fact(mirror_fact)
    register_trace_action(Action("mirror_selected_traces", "Mirror selected traces again", mirror_selected, may_mirror))
