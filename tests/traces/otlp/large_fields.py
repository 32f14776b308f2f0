"""Export requests that have one large field, for every field of the protocol that can be large."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.builders import attributes, export_request, log_record, logs_request, new_span_id, new_trace_id, span

LARGE_TYPES = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}
# What the conventions read: each on its way into a column, a preview or a page.
READ_ATTRIBUTES = (
    "session.id",
    "user.id",
    "input.value",
    "output.value",
    "gen_ai.tool.name",
    "gen_ai.request.model",
    "gen_ai.input.messages",
    "gen_ai.prompt.0.content",
    "llm.input_messages.0.message.content",
    "exception.message",
    "error.type",
    "traceId",
)


def whole_trace_request() -> ExportTraceServiceRequest:
    """A request in which every message of the protocol stands once."""
    one = span(trace_id=new_trace_id(), span_id=new_span_id(), attrs={"input.value": "hello"})
    event = one.events.add(name="exception")
    event.attributes.extend(attributes({"exception.type": "E"}))
    one.links.add(trace_id=b"t" * 16, span_id=b"s" * 8).attributes.extend(attributes({"a": "b"}))
    one.status.code = 2
    request = export_request(one)
    group = request.resource_spans[0]
    group.resource.entity_refs.add(type="host", id_keys=["host.id"])
    group.scope_spans[0].scope.attributes.extend(attributes({"a": "b"}))
    return request


def whole_logs_request() -> ExportLogsServiceRequest:
    record = log_record("gen_ai.choice", trace_id=new_trace_id(), span_id=new_span_id(), body="b", attrs={"a": "b"})
    request = logs_request(record)
    request.resource_logs[0].resource.attributes.extend(attributes({"service.name": "s"}))
    request.resource_logs[0].scope_logs[0].scope.name = "scope"
    return request


def large_fields(descriptor: Descriptor, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every string and bytes field; of values within values only the first level."""
    for field in descriptor.fields:
        here = (*path, field.name)
        if field.message_type is None:
            if field.type in LARGE_TYPES:
                yield here
        elif descriptor is not AnyValue.DESCRIPTOR and field.name != "profiles":
            yield from large_fields(field.message_type, here)


def with_large_field(request: Message, path: tuple[str, ...], text: str) -> Message:
    """The request with that field set, in the first of each repeated message on the way."""
    *way, name = path
    message: Any = request
    for step in way:
        message = getattr(message, step)
        if hasattr(message, "add"):
            message = message[0] if len(message) else message.add()
    field = message.DESCRIPTOR.fields_by_name[name]
    value: Any = text if field.type == FieldDescriptor.TYPE_STRING else text.encode()
    if field.is_repeated:
        getattr(message, name).append(value)
    else:
        setattr(message, name, value)
    return request


def requests_with(text: str) -> Iterator[tuple[str, str, Message]]:
    """Name, path and message of a request for each field."""
    for path in large_fields(ExportTraceServiceRequest.DESCRIPTOR):
        yield ".".join(path), "/v1/traces", with_large_field(whole_trace_request(), path, text)
    for path in large_fields(ExportLogsServiceRequest.DESCRIPTOR):
        yield ".".join(path), "/v1/logs", with_large_field(whole_logs_request(), path, text)
    for key in READ_ATTRIBUTES:
        request = whole_trace_request()
        request.resource_spans[0].scope_spans[0].spans[0].attributes.extend(attributes({key: text}))
        yield f"span attribute {key}", "/v1/traces", request
    for key in ("service.name", "session.id"):
        yield f"resource attribute {key}", "/v1/traces", export_request(span(), resource={key: text})
    for key in ("exception.message", "exception.stacktrace"):
        request = whole_trace_request()
        request.resource_spans[0].scope_spans[0].spans[0].events[0].attributes.extend(attributes({key: text}))
        yield f"event attribute {key}", "/v1/traces", request
