"""OTLP messages → records: one function a message. Every attribute is touched once.

Source: opentelemetry-proto ac2c4b5d, trace.proto, common.proto and resource.proto.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, EntityRef, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from spans import values
from spans.field_limits import cut_group
from spans.limits import Limits, limits
from spans.records import ResourceRecord, ScopeRecord, SpanRecord
from spans.sanitizers import ESCAPED_NUL, encode_without_nul, replace_nul
from spans.short_texts import shortened
from spans.values import Attributes, NonFinite, TaggedMap
from traces.otlp.errors import too_many

INVALID_TRACE_ID = "trace_id is not 16 bytes or all zero"
INVALID_SPAN_ID = "span_id is not 8 bytes or all zero"
TIME_OUT_OF_RANGE = "start or end time is 2**63 nanoseconds or later"

_ZERO_TRACE_ID = bytes(16)
_ZERO_SPAN_ID = bytes(8)
_END_OF_TIME = 2**63
_PLAIN_KINDS = frozenset(("string_value", "int_value", "bool_value", "bytes_value"))

# How much of the rejected spans of one request and reason is kept
KEPT_BYTES = 1024 * 1024
# Every span is stored with its resource and scope: so many times the largest body for all of a request.
GROUP_BODIES = 4


@dataclass(slots=True)
class Rejection:
    """Spans that are not stored, and why; the first of them, up to KEPT_BYTES, as they came."""

    reason: str
    count: int = 0
    kept_count: int = field(default=0, compare=False)
    kept_bytes: int = field(default=0, compare=False)
    kept: ExportTraceServiceRequest = field(default_factory=ExportTraceServiceRequest, compare=False)
    _group: tuple[ResourceSpans, ScopeSpans] | None = field(default=None, compare=False)

    def add(self, resource_spans: ResourceSpans, scope_spans: ScopeSpans, span: Span) -> None:
        self.count += 1
        if self.kept_bytes > KEPT_BYTES:
            return
        if self._group is None or self._group[0] is not resource_spans or self._group[1] is not scope_spans:
            self.kept_bytes += resource_spans.resource.ByteSize() + scope_spans.scope.ByteSize()
            self.kept_bytes += len(resource_spans.schema_url) + len(scope_spans.schema_url)
            if self.kept_bytes > KEPT_BYTES:
                return
            self._group = (resource_spans, scope_spans)
            group = self.kept.resource_spans.add(schema_url=resource_spans.schema_url)
            group.resource.CopyFrom(resource_spans.resource)
            group.scope_spans.add(schema_url=scope_spans.schema_url).scope.CopyFrom(scope_spans.scope)
        self.kept_bytes += span.ByteSize()
        if self.kept_bytes <= KEPT_BYTES:
            self.kept.resource_spans[-1].scope_spans[0].spans.append(span)
            self.kept_count += 1


@dataclass(slots=True)
class Decoded:
    """The records of a request in its order, and what it holds that is no valid span."""

    records: list[SpanRecord] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)


class _Elements(threading.local):
    """How many attributes and values of lists this thread has decoded."""

    count = 0


_elements = _Elements()


def decode(parts: Iterable[ExportTraceServiceRequest]) -> Decoded:
    """Every span of the request, as a record or counted as rejected. Raises OtlpError (413) at the request's limits."""
    records: list[SpanRecord] = []
    rejected: dict[str, Rejection] = {}
    max_spans, max_elements = settings.MAX_SPANS_PER_REQUEST, settings.MAX_ELEMENTS_PER_REQUEST
    max_group_bytes = GROUP_BODIES * settings.MAX_BODY_BYTES
    limit = limits()
    resources = spans_seen = group_bytes = 0
    _elements.count = 0
    for resource_spans in chain.from_iterable(part.resource_spans for part in parts):
        resources += 1
        if resources > settings.MAX_RESOURCES_PER_REQUEST:
            raise too_many(settings.MAX_RESOURCES_PER_REQUEST, "resources")
        resource: ResourceRecord | None = None
        for scope_spans in resource_spans.scope_spans:
            spans = scope_spans.spans
            if not spans:
                continue
            if resource is None:
                resource_warnings: list[str] = []
                resource = decode_resource(resource_spans, resource_warnings, limit)
            warnings = resource_warnings.copy()
            scope = decode_scope(scope_spans, warnings, limit)
            group_bytes += (len(resource.json) + len(scope.json)) * len(spans)
            if group_bytes > max_group_bytes:
                raise too_many(max_group_bytes, "bytes of resources and scopes, which each span has")
            is_cut = resource.cut or scope.cut
            spans_seen += len(spans)
            if spans_seen > max_spans:
                raise too_many(max_spans, "spans")
            for span in spans:
                record = decode_span(span, resource, scope)
                if _elements.count + spans_seen > max_elements:
                    raise too_many(max_elements, "spans, events, links, attributes and values")
                if isinstance(record, str):
                    rejected.setdefault(record, Rejection(record)).add(resource_spans, scope_spans, span)
                else:
                    if warnings:
                        record.warnings.extend(warnings)
                        record.cut = is_cut
                    records.append(record)
    return Decoded(records, list(rejected.values()))


