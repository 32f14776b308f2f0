"""Storing the spans of requests: spans, the summaries of their traces and the receipts, in one transaction."""

import datetime
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from spans.keys import trace_row_key
from spans.logs import load_logs, which_have_logs
from spans.records import SpanRecord
from spans.semconv import BUILT_IN, ProjectTables, normalize
from spans.writer import Written, record_version, sort_out, write_spans
from spans.writer_lock import limit_waiting, writer_lock
from traces.ingest.deadline import Deadline, Overdue, current_deadline
from traces.ingest.group_commit import GroupCommit
from traces.ingest.receipts import write_receipts
from traces.models import ExportReceipt, Trace
from traces.summaries import rollup
from traces.summaries.rollup import Change, SummaryRow
from traces.summaries.summary import TraceSummary, summarize
from traces.summaries.trace_rows import Claim, Existing, claim
from traces.upkeep.tombstones import buried

# How long a group waits for the locks of traces: one that is held must not hold up the others.
GROUP_LOCK_SECONDS = 0.25
GROUP_SPANS = 10_000


@dataclass(slots=True)
class Stored:
    """How many spans were added, took the place of an older version, were there already, or are of deleted traces,
    so that nothing was stored of them.
    """

    added: int = 0
    replaced: int = 0
    duplicates: int = 0
    deleted: int = 0


@dataclass(slots=True, eq=False)
class Arrival:
    """The sanitized, normalized spans of one request, and what else its transaction writes.

    `finish` is called at the end of the transaction, also where there are no records, and again if it has to be
    repeated; then the receipt is written.
    """

    project_id: int
    records: list[SpanRecord]
    receipt: ExportReceipt
    tables: ProjectTables = BUILT_IN
    finish: Callable[[Stored], object] = lambda stored: None
    stored: Stored | None = None
    deadline: Deadline = field(default_factory=current_deadline)


@dataclass(slots=True, eq=False)
class _Trace:
    """The records of one trace by span id, and their summary."""

    project_id: int
    trace_id: str
    tables: ProjectTables
    records: dict[str, SpanRecord]
    summary: TraceSummary


def store(arrival: Arrival) -> Stored:
    """Write a request, together with others that are being stored. After it returns it is committed, or it has raised
    and nothing of it is. Raises Overdue, django.db.Error.
    """
    if not _together.commit(arrival):
        _write([arrival], settings.LOCK_TIMEOUT_SECONDS)
    if arrival.deadline.is_over:
        raise Overdue
    return arrival.stored or Stored()


def _write(arrivals: Sequence[Arrival], lock_seconds: float) -> None:
    """Write all of them that are not overdue in one transaction, or none.

    Where some become overdue meanwhile, the others are written again, together: if each of them had to be written
    alone, a server that is too slow would become slower still. Their commit has begun, so the second time is the last.
    """
    while left := [arrival for arrival in arrivals if not arrival.deadline.is_over]:
        with suppress(Overdue):
            _write_once(left, lock_seconds)
            return


def _write_once(arrivals: Sequence[Arrival], lock_seconds: float) -> None:
    """One transaction. Raises Overdue where it is too late for some; it is then not for any other.

    Statements: one for the traces, one look for their log records and one for tombstones, one bulk insert and one for
    the receipts where all traces are new; two look-ups and an update more where some exist, and more for thousands of
    traces.
    """
    traces = _by_trace(arrivals)
    with writer_lock(lock_seconds), transaction.atomic():
        limit_waiting(lock_seconds)
        written = _write_traces(traces) if traces else Written([], [], 0)
        added, replaced = set(map(id, written.added)), set(map(id, written.replaced))
        stored = {(trace.project_id, trace.trace_id) for trace in traces.values()}
        for arrival in arrivals:
            arrival.stored = _outcome(arrival, stored, added, replaced)
            arrival.finish(arrival.stored)
        write_receipts([arrival.receipt for arrival in arrivals])
        if [arrival for arrival in arrivals if not arrival.deadline.begin_commit()]:
            raise Overdue


_together: GroupCommit[Arrival] = GroupCommit(
    lambda arrivals: _write(arrivals, min(GROUP_LOCK_SECONDS, settings.LOCK_TIMEOUT_SECONDS)),
    size=lambda arrival: len(arrival.records),
    max_size=GROUP_SPANS,
)


def _outcome(arrival: Arrival, stored: set[tuple[int, str]], added: set[int], replaced: set[int]) -> Stored:
    records = arrival.records
    added_count = sum(id(record) in added for record in records)
    replaced_count = sum(id(record) in replaced for record in records) if replaced else 0
    rest = len(records) - added_count - replaced_count
    deleted_count = sum((arrival.project_id, record.trace_id) not in stored for record in records) if rest else 0
    return Stored(added_count, replaced_count, rest - deleted_count, deleted_count)


