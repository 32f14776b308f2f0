"""Trace summaries: always computed from the spans, never incremented, so that replays and reorderings change nothing.

Whoever changes a trace's spans holds the lock of its row until commit. `claims.claim` and `lock` take it in the order
of the keys, so that writers wait for each other and never deadlock.
"""

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from spans.batches import batches
from spans.keys import span_row_key
from spans.models import Span
from spans.writer import rows_by_key
from traces.models import Trace
from traces.summaries.summary import SUMMARY_COLUMNS, TraceSummary, summarize
from traces.summaries.trace_rows import write_summaries

# Up to so many spans a trace is summarised with every request that touches it; a larger one soon after, by the worker,
# so that the cost of a request does not grow with its trace.
IMMEDIATE_SPANS = 2_000
# So many stored rows are read for one request's summaries; the worker does the rest.
IMMEDIATE_ROWS = 20_000
# How long a trace that is due waits, and how many of those are looked at.
SPANS_A_SECOND = 500
DUE_AT_ONCE = 1_000
KEYS_A_TRANSACTION = 100
TRACES_A_STATEMENT = 1_000
SPANS_A_STATEMENT = 500


class SummaryRow(NamedTuple):
    """The columns of a stored span that a summary is made of; a SpanRecord has the same attributes."""

    span_id: str
    parent_span_id: str
    name: str
    kind: int
    start_time_unix_nano: int
    end_time_unix_nano: int
    service_name: str
    scope_name: str
    span_type: str
    operation_name: str
    request_model: str
    response_model: str
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    cache_creation_input_tokens: int | None
    cache_creation_1h_input_tokens: int | None
    audio_input_tokens: int | None
    image_input_tokens: int | None
    reasoning_tokens: int | None
    audio_output_tokens: int | None
    cost_usd: Any
    session_id: str
    user_id: str
    input_preview: str
    output_preview: str
    status_code: int
    is_error: bool
    error_type: str
    framework_trace_id: str
    labels: dict[str, str] | None
    counted: bool


class Change(NamedTuple):
    """What becomes of a locked trace: its summary, its stored rows that stay, and whether its spans changed."""

    key: UUID
    summary: TraceSummary
    rows: Sequence[SummaryRow]
    changed: bool


def load_rows(days: Mapping[UUID, datetime.date]) -> dict[UUID, list[SummaryRow]]:
    """The stored spans of the traces, whose days lead to their partitions, narrow. One query."""
    rows: dict[UUID, list[SummaryRow]] = defaultdict(list)
    spans = Span.objects.filter(trace_row__in=days.keys(), day__in=set(days.values())).order_by()
    columns = spans.values_list("trace_row_id", *SummaryRow._fields)
    for key, *values in columns.iterator(chunk_size=2_000):
        rows[key].append(SummaryRow(*values))
    return rows


def update(changes: Sequence[Change]) -> None:
    """Write the summaries of locked traces, and `counted` of those stored rows for which it changed.

    `refreshed_at`, which readers that follow changes look at, moves where `changed` is true or the summary differs.
    One to four statements a thousand traces, more where thousands of spans count otherwise.
    """
    for part in batches(changes, TRACES_A_STATEMENT):
        moved = _moved(part)
        write_summaries({change.key: change.summary for change in moved}, timezone.now())
        if len(moved) < len(part):
            unmoved = {change.key for change in part} - {change.key for change in moved}
            Trace.objects.filter(pk__in=unmoved).update(refresh_due=False)
    for counted in (True, False):
        wrong = [
            (change.key, span_row_key(change.key, row.span_id))
            for change in changes
            for row in change.rows
            if row.counted != counted and (row.span_id in change.summary.counted) == counted
        ]
        for pairs in batches(wrong, SPANS_A_STATEMENT):
            keys, ids = zip(*pairs, strict=True)
            rows_by_key(keys, ids).update(counted=counted)


def _moved(changes: Sequence[Change]) -> list[Change]:
    """Those whose spans changed or whose stored summary is another one. One query if there are such as may not be."""
    unchanged = [change.key for change in changes if not change.changed]
    if not unchanged:
        return list(changes)
    found = Trace.objects.filter(pk__in=unchanged).order_by().values_list("pk", *SUMMARY_COLUMNS)
    stored = {key: values for key, *values in found}
    return [
        change
        for change in changes
        if change.changed or stored.get(change.key) != [getattr(change.summary, name) for name in SUMMARY_COLUMNS]
    ]


def lock(keys: Iterable[UUID], unchanged: Collection[UUID] = ()) -> list[UUID]:
    """Lock the traces in key order; those that are gone are left out. All but the unchanged are due until `update`."""
    same = F("refresh_due")
    return [
        key
        for key in sorted(keys)
        if Trace.objects.filter(pk=key).update(refresh_due=same if key in unchanged else True)
    ]


def days_of(keys: Iterable[UUID]) -> dict[UUID, datetime.date]:
    """The days of these traces that are there. One query."""
    return dict(Trace.objects.filter(pk__in=keys).order_by().values_list("pk", "day"))


def refresh(keys: Iterable[UUID], changed: bool = False) -> None:
    """Compute the summaries of these traces from their spans again. Safe beside any writer, and idempotent.

    `changed` says that spans may have been replaced, which the summary does not show: `refreshed_at` then moves.
    """
    for batch in batches(sorted(keys), KEYS_A_TRANSACTION):
        with transaction.atomic():
            locked = lock(batch)
            rows = load_rows(days_of(locked))
            update([Change(key, summarize(rows[key]), rows[key], changed) for key in locked if rows[key]])


def refresh_due(limit: int = 100) -> int:
    """Refresh at most `limit` traces that are marked as due, the longest waiting first. Returns how many there were.

    A long trace that goes on growing waits, a second for each 500 spans: it is read, and mirrored, as a whole.
    """
    due = Trace.objects.filter(refresh_due=True).order_by("refreshed_at")
    now = timezone.now()
    keys = [
        key
        for key, span_count, refreshed_at in due.values_list("id", "span_count", "refreshed_at")[:DUE_AT_ONCE]
        if refreshed_at + datetime.timedelta(seconds=span_count // SPANS_A_SECOND) <= now
    ][:limit]
    for key in keys:
        refresh([key], changed=True)
    return len(keys)
