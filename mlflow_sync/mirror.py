"""One trace's way to MLflow, and out of it.

A row is claimed first (`mlflow_sync.claims`), so any number of workers may try. The order of the requests is such that
a worker may die between any two of them: whoever claims the row next does all of it again, and MLflow ends with one
whole trace.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.utils import timezone
from rq.timeouts import JobTimeoutException

from mlflow_sync.claims import CLAIM, ClaimLost, claim, finish, record, update
from mlflow_sync.client import MlflowClient, MlflowError
from mlflow_sync.costs import Cost, span_cost
from mlflow_sync.mapping import Identity, mlflow_id, span_batch, trace_info
from mlflow_sync.models import MlflowTrace
from projects.models import EXPERIMENT_ID, Project
from spans.batches import batches
from spans.logs import attach_logs
from spans.models import Span
from spans.project_tables import tables_for
from traces.models import Trace
from traces.reading.queries import span_pages, spans_of
from traces.summaries.tree import assemble

logger = logging.getLogger(__name__)

BYTES_A_REQUEST = 8 * 1024 * 1024
IDS_A_DELETION = 100
Step = MlflowTrace.Step


def mirror(keys: Iterable[UUID], client: MlflowClient) -> int:
    """Bring MLflow up to date with these traces: deletions together, then the others in this order. Returns the
    successes.

    Rows that others have or that have nothing to do are left alone. What fails is recorded in the row. Raises
    MlflowError where every other trace would fail too (MLflow is down, the credentials are wrong); the rest stays due.
    """
    keys = list(keys)
    rows = MlflowTrace.objects.in_bulk(keys)
    gone: dict[str, list[UUID]] = defaultdict(list)
    for key, row in rows.items():
        if row.delete_requested_at is not None:
            gone[row.experiment_id].append(key)
    done = 0
    for of_experiment in gone.values():
        for part in batches(of_experiment, IDS_A_DELETION):
            done += _try([claimed for key in part if (claimed := claim(key))], client, _delete)
    for key in keys:
        if key in rows and rows[key].delete_requested_at is None and (claimed := claim(key)):
            done += _try([claimed], client, _mirror_one)
    return done


def _try(
    rows: Sequence[MlflowTrace], client: MlflowClient, work: Callable[[Sequence[MlflowTrace], MlflowClient], int]
) -> int:
    """Do the work of claimed rows and return the successes; what fails is recorded in the rows.

    Raises MlflowError only if MLflow works for nobody, and what comes of this process's own database. All else is the
    rows' own affair: nothing that a project sends or sets may stop what others sent.
    """
    try:
        return work(rows, client)
    except MlflowError as error:
        down = error if error.systemic else None
        if down is not None and (down := _whole_problem(client)) is None:
            error = error.of_a_trace()
        for row in rows:
            record(row, down or error)
        if down is not None:
            raise down from None
    except ClaimLost:
        logger.warning("Lost the claim of %s", rows[0])
    except (OperationalError, InterfaceError, JobTimeoutException):
        raise
    except Exception as error:
        logger.exception("Cannot mirror %s", rows[0])
        for row in rows:
            record(row, MlflowError("INTERNAL_SERVER_ERROR", "The mirror failed; its log says where.", repr(error)))
    return 0


def _whole_problem(client: MlflowClient) -> MlflowError | None:
    """Why MLflow works for nobody now; None if it answers a request that holds nothing of any project."""
    try:
        client.check()
    except MlflowError as error:
        return error
    return None


def _mirror_one(rows: Sequence[MlflowTrace], client: MlflowClient) -> int:
    """Send the one claimed row's trace: spans, then what it is listed by, then look whether it is there.

    OTLP goes first, because a trace whose spans are missing is an error page in MLflow, while spans without the rest
    are a readable trace. Four queries, and for every page of spans (`span_pages`) four and an update.
    """
    (row,) = rows
    trace = Trace.objects.filter(pk=row.pk).first()
    project = Project.objects.filter(pk=row.project_id).first()
    if trace is None or project is None:
        # Deleted since the row was made, or about to be: with its project.
        update(row, delete_requested_at=timezone.now())
        return _delete(rows, client)
    identity = _identify(row, trace, project, client)
    cut_parents = _cycle_breakers(trace)
    tables = tables_for(project)
    span_count = 0
    calls: list[Cost] = []
    for spans in span_pages(trace):
        attach_logs(spans)
        _send(identity, row.experiment_id, trace, spans, cut_parents, client)
        span_count += len(spans)
        calls += [cost for span in spans if span.counted and (cost := span_cost(span, tables))]
        row.step = Step.ADD_TREE
        update(row, next_try_at=timezone.now() + CLAIM)
    client.put_trace_info(row.experiment_id, trace_info(identity, row.experiment_id, trace, calls))
    row.step = Step.CHECK_TREE
    _verify(row, identity, client)
    finish(
        row,
        trace.refreshed_at,
        step=Step.CLOSE_TRACE,
        span_count=span_count,
        mirrored_at=timezone.now(),
        mirrored_change_at=trace.refreshed_at,
        attempts=0,
        error_code="",
        error_message="",
        error_reason="",
    )
    return 1


def _identify(row: MlflowTrace, trace: Trace, project: Project, client: MlflowClient) -> Identity:
    """Settle the trace's id and experiment in MLflow, and store them before anything is sent.

    MLflow's ids are global, and it would merge the spans of two traces silently. So if another project's trace or a
    foreign one has the id already, ours takes an id made from its row key. Of two workers that store the same id at
    once, at least one sees the other's.
    """
    if row.mirrored_at is None:
        row.experiment_id = _experiment_of(project)
    if not row.mlflow_trace_id:
        plain = mlflow_id(trace.trace_id)
        there = client.find_traces([plain], row.experiment_id).get(plain)
        is_taken = there is not None and there.owner != row.pk.hex
        if not is_taken:
            update(row, mlflow_trace_id=plain)
            namesakes = MlflowTrace.objects.filter(trace_id=trace.trace_id, mlflow_trace_id=plain)
            is_taken = namesakes.exclude(pk=row.pk).exists()
        row.mlflow_trace_id = mlflow_id(row.pk.hex) if is_taken else plain
    update(row, mlflow_trace_id=row.mlflow_trace_id, experiment_id=row.experiment_id)
    return Identity(row.mlflow_trace_id, row.pk.hex, project.slug)


def _experiment_of(project: Project) -> str:
    """The project's experiment, which may stand there from before ids were looked at."""
    experiment_id = project.effective_experiment_id
    if not EXPERIMENT_ID.fullmatch(experiment_id):
        raise MlflowError(
            "INVALID_ARGUMENT",
            f"{experiment_id!r} is no experiment id, which is a number: set another in the project's settings or in "
            "MLFLOW_DEFAULT_EXPERIMENT_ID.",
        )
    return experiment_id


