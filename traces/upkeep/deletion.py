"""Deleting traces with everything that is stored of them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from spans.models import SpanLog
from traces.models import Trace
from traces.reading.queries import spans_of
from traces.summaries import rollup
from traces.upkeep.tombstones import bury

TRACES_A_DELETION = 100


def delete_traces(traces: QuerySet[Trace] | Iterable[UUID], stay_deleted: bool = True) -> int:
    """Delete these traces (a queryset or keys) with their spans; returns how many there were.

    If they stay deleted, spans that still arrive of them are rejected for a time (`traces.upkeep.tombstones`).

    In transactions of 100 traces, so a failure leaves whole traces only; safe beside writers and to run again. A trace
    that has left the queryset when its turn comes stays. The mirror deletes its copies afterwards, because its rows
    notice that their trace is gone.
    """
    wanted = traces if isinstance(traces, QuerySet) else Trace.objects.all()
    deleted = 0
    for keys in _batches(traces):
        with transaction.atomic():
            locked = list(wanted.filter(pk__in=rollup.lock(keys)).only("pk", "day", "project").order_by())
            if stay_deleted:
                bury(locked)
            spans_of(*locked).delete()
            SpanLog.objects.filter(trace_row__in=locked).delete()
            Trace.objects.filter(pk__in=[trace.pk for trace in locked]).delete()
        deleted += len(locked)
    return deleted


def _batches(traces: QuerySet[Trace] | Iterable[UUID]) -> Iterator[list[UUID]]:
    if isinstance(traces, QuerySet):
        # Each batch is gone before the next one is read.
        while batch := list(traces.values_list("pk", flat=True)[:TRACES_A_DELETION]):
            yield batch
    else:
        keys = iter(traces)
        while batch := list(islice(keys, TRACES_A_DELETION)):
            yield batch
