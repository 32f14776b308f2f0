"""GenAI events that came as log records: storing them, and giving them to the spans that they are of."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import UUIDField

from spans.batches import KEYS_A_STATEMENT, batches
from spans.models import Span, SpanLog

_uuid = UUIDField()
_table = f'"{SpanLog._meta.db_table}"'
# The index is asked for every pair of a trace and a record.
LOGS_A_QUERY = 100
# The events of each span, by trace and span id
LogEvents = dict[UUID, dict[str, list[dict[str, Any]]]]


def as_event(log: SpanLog) -> dict[str, Any]:
    """The record in the form of a span event. What its body holds counts as attributes, a plain body as `content`."""
    body = log.body if isinstance(log.body, Mapping) else {} if log.body is None else {"content": log.body}
    return {"name": log.name, "time_unix_nano": log.time_unix_nano, "attributes": {**log.attributes, **body}}


def load_logs(keys: Collection[UUID], span_ids: Collection[str] | None = None) -> LogEvents:
    """The log records of these traces as events, in the order of time; where `span_ids` are no more than a statement
    takes, only of these spans. One query for 5,000 traces.
    """
    found: LogEvents = {}
    for part in batches(keys):
        logs = SpanLog.objects.filter(trace_row__in=part)
        if span_ids is not None and len(span_ids) <= KEYS_A_STATEMENT:
            logs = logs.filter(span_id__in=span_ids)
        for log in logs.order_by("time_unix_nano", "position", "id"):
            found.setdefault(log.trace_row_id, defaultdict(list))[log.span_id].append(as_event(log))
    return found


def which_have_logs(keys: Collection[UUID]) -> list[UUID]:
    """Those of these traces that have log records. One query for 5,000, past the ORM: every request asks it."""
    having: list[UUID] = []
    for part in batches(keys):
        marks = ", ".join(["%s"] * len(part))
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT DISTINCT trace_row_id FROM {_table} WHERE {_table}."trace_row_id" IN ({marks})',  # noqa: S608
                [_uuid.get_db_prep_value(key, connection) for key in part],
            )
            having += [_uuid.to_python(key) for (key,) in cursor.fetchall()]
    return having


def attach_logs(spans: Iterable[Span]) -> None:
    """Set `logs` of these spans. One query, none where there are no spans."""
    spans = list(spans)
    if not spans:
        return
    found = load_logs({span.trace_row_id for span in spans}, {span.span_id for span in spans})
    for span in spans:
        span.logs = found.get(span.trace_row_id, {}).get(span.span_id, ())


def add_logs(logs: Collection[SpanLog]) -> list[SpanLog]:
    """Insert those that are not there yet, and return them. Their ids are unique.

    A query for each 100, an insert for each 5,000.
    """
    there: set[tuple[UUID, UUID]] = set()
    for part in batches(logs, LOGS_A_QUERY):
        rows = SpanLog.objects.filter(trace_row__in={log.trace_row_id for log in part}, id__in=[log.id for log in part])
        there.update(rows.values_list("trace_row_id", "id"))
    new = sorted((log for log in logs if (log.trace_row_id, log.id) not in there), key=lambda log: log.id)
    SpanLog.objects.bulk_create(new, batch_size=KEYS_A_STATEMENT, ignore_conflicts=True)
    return new
