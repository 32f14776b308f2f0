"""Bounds of what is no attribute's value: names, ids, states, keys, resources and scopes. What is cut is warned of.

Lists, summaries and pages are made of them, so each has a few KB; the settings' MAX_FIELD_BYTES says how many.
"""

from typing import Any

from spans.limits import Cutter, Limits, counted, note
from spans.records import SpanRecord
from spans.short_texts import ELLIPSIS, distinct, shortened
from spans.values import dumps

# How much a resource or scope has in all, in multiples of a field
GROUP_FIELDS = 4
_TEXTS = ("name", "status_message", "trace_state", "parent_span_id")
_ITEM_TEXTS = {"events": ("name",), "links": ("trace_id", "span_id", "trace_state")}


def cut_texts(record: SpanRecord, limit: Limits) -> None:
    """Cut the span's own short texts. Nearly every record is done with one comparison."""
    texts = len(record.name) + len(record.status_message) + len(record.trace_state) + len(record.parent_span_id)
    if texts * 4 <= limit.field_bytes:
        return
    for field in _TEXTS:
        text = getattr(record, field)
        if (cut := shortened(text, limit.field_bytes)) is not text:
            setattr(record, field, cut)
            note(record, f"{field}: cut to {limit.field_bytes} bytes")


def may_have_long_fields(record: SpanRecord, limit: Limits) -> bool:
    most = limit.field_bytes
    return len(record.attributes_json) > most or len(record.events_json) > most or len(record.links_json) > most


def cut_fields(record: SpanRecord, limit: Limits) -> bool:
    """Cut keys of attributes, names of events, and ids and states of links. Returns whether there were any.

    A key that is cut ends in a digest of the whole, so that two stay apart.
    """
    most = limit.field_bytes
    changed = 0
    if len(record.attributes_json) > most and (count := _long_keys(record.attributes, most)):
        record.attributes = _with_short_keys(record.attributes, most)
        note(record, f"attributes: {counted(count, 'key')} cut to {most} bytes")
        changed += count
    for field in ("events", "links"):
        if len(getattr(record, f"{field}_json")) <= most:
            continue
        count = 0
        for item in getattr(record, field):
            for name in _ITEM_TEXTS[field]:
                if (cut := shortened(item.get(name, ""), most)) is not item.get(name, ""):
                    item[name] = cut
                    count += 1
            if attributes := item.get("attributes"):
                keys = _long_keys(attributes, most)
                if keys:
                    item["attributes"] = _with_short_keys(attributes, most)
                    count += keys
        if count:
            note(record, f"{field}: {counted(count, 'text')} cut to {most} bytes")
            changed += count
    return changed > 0


def _long_keys(attributes: dict[str, Any], limit_bytes: int) -> int:
    if max(map(len, attributes), default=0) * 4 <= limit_bytes:
        return 0
    return sum(distinct(key, limit_bytes) is not key for key in attributes)


def _with_short_keys(attributes: dict[str, Any], limit_bytes: int) -> dict[str, Any]:
    return {distinct(key, limit_bytes): value for key, value in attributes.items()}


def note_cut_ids(record: SpanRecord, limit: Limits) -> None:
    """Say on the span that its session's or user's id is longer than the column keeps; the attribute has it whole."""
    sure = limit.field_bytes // 2
    if len(record.session_id) + len(record.user_id) <= sure:
        return
    for field, text in (("session_id", record.session_id), ("user_id", record.user_id)):
        if len(text) > sure and text[-33:-32] == ELLIPSIS:
            note(record, f"{field}: cut to {len(text.encode())} bytes; its end is a digest of the whole")
            record.warnings_json = dumps(record.warnings)


def cut_group(stored: dict[str, Any], limit: Limits, warnings: list[str], what: str) -> bool:
    """Cut a resource or scope, in its stored form, which every span of the group carries: its values, and then its
    largest attributes, so that the others have at most so many bytes in all. Returns whether there was anything to cut.
    """
    most = limit.field_bytes
    noticed = len(warnings)
    cutter = Cutter(most, most)
    for key, value in stored.items():
        if key != "attributes":
            stored[key] = cutter.cut(value, True)
    attributes: dict[str, Any] = cutter.cut(stored.get("attributes", {}), True)
    sizes = {key: len(dumps(key)) + len(dumps(value)) + 2 for key, value in attributes.items()}
    left = GROUP_FIELDS * most
    kept = {key for key in sorted(sizes, key=sizes.__getitem__) if (left := left - sizes[key]) >= 0}
    if cutter.count:
        warnings.append(f"{what}: {counted(cutter.count, 'value')} cut to {most} bytes")
    if attributes:
        stored["attributes"] = {key: value for key, value in attributes.items() if key in kept}
    if len(kept) < len(attributes):
        dropped = len(attributes) - len(kept)
        stored["dropped_attributes_count"] = stored.get("dropped_attributes_count", 0) + dropped
        warnings.append(f"{what}: {counted(dropped, 'attribute')} beyond {GROUP_FIELDS * most} bytes dropped")
    if "entity_refs" in stored and len(dumps(stored["entity_refs"])) > GROUP_FIELDS * most:
        del stored["entity_refs"]
        warnings.append(f"{what}: references to entities dropped")
    return len(warnings) > noticed
