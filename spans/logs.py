"""GenAI events that came as log records: storing them, and giving them to the spans that they are of."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import UUIDField

from spans.models import Span, SpanLog

_uuid = UUIDField()
_table = f'"{SpanLog._meta.db_table}"'
# The events of each span, by trace and span id
LogEvents = dict[UUID, dict[str, list[dict[str, Any]]]]


def as_event(log: SpanLog) -> dict[str, Any]:
    """The record in the form of a span event. What its body holds counts as attributes, a plain body as `content`."""
    body = log.body if isinstance(log.body, Mapping) else {} if log.body is None else {"content": log.body}
    return {"name": log.name, "time_unix_nano": log.time_unix_nano, "attributes": {**log.attributes, **body}}


def load_logs(keys: Collection[UUID], span_ids: Collection[str] | None = None) -> LogEvents:
    """The log records of these traces, or of these spans in them, as events, in the order of time. One query."""
    found: LogEvents = {}
    logs = SpanLog.objects.filter(trace_row__in=keys)
    if span_ids is not None:
        logs = logs.filter(span_id__in=span_ids)
    for log in logs.order_by("time_unix_nano", "position", "id"):
        found.setdefault(log.trace_row_id, defaultdict(list))[log.span_id].append(as_event(log))
    return found


def which_have_logs(keys: Collection[UUID]) -> list[UUID]:
    """Those of these traces that have log records. One query, past the ORM: ingest asks it with every request."""
    marks = ", ".join(["%s"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT DISTINCT trace_row_id FROM {_table} WHERE {_table}."trace_row_id" IN ({marks})',  # noqa: S608
            [_uuid.get_db_prep_value(key, connection) for key in keys],
        )
        return [_uuid.to_python(key) for (key,) in cursor.fetchall()]


def attach_logs(spans: Iterable[Span]) -> None:
    """Set `logs` of these spans. One query, none where there are no spans."""
    spans = list(spans)
    if not spans:
        return
    found = load_logs({span.trace_row_id for span in spans}, {span.span_id for span in spans})
    for span in spans:
        span.logs = found.get(span.trace_row_id, {}).get(span.span_id, ())


def add_logs(logs: Collection[SpanLog]) -> list[SpanLog]:
    """Insert those that are not there yet, and return them. Their ids are unique. Two statements."""
    there = set(
        SpanLog.objects.filter(
            trace_row__in={log.trace_row_id for log in logs}, id__in=[log.id for log in logs]
        ).values_list("trace_row_id", "id")
    )
    new = sorted((log for log in logs if (log.trace_row_id, log.id) not in there), key=lambda log: log.id)
    SpanLog.objects.bulk_create(new, ignore_conflicts=True)
    return new