def _by_trace(arrivals: Iterable[Arrival]) -> dict[UUID, _Trace]:
    """The records by trace's key and span id, with their row keys; of several versions of a span only the one that
    stays.
    """
    groups: dict[tuple[int, str], dict[str, SpanRecord]] = defaultdict(dict)
    tables: dict[int, ProjectTables] = {}
    for arrival in arrivals:
        tables[arrival.project_id] = arrival.tables
        for record in arrival.records:
            group = groups[arrival.project_id, record.trace_id]
            other = group.get(record.span_id)
            if other is None or record_version(record) > record_version(other):
                group[record.span_id] = record
    traces: dict[UUID, _Trace] = {}
    for (project_id, trace_id), group in groups.items():
        key = trace_row_key(project_id, trace_id)
        summary = summarize(list(group.values()))
        traces[key] = _Trace(project_id, trace_id, tables[project_id], group, summary)
        trace_row_id = key.hex
        for span_id, record in group.items():
            record.project_id = project_id
            record.trace_row_id = trace_row_id
            record.id = trace_row_id[:16] + span_id  # as spans.keys.span_row_key, for very many
            record.counted = span_id in summary.counted
    return traces


def _mark_counted(records: Iterable[SpanRecord], summary: TraceSummary) -> None:
    for record in records:
        record.counted = record.span_id in summary.counted


def _write_traces(traces: dict[UUID, _Trace]) -> Written:
    """Those that were deleted leave `traces`."""
    now = timezone.now()
    claims = [Claim(key, trace.project_id, trace.trace_id, trace.summary) for key, trace in sorted(traces.items())]
    existing = claim(claims, now)
    _leave_out_deleted(traces, existing.keys())
    with_logs = _normalize_with_logs(traces)
    for key, trace in traces.items():
        day = existing[key].day if key in existing else now.date()
        for record in trace.records.values():
            record.day = day
    fresh = [record for key, trace in traces.items() if key not in existing for record in trace.records.values()]
    changes = []
    for key in with_logs - existing.keys():
        summary = summarize(list(traces[key].records.values()))
        _mark_counted(traces[key].records.values(), summary)
        changes.append(Change(key, summary, [], changed=True))
    rollup.update(changes)
    written = Written(fresh, [], 0)
    if existing:
        found = sort_out(record for key in existing for record in traces[key].records.values())
        _update_existing(existing, found)
        written = Written(fresh + found.added, found.replaced, found.duplicates)
    write_spans(written)
    return written


def _leave_out_deleted(traces: dict[UUID, _Trace], existing: Collection[UUID]) -> None:
    """Take away again what was just claimed of deleted traces. One query if any trace is new.

    Only now, when nobody can be deleting them any more: who deletes a trace holds its row.
    """
    deleted = buried(traces.keys() - existing)
    if deleted:
        Trace.objects.filter(pk__in=deleted).delete()
        for key in deleted:
            del traces[key]


def _normalize_with_logs(traces: dict[UUID, _Trace]) -> set[UUID]:
    """Normalize the spans again whose log records came before them. Returns the traces that have such.

    One query for 5,000 traces, one more if there are any.
    """
    having = which_have_logs(traces.keys())
    found = load_logs(having, {span_id for key in having for span_id in traces[key].records}) if having else {}
    for key, logs in found.items():
        trace = traces[key]
        for span_id, record in trace.records.items():
            if span_id in logs:
                record.logs = logs[span_id]
                normalize(record, trace.tables)
    return set(found)


def _update_existing(existing: dict[UUID, Existing], written: Written) -> None:
    """Summarise existing traces as they will be once `written` is stored; large ones, and what is beyond so many rows
    to read, stay marked as due.
    """
    coming: dict[str, list[SpanRecord]] = defaultdict(list)
    for record in written.added + written.replaced:
        coming[record.trace_row_id].append(record)
    days: dict[UUID, datetime.date] = {}
    left = rollup.IMMEDIATE_ROWS
    for key, trace in existing.items():
        if trace.span_count + len(coming[key.hex]) <= rollup.IMMEDIATE_SPANS and trace.span_count <= left:
            days[key] = trace.day
            left -= trace.span_count
    stored = rollup.load_rows(days)
    changes = []
    for key in days:
        arriving = {record.span_id for record in coming[key.hex]}
        staying = [row for row in stored[key] if row.span_id not in arriving]
        together: list[SummaryRow | SpanRecord] = [*staying, *coming[key.hex]]
        summary = summarize(together)
        _mark_counted(coming[key.hex], summary)
        changes.append(Change(key, summary, staying, changed=bool(arriving)))
    rollup.update(changes)
