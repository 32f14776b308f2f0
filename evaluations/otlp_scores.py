"""Evaluations that came over OTLP, as scores: pulled from log records and from the events of spans that moved.

Nothing below knows of scores. Log records are followed by their arrival, because their trace may never come, and spans
by their trace's `refreshed_at`. Everything may be looked at again: the id of a score follows from what it says.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any
from uuid import UUID

from django.utils import timezone

from evaluations.models import Score, ScorePull, score_key
from spans.keys import span_row_key
from spans.models import Span, SpanLog
from spans.semconv.evaluation import EVALUATION_EVENT, Evaluation, evaluation_of
from traces.models import Trace
from traces.upkeep.tombstones import buried

PAGE = 500
# Of a backlog so many pages are read at a time: more traces than one statement changes at the same moment.
MAX_PAGES = 4
# What a transaction commits may be so much older than now.
OVERLAP = datetime.timedelta(minutes=1)
SCORES_A_STATEMENT = 1_000
# The traces of the overlap that this process has looked at, with the state that it saw.
_seen: dict[UUID, datetime.datetime] = {}
REMEMBERED = 200_000


def pull_scores() -> bool:
    """Make scores of what has come since the last call. Returns whether there is more. Idempotent, and safe beside
    itself. Three small statements where nothing has moved.
    """
    now = timezone.now()
    status = ScorePull.load()
    logs_until = _pull(status.logs_until, now, _logs_after, _read_logs)
    traces_until = _pull(status.traces_until, now, _traces_after, _read_events)
    is_left = min(logs_until, traces_until) < now
    # An idle database is spared the writes.
    if is_left or max(logs_until - status.logs_until, traces_until - status.traces_until) > OVERLAP / 4:
        ScorePull.objects.filter(pk=status.pk).update(logs_until=logs_until, traces_until=traces_until)
    return is_left


def _pull(
    until: datetime.datetime,
    now: datetime.datetime,
    load: Callable[[datetime.datetime, UUID, datetime.datetime], list[tuple[datetime.datetime, UUID, Any]]],
    read: Callable[[list[Any]], None],
) -> datetime.datetime:
    """Read what has come, and return until when. What is looked at again goes to its end at once: broken off, it would
    begin anew each time and never reach what is new.
    """
    is_behind = now - until > 2 * OVERLAP
    after, key = (until if is_behind else until - OVERLAP), UUID(int=0)
    for _page in range(MAX_PAGES) if is_behind else count():
        rows = load(after, key, now)
        read([row for _, _, row in rows])
        if len(rows) < PAGE:
            return now
        after, key, _ = rows[-1]
    return after


def _logs_after(
    after: datetime.datetime, key: UUID, until: datetime.datetime
) -> list[tuple[datetime.datetime, UUID, SpanLog]]:
    """A page by arrival, from its index of evaluations alone."""
    logs = SpanLog.objects.filter(name=EVALUATION_EVENT, received_at__gte=after, received_at__lte=until)
    later = logs.exclude(received_at=after, id__lte=key).order_by("received_at", "id")
    return [(log.received_at, log.id, log) for log in later[:PAGE]]


def _traces_after(
    after: datetime.datetime, key: UUID, until: datetime.datetime
) -> list[tuple[datetime.datetime, UUID, Trace]]:
    """A page by the last change."""
    traces = Trace.objects.filter(refreshed_at__gte=after, refreshed_at__lte=until)
    later = traces.exclude(refreshed_at=after, pk__lte=key).order_by("refreshed_at", "pk")
    narrow = later.only("pk", "project_id", "trace_id", "day", "refreshed_at")
    return [(trace.refreshed_at, trace.pk, trace) for trace in narrow[:PAGE]]


def _read_logs(logs: list[SpanLog]) -> None:
    _name_traces([log for log in logs if not log.trace_id])
    _store(score for log in logs if (score := _of_log(log)) is not None)


def _read_events(traces: list[Trace]) -> None:
    """Scores of the events of these traces' spans. One query; the database leaves out spans without such an event."""
    by_key = {trace.pk: trace for trace in traces if _seen.get(trace.pk) != trace.refreshed_at}
    if not by_key:
        return
    spans = Span.objects.filter(trace_row__in=by_key, day__in={trace.day for trace in by_key.values()}).order_by()
    found = []
    for span in spans.filter(events__contains=f'"{EVALUATION_EVENT}"').only(
        "trace_row_id", "day", "span_id", "events", "scope", "session_id"
    ):
        trace = by_key[span.trace_row_id]
        for event in span.events:
            if event.get("name") == EVALUATION_EVENT and (evaluation := evaluation_of(event.get("attributes") or {})):
                score = _score(evaluation, trace.pk, span.span_id, event.get("time_unix_nano", 0), span.scope)
                score.project_id, score.trace_id, score.session_id = trace.project_id, trace.trace_id, span.session_id
                found.append(score)
    _store(found)
    if len(_seen) > REMEMBERED:
        _seen.clear()
    _seen.update((trace.pk, trace.refreshed_at) for trace in by_key.values())


