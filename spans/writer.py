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

from spans.batches import batches
from spans.copy_rows import COLUMNS, JSON, copy_block
from spans.models import Span
from spans.records import SpanRecord

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


def sort_out(records: Iterable[SpanRecord]) -> Written:
    """Decide what has to be written. The records' ids are unique; the caller holds their traces.

    One query by primary key for up to 5,000 records, which have their traces' days.
    """
    by_id = {record.id: record for record in records}
    stored: dict[str, tuple[object, ...]] = {}
    texts = [Cast(name, TextField()) for name in _CONTENT]
    for part in batches(by_id.values()):
        rows = _rows_of(part)
        for id_, end, status_code, *content in rows.values_list("id", "end_time_unix_nano", "status_code", *texts):
            stored[id_.hex] = _version(end, status_code, [text.encode() for text in content])
    added = [record for id_, record in by_id.items() if id_ not in stored]
    replaced = [record for id_, record in by_id.items() if id_ in stored and record_version(record) > stored[id_]]
    return Written(added, replaced, len(by_id) - len(added) - len(replaced))


def _rows_of(records: Iterable[SpanRecord]) -> QuerySet[Span]:
    """The stored rows of these spans, whose days lead to few partitions."""
    traces, days, ids = zip(*((record.trace_row_id, record.day, record.id) for record in records), strict=True)
    return rows_by_key(traces, ids).filter(day__in=set(days))


def rows_by_key(traces: Iterable[Any], ids: Sequence[Any]) -> QuerySet[Span]:
    """The spans with these keys, which are of these traces.

    The traces lead PostgreSQL to its index and to few shards; SQLite's key is the id, and it would try every pair.
    """
    rows = Span.objects.filter(id__in=ids).order_by()
    return rows.filter(trace_row__in=set(traces)) if connection.vendor == "postgresql" else rows


def write_spans(written: Written) -> None:
    """Store what `sort_out` decided, inside the caller's transaction: one DELETE of replaced rows, one bulk insert."""
    for part in batches(written.replaced):
        _rows_of(part)._raw_delete(connection.alias)
    records = written.added + written.replaced
    if records:
        INSERT[connection.vendor](records)


def _copy(records: Sequence[SpanRecord]) -> None:
    """COPY in binary format; the rows are encoded here and sent as one block."""
    statement = f"COPY {_table} ({_names}) FROM STDIN (FORMAT binary)"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(copy_block(records))


# Where a SpanRecord has the columns that it has under another name
_PLACES = {name: f"{name}_json" for name in JSON} | {
    "service_name": "resource.service_name",
    "resource": "resource.json",
    "scope_name": "scope.name",
    "scope": "scope.json",
}
_values = attrgetter(*(_PLACES.get(name, name) for name in COLUMNS))
# SQLite has no date and no decimal, and JSON is text: as Django's fields read them.
_TEXT_OF: dict[type, Callable[[Any], str]] = {bytes: bytes.decode, date: str, Decimal: str}


def _executemany(records: Sequence[SpanRecord]) -> None:
    """Prepared INSERT a row."""
    marks = ", ".join(["%s"] * len(COLUMNS))
    rows = [
        [value if (text_of := _TEXT_OF.get(value.__class__)) is None else text_of(value) for value in _values(record)]
        for record in records
    ]
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {_table} ({_names}) VALUES ({marks})", rows)  # noqa: S608


INSERT: dict[str, Callable[[Sequence[SpanRecord]], None]] = {"postgresql": _copy, "sqlite": _executemany}
