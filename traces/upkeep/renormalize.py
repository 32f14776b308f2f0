"""The conventions run again over stored spans: after their tables have changed, or after log records have come."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from spans.batches import batches
from spans.columns import NORMALIZED
from spans.keys import span_row_key
from spans.logs import LogEvents, load_logs
from spans.models import Span
from spans.project_tables import TablesByProject
from spans.semconv import normalize
from spans.writer_lock import writer_lock
from traces.models import Trace
from traces.reading.queries import spans_of
from traces.summaries import rollup
from traces.summaries.rollup import Change
from traces.summaries.summary import summarize

# What `normalize` sets, and what it reads.
COLUMNS = NORMALIZED
READ = (
    "trace_row_id", "project", "day", "span_id", "name", "start_time_unix_nano", "status_code", "status_message",
    "attributes", "events", "scope_name", "resource",
)  # fmt: skip
SPANS_A_QUERY = 500
_FIELDS: dict[str, Any] = {item.name: item for item in Span._meta.concrete_fields}
_KEYS = ("trace_row", "day", "id")
_UPDATE = (
    f"UPDATE {Span._meta.db_table} SET {', '.join(f'{_FIELDS[name].column} = %s' for name in COLUMNS)} "  # noqa: S608
    f"WHERE {' AND '.join(f'{_FIELDS[name].column} = %s' for name in _KEYS)}"
)


@dataclass(slots=True)
class Renormalized:
    """How many spans were looked at, how many differed, and how often each column did."""

    spans: int = 0
    changed: int = 0
    columns: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Renormalized") -> None:
        self.spans += other.spans
        self.changed += other.changed
        self.columns += other.columns


def renormalize(keys: Iterable[UUID], dry_run: bool = False) -> Renormalized:
    """Normalize the spans of these traces again, write those that differ, and refresh the summaries of their traces.

    With `dry_run` nothing is written. A hundred traces at a time are read without a lock: three queries, one more for
    every 500 spans. Only traces with a difference are then locked and those of their spans normalized once more, so
    that what a writer has replaced in the meantime stays. Safe beside any writer, and to be broken off and run again.
    """
    total = Renormalized()
    for batch in batches(sorted(keys), rollup.KEYS_A_TRANSACTION):
        differing: dict[UUID, list[UUID]] = defaultdict(list)
        spans = _spans(batch)
        ids: dict[UUID, list[UUID]] = defaultdict(list)
        for key, id_ in spans.values_list("trace_row_id", "id"):
            ids[key].append(id_)
        total.spans += sum(map(len, ids.values()))
        for span, columns in _differences(spans, load_logs(batch), _portions(ids)):
            differing[span.trace_row_id].append(span.pk)
            if dry_run:
                total.changed += 1
                total.columns.update(columns)
        if differing and not dry_run:
            with writer_lock(), transaction.atomic():
                locked = rollup.lock(differing)
                # Of a large trace only the spans that differ; small ones as a whole.
                again = {key: differing[key] if len(ids[key]) > SPANS_A_QUERY else ids[key] for key in locked}
                _write(locked, _portions(again), total)
    return total


def renormalize_locked(key: UUID, span_ids: Collection[str]) -> None:
    """Normalize these spans of a locked trace again, those of them that are there, and refresh its summary.

    A large trace is left marked as due instead. Three queries, the writes, and three or four for the summary.
    """
    ids = [span_row_key(key, span_id) for span_id in span_ids]
    _write([key], _slices(key, ids), Renormalized(), span_ids)


def _write(
    locked: Sequence[UUID], portions: Iterable[Q], total: Renormalized, span_ids: Collection[str] | None = None
) -> None:
    """Write what differs in these portions of locked traces, and the summaries of the traces, but for large ones.

    The portions hold only these spans, if any are named.
    """
    changed: set[UUID] = set()
    rows: list[list[Any]] = []
    for span, columns in _differences(_spans(locked), load_logs(locked, span_ids), portions):
        changed.add(span.trace_row_id)
        total.columns.update(columns)
        rows.append([*_parameters(span, COLUMNS), *_parameters(span, _KEYS)])
        if len(rows) == SPANS_A_QUERY:
            total.changed += _update(rows)
    total.changed += _update(rows)
    small = Trace.objects.filter(pk__in=locked, span_count__lte=rollup.IMMEDIATE_SPANS)
    stored = rollup.load_rows(dict(small.order_by().values_list("pk", "day")))
    rollup.update([Change(key, summarize(rows), rows, changed=key in changed) for key, rows in stored.items()])


def _update(rows: list[list[Any]]) -> int:
    """Write these rows, and empty the list. Returns how many there were."""
    count = len(rows)
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_UPDATE, rows)
    rows.clear()
    return count


def _spans(keys: Collection[UUID]) -> QuerySet[Span]:
    """The spans of these traces with what `normalize` needs. One query for their days."""
    return spans_of(*Trace.objects.filter(pk__in=keys).only("pk", "day").order_by()).order_by().only(*READ, *COLUMNS)


def _portions(ids: Mapping[UUID, Sequence[UUID]]) -> Iterator[Q]:
    """All of these spans in portions of about 500: several whole traces, or a part of a large one.

    Never a list of traces together with a list of spans: the index would be asked for every pair of the two.
    """
    together: list[UUID] = []
    size = 0
    for key, of_trace in ids.items():
        if len(of_trace) > SPANS_A_QUERY:
            yield from _slices(key, of_trace)
            continue
        together.append(key)
        size += len(of_trace)
        if size >= SPANS_A_QUERY:
            yield Q(trace_row__in=together)
            together, size = [], 0
    if together:
        yield Q(trace_row__in=together)


def _slices(key: UUID, ids: Sequence[UUID]) -> Iterator[Q]:
    """These spans of a trace, 500 at a time."""
    for part in batches(ids, SPANS_A_QUERY):
        yield Q(trace_row=key, id__in=part)


def _differences(spans: QuerySet[Span], logs: LogEvents, portions: Iterable[Q]) -> Iterator[tuple[Span, list[str]]]:
    """Those of the spans whose columns are not what the tables say now, set to it, with the names of these columns.

    Each portion is a query of its own, because a cursor kept open would need a connection of its own.
    """
    tables = TablesByProject()
    for portion in portions:
        for span in spans.filter(portion):
            before = [getattr(span, name) for name in COLUMNS]
            span.logs = logs.get(span.trace_row_id, {}).get(span.span_id, ())
            normalize(span, tables[span.project_id])
            columns = [name for name, old in zip(COLUMNS, before, strict=True) if getattr(span, name) != old]
            if columns:
                yield span, columns


def _parameters(span: Span, names: Iterable[str]) -> list[Any]:
    return [_FIELDS[name].get_db_prep_save(getattr(span, _FIELDS[name].attname), connection) for name in names]
