"""Stored log records → OTLP: the inverse of `traces.otlp.logs`, but for the name of an event.

A name that stood in the attribute `event.name` stands there again, and not in the field that later SDKs have for it.
"""

from collections.abc import Iterable

import orjson
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs

from spans.models import SpanLog
from spans.values import untag
from traces.otlp.encode import encode_attributes, encode_resource, encode_scope, encode_value
from traces.otlp.logs import EVENT_NAME


def logs_data(trace_id: str, rows: Iterable[SpanLog]) -> LogsData:
    """The log records of a trace in their order, those of one resource and scope together."""
    data = LogsData()
    resources: dict[bytes, ResourceLogs] = {}
    scopes: dict[tuple[bytes, bytes], ScopeLogs] = {}
    id_bytes = bytes.fromhex(trace_id)
    for row in rows:
        resource_key = orjson.dumps(row.resource)
        key = resource_key, orjson.dumps(row.scope)
        if key not in scopes:
            if resource_key not in resources:
                resources[resource_key] = data.resource_logs.add()
                encode_resource(resources[resource_key], row.resource)
            scopes[key] = resources[resource_key].scope_logs.add()
            encode_scope(scopes[key], row.scope)
        encode_log(scopes[key].log_records.add(), id_bytes, row)
    return data


def encode_log(message: LogRecord, trace_id: bytes, row: SpanLog) -> None:
    message.trace_id = trace_id
    message.span_id = bytes.fromhex(row.span_id)
    message.time_unix_nano = row.time_unix_nano
    message.observed_time_unix_nano = row.observed_time_unix_nano
    message.severity_number = row.severity_number  # type: ignore[assignment]
    message.severity_text = row.severity_text
    if row.attributes.get(EVENT_NAME) != row.name:
        message.event_name = row.name
    if row.body is not None:
        encode_value(message.body, untag(row.body))
    encode_attributes(message.attributes, row.attributes)
    message.dropped_attributes_count = row.dropped_attributes_count
    message.flags = row.flags
