"""Cutting records that are over a limit: what is lost is counted where OTLP counts it, and said in a warning."""

import time
from typing import Any, NamedTuple

from django.conf import settings

from spans.records import SpanRecord
from spans.short_texts import distinct
from spans.timestamps import CLOCK_AHEAD_NS
from spans.values import TaggedMap


class Limits(NamedTuple):
    """What a span may hold: the first so many of each, values of so many bytes, times up to this one, and short texts
    (`spans.field_limits`) of so many bytes.
    """

    attributes: int
    events: int
    links: int
    value_bytes: int
    time_unix_nano: int
    field_bytes: int


def limits() -> Limits:
    """The limits as they are set. Asked for once a request, since Django's settings are slow to read."""
    return Limits(
        settings.MAX_ATTRIBUTES_PER_SPAN,
        settings.MAX_EVENTS_PER_SPAN,
        settings.MAX_LINKS_PER_SPAN,
        settings.MAX_ATTRIBUTE_VALUE_BYTES,
        time.time_ns() + CLOCK_AHEAD_NS,
        settings.MAX_FIELD_BYTES,
    )


def cut_counts(record: SpanRecord, limit: Limits) -> None:
    """Keep the first attributes, events and links up to their limits; the dropped counts grow by the others."""
    if len(record.attributes) > limit.attributes:
        kept = dict(list(record.attributes.items())[: limit.attributes])
        dropped = len(record.attributes) - len(kept)
        record.attributes = kept
        record.dropped_attributes_count += dropped
        note(record, f"attributes: {dropped} over the limit of {limit.attributes} dropped")
    if len(record.events) > limit.events:
        dropped = len(record.events) - limit.events
        record.events = record.events[: limit.events]
        record.dropped_events_count += dropped
        note(record, f"events: {dropped} over the limit of {limit.events} dropped")
    if len(record.links) > limit.links:
        dropped = len(record.links) - limit.links
        record.links = record.links[: limit.links]
        record.dropped_links_count += dropped
        note(record, f"links: {dropped} over the limit of {limit.links} dropped")


def counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def may_have_long_values(record: SpanRecord, limit: Limits) -> bool:
    """A JSON text is at least as long as each of its values, so nearly every record is done with three comparisons."""
    most = limit.value_bytes
    return len(record.attributes_json) > most or len(record.events_json) > most or len(record.links_json) > most


def cut_values(record: SpanRecord, limit: Limits) -> bool:
    """Cut strings and bytes over the limit, at any depth. Returns whether there were any."""
    changed = False
    for field in ("attributes", "events", "links"):
        cutter = Cutter(limit.value_bytes, limit.field_bytes)
        value = cutter.cut(getattr(record, field), field == "attributes")
        if cutter.count:
            setattr(record, field, value)
            changed = True
            note(record, f"{field}: {counted(cutter.count, 'value')} cut to {limit.value_bytes} bytes")
    return changed


def note(record: SpanRecord, warning: str) -> None:
    record.warnings.append(warning)
    record.cut = True


class Cutter:
    def __init__(self, limit_bytes: int, key_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.key_bytes = key_bytes
        self.count = 0

    def cut(self, value: Any, is_value: bool) -> Any:
        """The value, or its cut copy. Of events and links only the attributes are values, not names and ids."""
        if isinstance(value, str):
            if is_value and len(value) * 4 > self.limit_bytes:
                encoded = value.encode("utf-8", "surrogatepass")
                if len(encoded) > self.limit_bytes:
                    self.count += 1
                    return encoded[: self.limit_bytes].decode("utf-8", "ignore")
        elif isinstance(value, bytes):
            if is_value and len(value) > self.limit_bytes:
                self.count += 1
                return value[: self.limit_bytes]
        elif isinstance(value, list):
            return [self.cut(item, is_value) for item in value]
        elif isinstance(value, TaggedMap):
            return TaggedMap({self.cut_key(key): self.cut(item, True) for key, item in value.items.items()})
        elif isinstance(value, dict):
            if is_value:
                return {self.cut_key(key): self.cut(item, True) for key, item in value.items()}
            return {key: self.cut(item, key == "attributes") for key, item in value.items()}
        return value

    def cut_key(self, key: str) -> str:
        short = distinct(key, self.key_bytes)
        self.count += short is not key
        return short