def _name_traces(logs: list[SpanLog]) -> None:
    """Give log records from before they had it the id of their trace. One query if there are any."""
    traces = Trace.objects.in_bulk({log.trace_row_id for log in logs}) if logs else {}
    for log in logs:
        log.trace_id = traces[log.trace_row_id].trace_id if log.trace_row_id in traces else ""


def _of_log(log: SpanLog) -> Score | None:
    body = log.body if isinstance(log.body, Mapping) else {}
    evaluation = evaluation_of({**log.attributes, **body})
    if evaluation is None:
        return None
    score = _score(evaluation, log.trace_row_id, log.span_id, log.time_unix_nano, log.scope)
    score.project_id, score.trace_id = log.project_id, log.trace_id
    return score


def _score(evaluation: Evaluation, trace_row_id: UUID, span_id: str, time: int, scope: Mapping[str, Any]) -> Score:
    """The same for a span event and for a log record that says the same at the same time."""
    target_key = span_row_key(trace_row_id, span_id) if span_id else trace_row_id
    source_id = str(scope.get("name", ""))
    client_id = "\n".join(
        (str(time), repr(evaluation.value), evaluation.label, evaluation.explanation, evaluation.response_id)
    )
    key = score_key(trace_row_id, target_key, Score.Source.OTLP, source_id, evaluation.name, client_id)
    metadata: Any = {"time_unix_nano": str(time)}
    if evaluation.response_id:
        metadata["response_id"] = evaluation.response_id
    return Score(
        trace_row_id=trace_row_id,
        id=key,
        target_key=target_key,
        target_kind=Score.TargetKind.SPAN if span_id else Score.TargetKind.TRACE,
        span_id=span_id,
        name=evaluation.name,
        data_type=_data_type(evaluation),
        number=evaluation.value,
        label=evaluation.label,
        explanation=evaluation.explanation,
        source=Score.Source.OTLP,
        source_id=source_id,
        client_id=key.hex[16:],
        metadata=metadata,
    )


def _data_type(evaluation: Evaluation) -> str:
    if evaluation.is_verdict:
        return Score.DataType.BOOLEAN
    if evaluation.value is not None:
        return Score.DataType.NUMBER
    return Score.DataType.CATEGORY if evaluation.label else Score.DataType.TEXT


def _store(scores: Iterable[Score]) -> None:
    """Insert those that are not there yet, and that are not of a trace that was deleted."""
    by_key = {score.pk: score for score in scores}
    if not by_key:
        return
    gone = buried({score.trace_row_id for score in by_key.values()})
    new = [score for score in by_key.values() if score.trace_row_id not in gone]
    Score.objects.bulk_create(new, batch_size=SCORES_A_STATEMENT, ignore_conflicts=True)
