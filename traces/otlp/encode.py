"""Stored spans → OTLP: the exact inverse of `traces.otlp.decode`."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from spans.models import Span
from spans.values import TaggedMap, untag


def traces_data(trace_id: str, rows: Iterable[Span]) -> TracesData:
    """The spans of a trace in their order, those of one resource and scope together. No query but for deferred ones."""
    data = TracesData()
    resources: dict[bytes, ResourceSpans] = {}
    scopes: dict[tuple[bytes, bytes], ScopeSpans] = {}
    id_bytes = bytes.fromhex(trace_id)
    for row in rows:
        resource_key = orjson.dumps(row.resource)
        key = resource_key, orjson.dumps(row.scope)
        scope_spans = scopes.get(key)
        if scope_spans is None:
            resource_spans = resources.get(resource_key)
            if resource_spans is None:
                resource_spans = resources[resource_key] = data.resource_spans.add()
                encode_resource(resource_spans, row.resource)
            scope_spans = scopes[key] = resource_spans.scope_spans.add()
            encode_scope(scope_spans, row.scope)
        encode_span(scope_spans.spans.add(), id_bytes, row)
    return data


def encode_resource(message: ResourceSpans | ResourceLogs, stored: Mapping[str, Any]) -> None:
    resource = message.resource
    resource.SetInParent()
    encode_attributes(resource.attributes, stored.get("attributes", {}))
    resource.dropped_attributes_count = stored.get("dropped_attributes_count", 0)
    for ref in stored.get("entity_refs", []):
        resource.entity_refs.add(**ref)
    message.schema_url = stored.get("schema_url", "")


def encode_scope(message: ScopeSpans | ScopeLogs, stored: Mapping[str, Any]) -> None:
    scope = message.scope
    scope.SetInParent()
    scope.name = stored.get("name", "")
    scope.version = stored.get("version", "")
    encode_attributes(scope.attributes, stored.get("attributes", {}))
    scope.dropped_attributes_count = stored.get("dropped_attributes_count", 0)
    message.schema_url = stored.get("schema_url", "")


def encode_span(message: SpanMessage, trace_id: bytes, row: Span) -> None:
    message.trace_id = trace_id
    message.span_id = bytes.fromhex(row.span_id)
    message.parent_span_id = bytes.fromhex(row.parent_span_id)
    message.name = row.name
    message.kind = row.kind  # type: ignore[assignment]
    message.start_time_unix_nano = row.start_time_unix_nano
    message.end_time_unix_nano = row.end_time_unix_nano
    message.status.SetInParent()
    message.status.code = row.status_code  # type: ignore[assignment]
    message.status.message = row.status_message
    message.trace_state = row.trace_state
    message.flags = row.flags
    encode_attributes(message.attributes, row.attributes)
    message.dropped_attributes_count = row.dropped_attributes_count
    for event in row.events:
        encode_event(message.events.add(), event)
    message.dropped_events_count = row.dropped_events_count
    for link in row.links:
        encode_link(message.links.add(), link)
    message.dropped_links_count = row.dropped_links_count


def encode_event(message: SpanMessage.Event, stored: Mapping[str, Any]) -> None:
    message.name = stored.get("name", "")
    message.time_unix_nano = stored.get("time_unix_nano", 0)
    encode_attributes(message.attributes, stored.get("attributes", {}))
    message.dropped_attributes_count = stored.get("dropped_attributes_count", 0)


def encode_link(message: SpanMessage.Link, stored: Mapping[str, Any]) -> None:
    message.trace_id = bytes.fromhex(stored.get("trace_id", ""))
    message.span_id = bytes.fromhex(stored.get("span_id", ""))
    message.trace_state = stored.get("trace_state", "")
    encode_attributes(message.attributes, stored.get("attributes", {}))
    message.dropped_attributes_count = stored.get("dropped_attributes_count", 0)
    message.flags = stored.get("flags", 0)


def encode_attributes(target: "RepeatedCompositeFieldContainer[KeyValue]", attributes: Mapping[str, Any]) -> None:
    """Append the attributes; their values may carry the tags of `spans.values`."""
    for key, value in attributes.items():
        pair = target.add(key=key)
        encode_value(pair.value, untag(value))


def encode_value(message: AnyValue, value: Any) -> None:
    """Set an AnyValue from a value without tags."""
    if value is None:
        message.SetInParent()
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        message.int_value = value
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, bytes):
        message.bytes_value = value
    elif isinstance(value, list):
        message.array_value.SetInParent()
        for item in value:
            encode_value(message.array_value.values.add(), item)
    else:
        message.kvlist_value.SetInParent()
        items = value.items if isinstance(value, TaggedMap) else value
        for key, item in items.items():
            pair = message.kvlist_value.values.add(key=key)
            encode_value(pair.value, item)