def _cycle_breakers(trace: Trace) -> set[str]:
    """Ids of the spans whose parents make a cycle: without these links MLflow finds a root to draw the tree from."""
    columns = ("span_id", "parent_span_id", "start_time_unix_nano")
    spans: Sequence[Any] = list(spans_of(trace).order_by().values_list(*columns, named=True))
    return {node.span.span_id for node in assemble(spans).roots if node.problem in {"own parent", "parent cycle"}}


def _send(
    identity: Identity,
    experiment_id: str,
    trace: Trace,
    rows: Sequence[Span],
    cut_parents: set[str],
    client: MlflowClient,
) -> None:
    """Send spans in requests that are not too large; a single span goes whatever its size."""
    pending = [rows]
    while pending:
        rows = pending.pop()
        batch = span_batch(identity, trace, rows, cut_parents)
        if batch.ByteSize() > BYTES_A_REQUEST and len(rows) > 1:
            middle = len(rows) // 2
            pending += [rows[middle:], rows[:middle]]
        else:
            client.send_spans(experiment_id, batch.SerializeToString())


def _verify(row: MlflowTrace, identity: Identity, client: MlflowClient) -> None:
    """Raise unless MLflow lists the trace, as ours and in its experiment."""
    there = client.find_traces([identity.mlflow_trace_id], row.experiment_id).get(identity.mlflow_trace_id)
    if there is None:
        raise MlflowError(
            "SERVICE_ERROR", "MLflow took the trace but does not show it. It is tried again.", retryable=True
        )
    if there.owner != identity.owner or there.experiment_id != row.experiment_id:
        raise MlflowError(
            "INVALID_ARGUMENT",
            f"MLflow has another trace with the id {identity.mlflow_trace_id}: delete one of the two.",
            f"experiment {there.experiment_id}, owner {there.owner or 'unknown'}",
        )


def _delete(rows: Sequence[MlflowTrace], client: MlflowClient) -> int:
    """Delete claimed rows' traces in MLflow by their stored ids, look whether they are gone, and forget the rows.

    The rows are of one experiment. A trace that carries another owner's tag is not ours and stays. No request for
    traces that were never sent, else one if they are gone and three if not.
    """
    known = {row.mlflow_trace_id: row for row in rows if row.mlflow_trace_id}
    left: set[str] = set()
    if known:
        experiment_id = rows[0].experiment_id
        found = client.find_traces(list(known), experiment_id)
        ours = [id_ for id_, there in found.items() if id_ in known and there.owner in {"", known[id_].pk.hex}]
        if ours:
            deleted = client.delete_traces(experiment_id, ours)
            if deleted != len(ours):
                logger.warning("MLflow deleted %d of %d traces of experiment %s", deleted, len(ours), experiment_id)
            left = client.find_traces(ours, experiment_id).keys() & known.keys()
    for row in rows:
        if row.mlflow_trace_id in left:
            record(row, MlflowError("SERVICE_ERROR", "MLflow still has the trace. It is tried again.", retryable=True))
        else:
            _forget(row)
    return len(rows) - len(left)


def _forget(row: MlflowTrace) -> None:
    """Remove a claimed row whose trace is gone from MLflow; if spans came after the deletion, it starts anew."""
    if Trace.objects.filter(pk=row.pk).exists():
        update(
            row,
            step=Step.START_TRACE,
            mlflow_trace_id="",
            experiment_id="",
            span_count=0,
            delete_requested_at=None,
            erasure=None,
            mirrored_at=None,
            mirrored_change_at=None,
            attempts=0,
            claimed_at=None,
            next_try_at=timezone.now(),
            error_code="",
            error_message="",
            error_reason="",
        )
    else:
        MlflowTrace.objects.filter(pk=row.pk, claimed_at=row.claimed_at).delete()
