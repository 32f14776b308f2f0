"""Builders of OTLP messages: a test names only what matters to it."""

import itertools
import time
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_numbers = itertools.count(1)


def new_trace_id() -> str:
    return f"{time.time_ns():016x}{next(_numbers):016x}"


def new_span_id() -> str:
    return f"{next(_numbers):016x}"


def any_value(value: Any) -> AnyValue:
    """An AnyValue of the matching type: dict becomes kvlist, list array, None the empty value."""
    message = AnyValue()
    if isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, int):
        message.int_value = value
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, bytes):
        message.bytes_value = value
    elif isinstance(value, list):
        message.array_value.SetInParent()
        message.array_value.values.extend(any_value(item) for item in value)
    elif isinstance(value, dict):
        message.kvlist_value.SetInParent()
        message.kvlist_value.values.extend(attributes(value))
    return message


def attributes(values: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def span(
    name: str = "span",
    *,
    trace_id: str | None = None,
    span_id: str | None = None,
    parent_span_id: str = "",
    start_ns: int = 1_700_000_000_000_000_000,
    duration_ns: int = 1_000_000,
    attrs: dict[str, Any] | None = None,
    **fields: Any,
) -> Span:
    """A valid OTLP span; ids are hex."""
    return Span(
        trace_id=bytes.fromhex(trace_id or new_trace_id()),
        span_id=bytes.fromhex(span_id or new_span_id()),
        parent_span_id=bytes.fromhex(parent_span_id),
        name=name,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + duration_ns,
        attributes=attributes(attrs or {}),
        **fields,
    )


def export_request(
    *spans: Span, service: str = "test-service", scope: str = "test-scope", resource: dict[str, Any] | None = None
) -> ExportTraceServiceRequest:
    """One request with one resource and one scope that hold the spans."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(attributes({"service.name": service} | (resource or {})))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.spans.extend(spans)
    return request


def log_record(
    name: str,
    *,
    trace_id: str,
    span_id: str,
    body: Any = None,
    attrs: dict[str, Any] | None = None,
    time_ns: int = 1_700_000_000_000_000_000,
    **fields: Any,
) -> LogRecord:
    """An OTLP log record, an event where it has a name; ids are hex."""
    return LogRecord(
        event_name=name,
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        time_unix_nano=time_ns,
        attributes=attributes(attrs or {}),
        body=None if body is None else any_value(body),
        **fields,
    )


def logs_request(*records: LogRecord) -> ExportLogsServiceRequest:
    """One request with one resource and one scope that hold the log records."""
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.extend(records)
    return request
