"""Bulk insert and replacement of spans: the only place that knows which database it talks to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.db import connection
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from spans.models import Span
from spans.records import SpanRecord

# Columns by how their values are written, each with where a SpanRecord has it
PLAIN: dict[str, str] = {
    "id": "id",
    "trace_row_id": "trace_row_id",
    "project_id": "project_id",
    "day": "day",
    "span_id": "span_id",
    "parent_span_id": "parent_span_id",
    "kind": "kind",
    "start_time_unix_nano": "start_time_unix_nano",
    "end_time_unix_nano": "end_time_unix_nano",
    "status_code": "status_code",
    "flags": "flags",
    "dropped_attributes_count": "dropped_attributes_count",
    "dropped_events_count": "dropped_events_count",
    "dropped_links_count": "dropped_links_count",
    "span_type": "span_type",
    "counted": "counted",
    "is_error": "is_error",
}
NULLABLE: dict[str, str] = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cached_input_tokens",
    "cost_usd": "cost_usd",
}
TEXT: dict[str, str] = {
    "name": "name",
    "status_message": "status_message",
    "trace_state": "trace_state",
    "service_name": "resource.service_name",
    "scope_name": "scope.name",
    "operation_name": "operation_name",
    "provider_name": "provider_name",
    "request_model": "request_model",
    "response_model": "response_model",
    "tool_name": "tool_name",
    "session_id": "session_id",
    "user_id": "user_id",
    "input_preview": "input_preview",
    "output_preview": "output_preview",
    "error_type": "error_type",
    "framework_trace_id": "framework_trace_id",
}
JSON: dict[str, str] = {
    "attributes": "attributes_json",
    "events": "events_json",
    "links": "links_json",
    "resource": "resource.json",
    "scope": "scope.json",
    "warnings": "warnings_json",
}
COLUMNS = (*PLAIN, *NULLABLE, *TEXT, *JSON)
# Below SQLite's limit on the parameters of a statement
IDS_A_QUERY = 5_000

Getter = Callable[[SpanRecord], tuple[Any, ...]]
_plain: Getter = attrgetter(*PLAIN.values())
_nullable: Getter = attrgetter(*NULLABLE.values())
_text: Getter = attrgetter(*TEXT.values())
_json: Getter = attrgetter(*JSON.values())
_names = ", ".join(COLUMNS)
_table = Span._meta.db_table

# What two versions of a span are compared by: the later end wins, then the longer content, then the greater text, so
# that the same one wins in whichever order they come.
_CONTENT = ("attributes", "events", "links", "name", "status_message")


def _version(end_time_unix_nano: int, status_code: int, content: Sequence[bytes]) -> tuple[object, ...]:
    return end_time_unix_nano, sum(map(len, content)), status_code, *content


def record_version(record: SpanRecord) -> tuple[object, ...]:
    """The rank of a record among versions of the same span; the greatest stays."""
    content = [record.attributes_json, record.events_json, record.links_json]
    return _version(
        record.end_time_unix_nano, record.status_code, [*content, record.name.encode(), record.status_message.encode()]
    )


@dataclass(slots=True)
class Written:
    """What became of the records: rows added, rows replaced by a later version, records that brought nothing new."""

    added: list[SpanRecord]
    replaced: list[SpanRecord]
    duplicates: int


def sort_out(records: Iterable[SpanRecord], look_up: bool) -> Written:
    """Decide what has to be written. The records' ids are unique; the caller holds their traces.

    One query by primary key for up to 5,000 records, which have their traces' days, and none where `look_up` is false
    because the traces are new.
    """
    by_id = {record.id: record for record in records}
    if not look_up:
        return Written(list(by_id.values()), [], 0)
    stored: dict[str, tuple[object, ...]] = {}
    texts = [Cast(name, TextField()) for name in _CONTENT]
    ordered = list(by_id.values())
    for start in range(0, len(ordered), IDS_A_QUERY):
        rows = _rows_of(ordered[start : start + IDS_A_QUERY])
        for id_, end, status_code, *content in rows.values_list("id", "end_time_unix_nano", "status_code", *texts):
            stored[id_.hex] = _version(end, status_code, [text.encode() for text in content])
    added = [record for id_, record in by_id.items() if id_ not in stored]
    replaced = [record for id_, record in by_id.items() if id_ in stored and record_version(record) > stored[id_]]
    return Written(added, replaced, len(by_id) - len(added) - len(replaced))


def _rows_of(records: Iterable[SpanRecord]) -> QuerySet[Span]:
    """The stored rows of these spans. Trace and day lead to the index of few partitions, and to few shards."""
    traces, days, ids = zip(*((record.trace_row_id, record.day, record.id) for record in records), strict=True)
    return Span.objects.filter(trace_row__in=set(traces), day__in=set(days), id__in=ids).order_by()


def write_spans(written: Written) -> None:
    """Store what `sort_out` decided, inside the caller's transaction: one DELETE of replaced rows, one bulk insert."""
    for start in range(0, len(written.replaced), IDS_A_QUERY):
        _rows_of(written.replaced[start : start + IDS_A_QUERY])._raw_delete(connection.alias)
    records = written.added + written.replaced
    if records:
        INSERT[connection.vendor](records)


def _copy(records: Sequence[SpanRecord]) -> None:
    """COPY in text format; the rows are encoded here and sent as one block."""
    block = b"".join([_copy_line(record) for record in records])
    with connection.cursor() as cursor, cursor.copy(f"COPY {_table} ({_names}) FROM STDIN") as copy:
        copy.write(block)


_COPY_HEAD = "\t".join(["%s"] * (len(PLAIN) + len(NULLABLE) + len(TEXT)))


def _copy_line(record: SpanRecord) -> bytes:
    """A row in COPY's text format. PostgreSQL documentation, COPY, "Text Format"."""
    nullable = ["\\N" if value is None else value for value in _nullable(record)]
    texts = _text(record)
    together = "".join(texts)
    if "\\" in together or not together.isprintable():
        texts = tuple([_escape(text) for text in texts])
    head = _COPY_HEAD % (*_plain(record), *nullable, *texts)
    # JSON has no raw control characters, so only its backslashes need escaping.
    tail = b"\t".join(_json(record)).replace(b"\\", b"\\\\")
    return b"%b\t%b\n" % (head.encode(), tail)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _executemany(records: Sequence[SpanRecord]) -> None:
    """Prepared INSERT a row. SQLite has no date and no decimal: text, as Django's fields read them."""
    marks = ", ".join(["%s"] * len(COLUMNS))
    rows = [
        [
            *(
                str(value) if isinstance(value, date | Decimal) else value
                for value in _plain(record) + _nullable(record)
            ),
            *_text(record),
            *(text.decode() for text in _json(record)),
        ]
        for record in records
    ]
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {_table} ({_names}) VALUES ({marks})", rows)  # noqa: S608


INSERT: dict[str, Callable[[Sequence[SpanRecord]], None]] = {"postgresql": _copy, "sqlite": _executemany}
