"""Trace summaries: always computed from the spans, never incremented, so that replays and reorderings change nothing.

Whoever changes a trace's spans holds the lock of its row until commit. `claims.claim` and `lock` take it in the order
of the keys, so that writers wait for each other and never deadlock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from spans.keys import span_row_key
from spans.models import Span
from spans.writer import IDS_A_QUERY
from traces.claims import SUMMARY_COLUMNS
from traces.models import Trace
from traces.summary import TraceSummary, summarize

# Up to so many spans a trace is summarised with every request that touches it; a larger one soon after, by the worker,
# so that the cost of a request does not grow with its trace.
IMMEDIATE_SPANS = 2_000
KEYS_A_TRANSACTION = 100


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
    provider_name: str
    request_model: str
    response_model: str
    tool_name: str
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    cost_usd: Any
    session_id: str
    user_id: str
    input_preview: str
    output_preview: str
    status_code: int
    is_error: bool
    error_type: str
    framework_trace_id: str
    counted: bool


def load_rows(keys: Collection[UUID]) -> dict[UUID, list[SummaryRow]]:
    """The stored spans of the traces, narrow. One query."""
    rows: dict[UUID, list[SummaryRow]] = defaultdict(list)
    columns = Span.objects.filter(trace_row__in=keys).order_by().values_list("trace_row_id", *SummaryRow._fields)
    for key, *values in columns.iterator(chunk_size=2_000):
        rows[key].append(SummaryRow(*values))
    return rows


def update(key: UUID, summary: TraceSummary, rows: Sequence[SummaryRow], changed: bool) -> None:
    """Write a locked trace's summary, and `counted` of those stored rows for which it changed.

    `refreshed_at`, which readers that follow changes look at, moves where `changed` is true or the summary differs.
    Two or three queries.
    """
    values = {name: getattr(summary, name) for name in SUMMARY_COLUMNS}
    trace = Trace.objects.filter(pk=key)
    moved = changed or trace.values(*SUMMARY_COLUMNS).first() != values
    trace.update(refresh_due=False, **(values | {"refreshed_at": timezone.now()} if moved else {}))
    for counted in (True, False):
        wrong = [row.span_id for row in rows if row.counted != counted and (row.span_id in summary.counted) == counted]
        for start in range(0, len(wrong), IDS_A_QUERY):
            ids = [span_row_key(key, span_id) for span_id in wrong[start : start + IDS_A_QUERY]]
            Span.objects.filter(trace_row=key, id__in=ids).update(counted=counted)


def lock(keys: Iterable[UUID]) -> list[UUID]:
    """Lock the traces in key order; those that are gone are left out."""
    return [key for key in sorted(keys) if Trace.objects.filter(pk=key).update(refresh_due=True)]


def refresh(keys: Iterable[UUID], changed: bool = False) -> None:
    """Compute the summaries of these traces from their spans again. Safe beside any writer, and idempotent.

    `changed` says that spans may have been replaced, which the summary does not show: `refreshed_at` then moves.
    """
    ordered = sorted(keys)
    for start in range(0, len(ordered), KEYS_A_TRANSACTION):
        with transaction.atomic():
            locked = lock(ordered[start : start + KEYS_A_TRANSACTION])
            rows = load_rows(locked)
            for key in locked:
                if rows[key]:
                    update(key, summarize(rows[key]), rows[key], changed)


def refresh_due(limit: int = 100) -> int:
    """Refresh at most `limit` traces that are marked as due, the longest waiting first. Returns how many there were."""
    keys = list(Trace.objects.filter(refresh_due=True).order_by("refreshed_at").values_list("id", flat=True)[:limit])
    for key in keys:
        refresh([key], changed=True)
    return len(keys)
