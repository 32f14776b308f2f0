"""Bulk insert and replacement of spans: the only place that knows which database it talks to."""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import attrgetter
from typing import Any

import orjson
from django.db import connection
from django.db.models import BigIntegerField, BinaryField, Func, QuerySet
from django.db.models.expressions import Combinable

from spans.batches import batches
from spans.copy_rows import BLOCK_BYTES, COLUMNS, JSON, copy_blocks
from spans.models import Span
from spans.records import SpanRecord

EQUALS_A_QUERY = 500
_names = ", ".join(COLUMNS)
_table = Span._meta.db_table

# What two versions of a span are compared by: the later end wins, then the longer content, then the greater text, so
# that the same one wins in whichever order they come.
_CONTENT = ("attributes", "events", "links", "name", "status_message")


class _Bytes(Func):
    """How many bytes of UTF-8 a text has."""

    function = "OCTET_LENGTH"
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **context)


class _Utf8(Func):
    """A text as bytes of UTF-8."""

    template = "CONVERT_TO(%(expressions)s, 'UTF8')"
    output_field = BinaryField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="CAST(%(expressions)s AS BLOB)", **context)


_SIZE: Combinable = reduce(operator.add, (_Bytes(name) for name in _CONTENT))


def _content(record: SpanRecord) -> list[bytes]:
    content = [record.attributes_json, record.events_json, record.links_json]
    return [*content, record.name.encode(), record.status_message.encode()]


def _rank(record: SpanRecord) -> tuple[int, int, int]:
    """What decides between nearly all versions: without the content itself."""
    return record.end_time_unix_nano, sum(map(len, _content(record))), record.status_code


def record_version(record: SpanRecord) -> tuple[object, ...]:
    """The rank of a record among versions of the same span; the greatest stays."""
    return *_rank(record), *_content(record)


@dataclass(slots=True)
class Written:
    """What became of the records: rows added, rows replaced by a later version, records that brought nothing new."""

    added: list[SpanRecord]
    replaced: list[SpanRecord]
    duplicates: int


def sort_out(records: Iterable[SpanRecord]) -> Written:
    """Decide what has to be written. The records' ids are unique; the caller holds their traces.

    One query by primary key for up to 5,000 records, which have their traces' days, and one more for up to 500 that
    are as long as what is stored: only then the content is read, which is no more than the records have.
    """
    by_id = {record.id: record for record in records}
    stored: dict[str, tuple[int, int, int]] = {}
    for part in batches(by_id.values()):
        columns = _rows_of(part).values_list("id", "end_time_unix_nano", _SIZE, "status_code")
        stored |= {id_.hex: tuple(rank) for id_, *rank in columns}
    added: list[SpanRecord] = []
    replaced: list[SpanRecord] = []
    equal: list[SpanRecord] = []
    for id_, record in by_id.items():
        if id_ not in stored:
            added.append(record)
        elif (rank := _rank(record)) >= stored[id_]:
            (replaced if rank > stored[id_] else equal).append(record)
    for part in batches(equal, EQUALS_A_QUERY):
        for id_, *content in _rows_of(part).values_list("id", *map(_Utf8, _CONTENT)):
            record = by_id[id_.hex]
            if _content(record) > [bytes(text) for text in content]:
                replaced.append(record)
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
    """COPY in binary format; the rows are encoded here."""
    statement = f"COPY {_table} ({_names}) FROM STDIN (FORMAT binary)"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for block in copy_blocks(records):
            copy.write(block)


# Where a SpanRecord has the columns that it has under another name
_PLACES = {name: f"{name}_json" for name in JSON} | {
    "service_name": "resource.service_name",
    "resource": "resource.json",
    "scope_name": "scope.name",
    "scope": "scope.json",
}
_values = attrgetter(*(_PLACES.get(name, name) for name in COLUMNS))
# SQLite has no date and no decimal: as Django's fields read them. JSON goes as bytes, which as a text of Python's might
# take four times as much, and becomes text there.
_TEXT_OF: dict[type, Callable[[Any], str]] = {
    date: str,
    Decimal: str,
    dict: lambda value: orjson.dumps(value).decode(),
}
_BYTES = {*JSON, "resource", "scope"}


def _executemany(records: Sequence[SpanRecord]) -> None:
    """Prepared INSERT a row."""
    marks = ", ".join("CAST(%s AS TEXT)" if name in _BYTES else "%s" for name in COLUMNS)
    statement = f"INSERT INTO {_table} ({_names}) VALUES ({marks})"  # noqa: S608
    with connection.cursor() as cursor:
        for part in _portions(records):
            rows = [
                [
                    value if (text_of := _TEXT_OF.get(value.__class__)) is None else text_of(value)
                    for value in _values(record)
                ]
                for record in part
            ]
            cursor.executemany(statement, rows)


def _portions(records: Sequence[SpanRecord]) -> Iterator[Sequence[SpanRecord]]:
    """The records in runs of some BLOCK_BYTES or one record, whose payloads are in memory once more meanwhile."""
    first = size = 0
    for number, record in enumerate(records, 1):
        size += len(record.attributes_json) + len(record.events_json) + len(record.links_json)
        size += len(record.resource.json) + len(record.scope.json)
        if size >= BLOCK_BYTES:
            yield records[first:number]
            first, size = number, 0
    if first < len(records):
        yield records[first:]


INSERT: dict[str, Callable[[Sequence[SpanRecord]], None]] = {"postgresql": _copy, "sqlite": _executemany}
