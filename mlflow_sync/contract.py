"""bee-observe's `mlflow` object for the traces of an API answer; `settings.TRACE_MIRROR` names `mirror_states`."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from mlflow_sync.client import is_enabled
from mlflow_sync.models import MlflowTrace
from mlflow_sync.pull import is_wanted
from traces.models import Trace


def mirror_states(traces: Sequence[Trace], include_tree: bool) -> Mapping[UUID, dict[str, Any]]:
    """By trace key; a trace that the mirror has not seen yet has none. One query, with the tree one more a trace.

    A trace that is not to be mirrored counts as done, because bee-observe's clients wait for CLOSE_TRACE. The traces'
    projects are loaded.
    """
    rows = {row.trace_row_id: row for row in MlflowTrace.objects.filter(trace_row__in=traces)}
    for trace in traces:
        if trace.pk not in rows and not (
            is_enabled() and is_wanted(trace.project, trace.trace_id, trace.status, trace.error_count)
        ):
            rows[trace.pk] = _done(trace)
    return {key: row.contract(include_tree) for key, row in rows.items()}


def _done(trace: Trace) -> MlflowTrace:
    """An unsaved row that stands for a trace which needs no mirroring."""
    return MlflowTrace(
        trace_row_id=trace.pk,
        trace_id=trace.trace_id,
        mlflow_trace_id=f"tr-{trace.trace_id}",
        step=MlflowTrace.Step.CLOSE_TRACE,
        created_at=trace.created_at,
    )