def decode_resource(resource_spans: ResourceSpans | ResourceLogs, warnings: list[str], limit: Limits) -> ResourceRecord:
    """The resource of a group of spans, with its JSON; what had to be replaced or cut goes to the warnings."""
    message = resource_spans.resource
    attributes = decode_attributes(message.attributes)
    stored: dict[str, Any] = {}
    if attributes:
        stored["attributes"] = attributes
    if message.dropped_attributes_count:
        stored["dropped_attributes_count"] = message.dropped_attributes_count
    if resource_spans.schema_url:
        stored["schema_url"] = resource_spans.schema_url
    if message.entity_refs:
        stored["entity_refs"] = [decode_entity_ref(ref) for ref in message.entity_refs]
    text, cut = _encode(stored, warnings, "resource", limit)
    return ResourceRecord(
        attributes=stored.get("attributes", {}),
        dropped_attributes_count=stored.get("dropped_attributes_count", 0),
        schema_url=stored.get("schema_url", ""),
        entity_refs=stored.get("entity_refs", []),
        json=text,
        service_name=shortened(_service_name(stored.get("attributes", {})), limit.field_bytes),
        cut=cut,
    )


def decode_entity_ref(message: EntityRef) -> dict[str, Any]:
    return {
        "schema_url": message.schema_url,
        "type": message.type,
        "id_keys": list(message.id_keys),
        "description_keys": list(message.description_keys),
    }


def decode_scope(scope_spans: ScopeSpans | ScopeLogs, warnings: list[str], limit: Limits) -> ScopeRecord:
    """The scope of a group of spans, with its JSON; what had to be replaced or cut goes to the warnings."""
    message: InstrumentationScope = scope_spans.scope
    stored: dict[str, Any] = {}
    if message.name:
        stored["name"] = message.name
    if message.version:
        stored["version"] = message.version
    if message.attributes:
        stored["attributes"] = decode_attributes(message.attributes)
    if message.dropped_attributes_count:
        stored["dropped_attributes_count"] = message.dropped_attributes_count
    if scope_spans.schema_url:
        stored["schema_url"] = scope_spans.schema_url
    text, cut = _encode(stored, warnings, "scope", limit)
    return ScopeRecord(**stored, json=text, cut=cut)


