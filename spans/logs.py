"""Log records of spans: storing them, and giving those that are events to the spans that they are of.

Events have a name (`gen_ai.choice`, `exception`, `user_prompt`), or are exceptions that a logger wrote without one.
Plain lines are only shown.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum, UUIDField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from spans.batches import KEYS_A_STATEMENT, batches
from spans.models import Span, SpanLog
from spans.payload import fitting, stored_bytes

# What an event is made of
_EVENT_FIELDS = ("trace_row_id", "span_id", "name", "severity_number", "time_unix_nano", "attributes", "body")
_uuid = UUIDField()
_table = f'"{SpanLog._meta.db_table}"'
# The index is asked for every pair of a trace and a record.
LOGS_A_QUERY = 100
# The events of each span, by trace and span id
LogEvents = dict[UUID, dict[str, list[dict[str, Any]]]]
# The keys of an exception, in whichever record
EXCEPTION = "exception"
_EXCEPTION_KEYS = ("exception.type", "exception.message")
# What the conventions read: events by name, and exceptions, which loggers write as plain errors.
ERROR_SEVERITY = 17
EVENTS = Q(name__gt="") | Q(severity_number__gte=ERROR_SEVERITY)


EVENT_BYTES = stored_bytes("attributes", "body")
LOG_BYTES = stored_bytes("attributes", "body", "resource", "scope", "warnings")


def is_event(log: SpanLog) -> bool:
    """Whether the conventions read it; of a stored record `EVENTS` says the same."""
    return log.name != "" or log.severity_number >= ERROR_SEVERITY


def as_event(log: SpanLog) -> dict[str, Any]:
    """The record in the form of a span event. What its body holds counts as attributes, a plain body as `content`."""
    body = log.body if isinstance(log.body, Mapping) else {} if log.body is None else {"content": log.body}
    attributes = {**log.attributes, **body}
    name = log.name or (EXCEPTION if any(key in attributes for key in _EXCEPTION_KEYS) else "")
    return {"name": name, "time_unix_nano": log.time_unix_nano, "attributes": attributes}


def load_logs(keys: Collection[UUID], span_ids: Collection[str] | None = None, *, bounded: bool = False) -> LogEvents:
    """The events among the log records of these traces, in the order of time; where `span_ids` are no more than a
    statement takes, only of these spans; `bounded`, the first that an answer has room for. One query for 5,000 traces,
    two if bounded.
    """
    found: LogEvents = {}
    for part in batches(keys):
        logs = SpanLog.objects.filter(EVENTS, trace_row__in=part).only(*_EVENT_FIELDS)
        if span_ids is not None and len(span_ids) <= KEYS_A_STATEMENT:
            logs = logs.filter(span_id__in=span_ids)
        logs = logs.order_by("time_unix_nano", "position", "id")
        if bounded:
            logs = logs[: fitting(logs.values_list(EVENT_BYTES, flat=True))]
        for log in logs:
            found.setdefault(log.trace_row_id, defaultdict(list))[log.span_id].append(as_event(log))
    return found


def which_have_logs(keys: Collection[UUID]) -> list[UUID]:
    """Those of these traces that have events among their log records. One query for 5,000, past the ORM: every request
    asks it, by an index of events alone (the condition stands there as it does here).
    """
    having: list[UUID] = []
    for part in batches(keys):
        marks = ", ".join(["%s"] * len(part))
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT DISTINCT trace_row_id FROM {_table} WHERE {_table}."trace_row_id" IN ({marks}) '  # noqa: S608
                f"AND (name > '' OR severity_number >= {ERROR_SEVERITY})",
                [_uuid.get_db_prep_value(key, connection) for key in part],
            )
            having += [_uuid.to_python(key) for (key,) in cursor.fetchall()]
    return having


def attach_logs(spans: Iterable[Span]) -> None:
    """Set `logs` of these spans, as far as an answer has room: whoever has several spans has sized them with
    `bytes_of_events`. For 5,000 spans one query, two where they have events; none without spans.
    """
    for part in batches(list(spans)):
        found = load_logs({span.trace_row_id for span in part}, {span.span_id for span in part}, bounded=True)
        for span in part:
            span.logs = found.get(span.trace_row_id, {}).get(span.span_id, ())


def bytes_of_events() -> Combinable:
    """A column of a query of spans: the bytes of its events among the log records."""
    own = SpanLog.objects.filter(EVENTS, trace_row=OuterRef("trace_row"), span_id=OuterRef("span_id")).order_by()
    return Coalesce(Subquery(own.values("span_id").annotate(total=Sum(EVENT_BYTES)).values("total")), Value(0))


def logs_of(trace_row_id: UUID, span_id: str | None = None) -> QuerySet[SpanLog]:
    """All log records of a trace, or of one of its spans, that are kept, in the order of time."""
    logs = SpanLog.objects.filter(trace_row=trace_row_id)
    if span_id is not None:
        logs = logs.filter(span_id=span_id)
    return logs.order_by("time_unix_nano", "position", "id")


def is_full(count: int, *, of_span: bool) -> bool:
    """Whether a span or a trace with so many log records has no room for further plain lines."""
    return count >= (settings.MAX_LOGS_PER_SPAN if of_span else settings.MAX_LOGS_PER_TRACE)


def kept_logs(span: Span) -> tuple[list[SpanLog], int, bool]:
    """The first log records of a span that an answer has room for, how many more are kept, and whether there may have
    been others that are not kept. One query, three where it has some.
    """
    kept = logs_of(span.trace_row_id, span.span_id)
    sizes = list(kept.values_list(LOG_BYTES, flat=True))
    logs = list(kept[: fitting(sizes)])
    is_cut = is_full(len(sizes), of_span=True) or (
        bool(sizes) and is_full(logs_of(span.trace_row_id).count(), of_span=False)
    )
    return logs, len(sizes) - len(logs), is_cut


@dataclass(slots=True)
class AddedLogs:
    """The records that were not there yet, and how many are not kept because their span or trace has enough."""

    new: list[SpanLog]
    over_limit: int = 0


def add_logs(logs: Collection[SpanLog]) -> AddedLogs:
    """Insert those that are not there yet, as far as there is room. Their ids are unique.

    A query for each 100, one for the numbers of 5,000 traces, an insert for each 5,000.
    """
    there: set[tuple[UUID, UUID]] = set()
    for part in batches(logs, LOGS_A_QUERY):
        rows = SpanLog.objects.filter(trace_row__in={log.trace_row_id for log in part}, id__in=[log.id for log in part])
        there.update(rows.values_list("trace_row_id", "id"))
    coming = [log for log in logs if (log.trace_row_id, log.id) not in there]
    new = _within_limits(coming) if coming else []
    new.sort(key=lambda log: log.id)
    SpanLog.objects.bulk_create(new, batch_size=KEYS_A_STATEMENT, ignore_conflicts=True)
    return AddedLogs(new, len(coming) - len(new))


def _within_limits(coming: Sequence[SpanLog]) -> list[SpanLog]:
    """Those for which their span and their trace have room. Events have twice the room of plain lines, so that lines
    never keep out what the conventions read. Writers that don't see each other may pass a limit by what they bring.
    """
    of_span: Counter[tuple[UUID, str]] = Counter()
    of_trace: Counter[UUID] = Counter()
    for part in batches(sorted({log.trace_row_id for log in coming})):
        rows = SpanLog.objects.filter(trace_row__in=part).order_by().values_list("trace_row_id", "span_id")
        for key, span_id, count in rows.annotate(count=Count("span_id")):
            of_span[key, span_id] = count
            of_trace[key] += count
    kept = []
    for log in coming:
        share = 2 if is_event(log) else 1
        if (
            of_span[log.trace_row_id, log.span_id] < settings.MAX_LOGS_PER_SPAN * share
            and of_trace[log.trace_row_id] < settings.MAX_LOGS_PER_TRACE * share
        ):
            of_span[log.trace_row_id, log.span_id] += 1
            of_trace[log.trace_row_id] += 1
            kept.append(log)
    return kept
