"""Storing the spans of one request: spans and the summaries of their traces, in one transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from spans.keys import trace_row_key
from spans.logs import load_logs, which_have_logs
from spans.records import SpanRecord
from spans.semconv import BUILT_IN, ProjectTables, normalize
from spans.writer import Written, record_version, sort_out, write_spans
from traces import rollup
from traces.claims import Existing, claim
from traces.rollup import SummaryRow
from traces.summary import TraceSummary, summarize
from traces.turns import limit_waiting, turn


@dataclass(slots=True)
class Stored:
    """How many spans were added, took the place of an older version, or were there already."""

    added: int = 0
    replaced: int = 0
    duplicates: int = 0


def _by_trace(project_id: int, records: Iterable[SpanRecord]) -> dict[UUID, dict[str, SpanRecord]]:
    """The records by trace's key and span id; of several versions of a span only the one that stays."""
    groups: dict[str, dict[str, SpanRecord]] = defaultdict(dict)
    for record in records:
        group = groups[record.trace_id]
        other = group.get(record.span_id)
        if other is None or record_version(record) > record_version(other):
            group[record.span_id] = record
    traces = {trace_row_key(project_id, trace_id): group for trace_id, group in groups.items()}
    for key, group in traces.items():
        trace_row_id = key.hex
        for span_id, record in group.items():
            record.project_id = project_id
            record.trace_row_id = trace_row_id
            record.id = trace_row_id[:16] + span_id  # as spans.keys.span_row_key, for very many
    return traces


def _mark_counted(records: Iterable[SpanRecord], summary: TraceSummary) -> None:
    for record in records:
        record.counted = record.span_id in summary.counted


def store(
    project_id: int,
    records: list[SpanRecord],
    finish: Callable[[Stored], object] = lambda stored: None,
    tables: ProjectTables = BUILT_IN,
) -> Stored:
    """Write sanitized, normalized records. After it returns they are committed, or nothing is and it has raised.

    `finish` is called at the end of the same transaction, also where there are no records.
    Statements: one for the traces, one look for their log records and one bulk insert where all traces are new, and two
    for each of these with log records; for those that exist, two look-ups more and two or three updates a trace.
    """
    traces = _by_trace(project_id, records)
    summaries = {key: summarize(list(group.values())) for key, group in traces.items()}
    for key, group in traces.items():
        _mark_counted(group.values(), summaries[key])
    with turn(), transaction.atomic():
        limit_waiting()
        stored = _write(project_id, traces, summaries, tables) if traces else Stored()
        stored.duplicates += len(records) - sum(map(len, traces.values()))
        finish(stored)
    return stored


def _write(
    project_id: int,
    traces: dict[UUID, dict[str, SpanRecord]],
    summaries: dict[UUID, TraceSummary],
    tables: ProjectTables,
) -> Stored:
    trace_ids = {key: next(iter(group.values())).trace_id for key, group in traces.items()}
    now = timezone.now()
    existing = claim(project_id, trace_ids, summaries, now)
    with_logs = _normalize_with_logs(traces, tables)
    for key, group in traces.items():
        day = existing[key].day if key in existing else now.date()
        for record in group.values():
            record.day = day
    fresh = [record for key, group in traces.items() if key not in existing for record in group.values()]
    for key in with_logs - existing.keys():
        summary = summarize(list(traces[key].values()))
        _mark_counted(traces[key].values(), summary)
        rollup.update(key, summary, [], changed=True)
    written = sort_out((record for key in existing for record in traces[key].values()), look_up=bool(existing))
    if existing:
        _update_existing(existing, written)
    write_spans(Written(fresh + written.added, written.replaced, 0))
    return Stored(len(fresh) + len(written.added), len(written.replaced), written.duplicates)


def _normalize_with_logs(traces: dict[UUID, dict[str, SpanRecord]], tables: ProjectTables) -> set[UUID]:
    """Normalize the spans again whose log records came before them. Returns the traces that have such.

    One query, one more if there are any.
    """
    having = which_have_logs(traces.keys())
    found = load_logs(having) if having else {}
    for key, logs in found.items():
        for span_id, record in traces[key].items():
            if span_id in logs:
                record.logs = logs[span_id]
                normalize(record, tables)
    return set(found)


def _update_existing(existing: dict[UUID, Existing], written: Written) -> None:
    """Summarise existing traces as they will be once `written` is stored; large ones stay marked as due."""
    coming: dict[str, list[SpanRecord]] = defaultdict(list)
    for record in written.added + written.replaced:
        coming[record.trace_row_id].append(record)
    small = [
        key for key, trace in existing.items() if trace.span_count + len(coming[key.hex]) <= rollup.IMMEDIATE_SPANS
    ]
    stored = rollup.load_rows(small)
    for key in small:
        arriving = {record.span_id for record in coming[key.hex]}
        staying = [row for row in stored[key] if row.span_id not in arriving]
        together: list[SummaryRow | SpanRecord] = [*staying, *coming[key.hex]]
        summary = summarize(together)
        _mark_counted(coming[key.hex], summary)
        rollup.update(key, summary, staying, changed=bool(arriving))
