"""Log records of spans: stored, and if they are events told to their spans, in whichever order both arrive.

Who stores log records locks their traces first, and who stores spans looks for log records after locking, so each sees
the other, but for a trace whose very first spans are not committed yet: nobody can lock it. Its log records are marked
as pending, and a job looks at them once more.
"""

import datetime
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from spans.logs import add_logs, is_event
from spans.models import SpanLog
from spans.writer_lock import limit_waiting, writer_lock
from traces.ingest.deadline import Overdue, current_deadline
from traces.models import Trace
from traces.summaries import rollup
from traces.upkeep.renormalize import renormalize_locked
from traces.upkeep.tombstones import buried

# No ingest transaction lasts so long: afterwards whoever brings the spans sees the log records.
PENDING = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class StoredLogs:
    """How many log records were added, had no room with their span or trace, or were of a deleted trace."""

    added: int = 0
    over_limit: int = 0
    deleted: int = 0


def store_logs(logs: Collection[SpanLog], finish: Callable[[StoredLogs], object]) -> None:
    """Store log records and normalize their spans again. `finish` is called with what became of them, at the end of
    the transaction.

    After it returns they are committed, or nothing is and it has raised. Statements: one for each 100 records, one for
    tombstones, two more if any record is new, and about six for each trace that is there and has a new event; a plain
    line changes nothing of its span.
    """
    unique = {(log.trace_row_id, log.id): log for log in logs}
    with writer_lock(), transaction.atomic():
        limit_waiting()
        keys = {log.trace_row_id for log in unique.values()}
        with_lines_only = keys - {log.trace_row_id for log in unique.values() if is_event(log)}
        there = set(rollup.lock(keys, with_lines_only))
        gone = buried(keys - there)
        for log in unique.values():
            log.pending = is_event(log) and log.trace_row_id not in there
        found = add_logs([log for log in unique.values() if log.trace_row_id not in gone])
        span_ids: dict[UUID, set[str]] = defaultdict(set)
        for log in found.new:
            if is_event(log):
                span_ids[log.trace_row_id].add(log.span_id)
        for key in there - with_lines_only:
            renormalize_locked(key, span_ids[key])
        deleted = sum(log.trace_row_id in gone for log in logs)
        finish(StoredLogs(len(found.new), found.over_limit, deleted))
        if not current_deadline().begin_commit():
            raise Overdue


def attach_pending(limit: int = 100) -> int:
    """Give pending log records to traces that came while they did; at most so many traces. Returns how many.

    Idempotent, and safe beside any writer.
    """
    now = timezone.now()
    pending = SpanLog.objects.filter(pending=True)
    arrived = pending.filter(Exists(Trace.objects.filter(pk=OuterRef("trace_row_id"))))
    keys = list(arrived.order_by().values_list("trace_row_id", flat=True).distinct()[:limit])
    for key in keys:
        with writer_lock(), transaction.atomic():
            limit_waiting()
            if rollup.lock([key]):
                of_trace = pending.filter(trace_row=key)
                renormalize_locked(key, set(of_trace.order_by().values_list("span_id", flat=True)))
                of_trace.update(pending=False)
    if len(keys) < limit:
        pending.filter(received_at__lt=now - PENDING).update(pending=False)
    return len(keys)