def decode_span(span: Span, resource: ResourceRecord, scope: ScopeRecord) -> SpanRecord | str:
    """The record of a span, or the reason why it is invalid."""
    trace_id = span.trace_id
    span_id = span.span_id
    start = span.start_time_unix_nano
    end = span.end_time_unix_nano
    if len(trace_id) != 16 or trace_id == _ZERO_TRACE_ID:
        return INVALID_TRACE_ID
    if len(span_id) != 8 or span_id == _ZERO_SPAN_ID:
        return INVALID_SPAN_ID
    if start >= _END_OF_TIME or end >= _END_OF_TIME:
        return TIME_OUT_OF_RANGE
    status = span.status
    return SpanRecord(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        name=span.name,
        kind=span.kind,
        start_time_unix_nano=start,
        end_time_unix_nano=end,
        status_code=status.code,
        status_message=status.message,
        trace_state=span.trace_state,
        flags=span.flags,
        attributes=decode_attributes(span.attributes),
        dropped_attributes_count=span.dropped_attributes_count,
        events=[decode_event(event) for event in span.events],
        dropped_events_count=span.dropped_events_count,
        links=[decode_link(link) for link in span.links],
        dropped_links_count=span.dropped_links_count,
        resource=resource,
        scope=scope,
    )


def decode_event(message: Span.Event) -> dict[str, Any]:
    _elements.count += 1
    event: dict[str, Any] = {"name": message.name, "time_unix_nano": message.time_unix_nano}
    if message.attributes:
        event["attributes"] = decode_attributes(message.attributes)
    if message.dropped_attributes_count:
        event["dropped_attributes_count"] = message.dropped_attributes_count
    return event


def decode_link(message: Span.Link) -> dict[str, Any]:
    _elements.count += 1
    link: dict[str, Any] = {"trace_id": message.trace_id.hex(), "span_id": message.span_id.hex()}
    if message.trace_state:
        link["trace_state"] = message.trace_state
    if message.attributes:
        link["attributes"] = decode_attributes(message.attributes)
    if message.dropped_attributes_count:
        link["dropped_attributes_count"] = message.dropped_attributes_count
    if message.flags:
        link["flags"] = message.flags
    return link


def decode_attributes(pairs: Sequence[KeyValue]) -> Attributes:
    """Keys and values; of equal keys the last one wins."""
    _elements.count += len(pairs)
    # Most values are strings, and only a non-empty one is there without asking which kind is set.
    return {pair.key: (value := pair.value).string_value or decode_value(value) for pair in pairs}


def decode_value(message: AnyValue) -> Any:
    """The value as `spans.values` has it. Recursion is bounded by the depth that `codec.parse` accepts."""
    kind = message.WhichOneof("value")
    if kind in _PLAIN_KINDS:
        return getattr(message, kind)
    if kind is None or kind == "string_value_strindex":  # an index into a table that only profiles have
        return None
    if kind == "double_value":
        number = message.double_value
        return number if number - number == 0 else NonFinite(number)
    if kind == "array_value":
        items = [decode_value(item) for item in message.array_value.values]
        _elements.count += len(items)
        return items
    pairs = decode_attributes(message.kvlist_value.values)
    return TaggedMap(pairs) if any(key.startswith("$") for key in pairs) else pairs


def _encode(stored: dict[str, Any], warnings: list[str], field: str, limit: Limits) -> tuple[bytes, bool]:
    """The JSON text of what is stored, and whether a limit took something from it.

    Where U+0000 was in it, both are without it afterwards; a warning says so, or what was cut.
    """
    text = values.dumps(stored)
    cut = len(text) > limit.field_bytes and cut_group(stored, limit, warnings, field)
    if cut or ESCAPED_NUL in text:
        noticed = len(warnings)
        text = encode_without_nul(stored, warnings, field)
        if len(warnings) > noticed:
            stored.update({key: replace_nul(item) for key, item in stored.items()})
    return text, cut


def _service_name(attributes: Attributes) -> str:
    """The resource's service.name as text: "" where it has none, JSON where it is no string."""
    name = attributes.get("service.name")
    if name is None:
        return ""
    return name if isinstance(name, str) else values.dumps(name).decode()
