"""Spans as rows of PostgreSQL's binary COPY, which the server takes without parsing.

Source: PostgreSQL documentation, COPY, "Binary Format", and the receive functions of the columns' types.
"""

import datetime
import struct
from collections.abc import Iterable, Iterator
from decimal import Decimal
from operator import attrgetter

import orjson
from psycopg.types.numeric import DecimalBinaryDumper

from spans.columns import COUNTS, LABELS, MONEY, TEXTS
from spans.records import SpanRecord

FIXED = (
    "id", "trace_row_id", "project_id", "day", "kind", "start_time_unix_nano", "end_time_unix_nano", "status_code",
    "flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count", "counted", "is_error",
)  # fmt: skip
TEXT = ("span_id", "parent_span_id", "name", "status_message", "trace_state", *TEXTS)
JSON = ("attributes", "events", "links", "warnings")
# The same for all spans of a resource and scope
SHARED = ("service_name", "resource", "scope_name", "scope")
COLUMNS = (*FIXED, *COUNTS, *MONEY, *LABELS, *TEXT, *JSON, *SHARED)

BLOCK_BYTES = 1024 * 1024
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_EMPTY = bytes(4)
_NO_COUNTS = (None,) * len(COUNTS)
_NO_COUNTS_PACKED = _NULL * len(COUNTS)
# The number of fields, then each fixed field with its length before it
_pack_fixed = struct.Struct("!h i16s i16s iq ii ii iq iq ii iq iq iq iq i? i?").pack
_pack_bigint = struct.Struct("!iq").pack
_pack_length = struct.Struct("!i").pack
_EPOCH = datetime.date(2000, 1, 1).toordinal()

_counts = attrgetter(*COUNTS)
_texts = attrgetter(*TEXT)
_jsons = attrgetter(*(f"{name}_json" for name in JSON))
_dump_decimal = DecimalBinaryDumper(Decimal).dump


def copy_blocks(records: Iterable[SpanRecord]) -> Iterator[bytes]:
    """What COPY FROM STDIN (FORMAT binary) takes for these records, in the order of COLUMNS, in blocks of some 1 MB or
    one record: the resource that spans share is never in memory once for each.
    """
    parts = [_HEAD]
    append = parts.append
    size = 0
    shared: dict[tuple[int, int], bytes] = {}
    for record in records:
        append(_fixed(record))
        counts = _counts(record)
        if counts == _NO_COUNTS:
            append(_NO_COUNTS_PACKED)
        else:
            parts += [_NULL if number is None else _pack_bigint(8, number) for number in counts]
        append(_NULL if record.cost_usd is None else _field(bytes(_dump_decimal(record.cost_usd) or b"")))
        append(_NULL if record.labels is None else _field(orjson.dumps(record.labels)))
        for text in _texts(record):
            if text:
                data = text.encode()
                append(_pack_length(len(data)))
                append(data)
            else:
                append(_EMPTY)
        for data in _jsons(record):
            append(_pack_length(len(data)))
            append(data)
        of_group = id(record.resource), id(record.scope)
        if of_group not in shared:
            shared[of_group] = _shared(record)
        append(group := shared[of_group])
        size += len(group) + len(record.attributes_json) + len(record.events_json) + len(record.links_json)
        if size >= BLOCK_BYTES:
            yield b"".join(parts)
            parts.clear()
            size = 0
    append(_END)
    yield b"".join(parts)


def _fixed(record: SpanRecord) -> bytes:
    day = record.day.toordinal() - _EPOCH if record.day else 0
    return _pack_fixed(
        len(COLUMNS),
        16, bytes.fromhex(record.id),
        16, bytes.fromhex(record.trace_row_id),
        8, record.project_id,
        4, day,
        4, record.kind,
        8, record.start_time_unix_nano,
        8, record.end_time_unix_nano,
        4, record.status_code,
        8, record.flags,
        8, record.dropped_attributes_count,
        8, record.dropped_events_count,
        8, record.dropped_links_count,
        1, record.counted,
        1, record.is_error,
    )  # fmt: skip


def _field(data: bytes) -> bytes:
    return _pack_length(len(data)) + data


def _shared(record: SpanRecord) -> bytes:
    resource, scope = record.resource, record.scope
    values = (resource.service_name.encode(), resource.json, scope.name.encode(), scope.json)
    return b"".join(map(_field, values))
