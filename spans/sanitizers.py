"""Repairs of a record before it is stored: each leaves a warning, none drops a span."""

from spans import values
from spans.field_limits import cut_fields, cut_texts, may_have_long_fields
from spans.keys import INVALID_SPAN_ID
from spans.limits import Limits, cut_counts, cut_values, may_have_long_values
from spans.records import SpanRecord
from spans.timestamps import YEAR_2000_UNIX_NANO, ahead_ns, format_duration

# PostgreSQL's text takes no U+0000, so it is replaced everywhere, in the same way on every database.
NUL = "\x00"
NUL_REPLACEMENT = "\ufffd"
ESCAPED_NUL = b"\\u0000"


def replace_nul(value: object) -> object:
    """The value with every U+0000 in its strings and keys replaced, at any depth that a codec accepts."""
    if isinstance(value, str):
        return value.replace(NUL, NUL_REPLACEMENT)
    if isinstance(value, list):
        return [replace_nul(item) for item in value]
    if isinstance(value, dict):
        return {replace_nul(key): replace_nul(item) for key, item in value.items()}
    if isinstance(value, values.TaggedMap):
        return values.TaggedMap({str(replace_nul(key)): replace_nul(item) for key, item in value.items.items()})
    return value


def encode_without_nul(value: object, warnings: list[str], field: str) -> bytes:
    """The JSON text of a value, U+0000 replaced and warned of. One pass where there is none."""
    text = values.dumps(value)
    if ESCAPED_NUL in text:
        replaced = values.dumps(replace_nul(value))
        if replaced != text:
            warnings.append(f"{field}: NUL characters replaced by U+FFFD")
        return replaced
    return text


def _replace_nul_in_texts(record: SpanRecord) -> None:
    for field in ("name", "status_message", "trace_state"):
        text = getattr(record, field)
        if NUL in text:
            setattr(record, field, text.replace(NUL, NUL_REPLACEMENT))
            record.warnings.append(f"{field}: NUL characters replaced by U+FFFD")


def _encode_json(record: SpanRecord) -> None:
    """Sets the JSON texts, and where NUL was replaced the values too, so that every derived text is free of it."""
    warnings = record.warnings
    noticed = len(warnings)
    record.attributes_json = encode_without_nul(record.attributes, warnings, "attributes")
    if record.events:
        record.events_json = encode_without_nul(record.events, warnings, "events")
    if record.links:
        record.links_json = encode_without_nul(record.links, warnings, "links")
    if len(warnings) > noticed:
        record.attributes = replace_nul(record.attributes)  # type: ignore[assignment]
        record.events = [replace_nul(event) for event in record.events]  # type: ignore[misc]
        record.links = [replace_nul(link) for link in record.links]  # type: ignore[misc]


def _check_parent(record: SpanRecord) -> None:
    parent = record.parent_span_id
    if not parent:
        return
    if parent == record.span_id:
        record.warnings.append("the span names itself as its parent")
    elif len(parent) != 16:
        record.warnings.append(f"parent span id has {len(parent) // 2} bytes instead of 8")
    elif parent == INVALID_SPAN_ID:
        record.warnings.append("parent span id is all zero; treated as a root")


def _check_times(record: SpanRecord, limit: Limits) -> None:
    start, end = record.start_time_unix_nano, record.end_time_unix_nano
    if end == 0:
        record.warnings.append("the span has no end time")
    elif start < YEAR_2000_UNIX_NANO <= end:
        record.warnings.append("the start time lies before the year 2000; durations leave it out")
    elif end < start:
        record.warnings.append("the span ends before it starts")
    latest = limit.time_unix_nano
    if start > latest or end > latest:
        ahead = format_duration(ahead_ns(max(start, end)))
        record.warnings.append(f"sent {ahead} before its own time: the sender's clock is ahead")


def sanitize(record: SpanRecord, limit: Limits) -> None:
    """Run every repair, in order. Afterwards the record's JSON texts are set and the database can store all of it."""
    cut_counts(record, limit)
    cut_texts(record, limit)
    if NUL in record.name or NUL in record.status_message or NUL in record.trace_state:
        _replace_nul_in_texts(record)
    _encode_json(record)
    has_cut = may_have_long_fields(record, limit) and cut_fields(record, limit)
    if (may_have_long_values(record, limit) and cut_values(record, limit)) or has_cut:
        _encode_json(record)
    _check_parent(record)
    _check_times(record, limit)
    if record.warnings:
        record.warnings_json = values.dumps(record.warnings)
