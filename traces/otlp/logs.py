"""The one ingest function for log records: those of a span are stored, all others acknowledged and counted.

Source: opentelemetry-proto ac2c4b5d, logs.proto; semantic conventions v1.38.0, docs/gen-ai/gen-ai-events.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from time import perf_counter
from typing import Any

from django import db
from django.conf import settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from projects.models import Project
from spans import values
from spans.keys import log_row_key, trace_row_key
from spans.limits import Cutter, Limits, counted, limits
from spans.models import SpanLog
from spans.records import ResourceRecord, ScopeRecord
from spans.sanitizers import encode_without_nul
from spans.semconv.evaluation import EVALUATION_EVENT
from spans.short_texts import shortened
from traces.ingest.counters import count_log_records
from traces.ingest.database_faults import leave_read_only_session
from traces.ingest.receipts import open_receipt, write_receipts
from traces.ingest.span_logs import StoredLogs, store_logs
from traces.ingest.store import Arrival, store
from traces.models import ExportReceipt, ReceiptStatus
from traces.otlp.decode import decode_attributes, decode_resource, decode_scope, decode_value
from traces.otlp.errors import too_many
from traces.upkeep import tombstones

# Where SDKs put the name before log records had a field for it
EVENT_NAME = "event.name"
# What Rust's bridge puts into that field: the place in the source
SOURCE_PLACE = "event "
TIME_OUT_OF_RANGE = "time is 2**63 nanoseconds or later"
_END_OF_TIME = 2**63
_ZERO_TRACE_ID = bytes(16)
_ZERO_SPAN_ID = bytes(8)


@dataclass(slots=True)
class DecodedLogs:
    """The log records of spans in a request, how many others it has, and how many have a time out of range."""

    logs: list[SpanLog] = field(default_factory=list)
    ignored: int = 0
    rejected: int = 0

    def counts(self, stored: StoredLogs) -> dict[str, int]:
        """What became of the records."""
        found = {
            "added": stored.added,
            "duplicate": len(self.logs) - stored.added - stored.over_limit - stored.deleted,
            "rejected": self.rejected + stored.deleted,
            "ignored": self.ignored,
        }
        return found | ({"over_limit": stored.over_limit} if stored.over_limit else {})

    def rejections(self, stored: StoredLogs) -> list[tuple[str, int]]:
        """Why records were rejected, and how many."""
        reasons = [(TIME_OUT_OF_RANGE, self.rejected), (tombstones.reason(), stored.deleted)]
        return [(reason, count) for reason, count in reasons if count]


def export_logs(
    parts: Iterable[ExportLogsServiceRequest], project: Project, receipt: ExportReceipt | None = None
) -> ExportLogsServiceResponse:
    """Store the log records of a request that are of spans, which comes in parts, with the request's receipt, and bring
    what is known of their spans up to date.

    On return they are committed. Raises OtlpError if the request is over a limit, django.db.Error where the database is
    at fault; then none of them is stored.
    A record without a valid trace id and span id belongs to no span, as logs.proto says, and is only counted; but for
    an evaluation, which may be of a whole trace.
    """
    started = perf_counter()
    receipt = receipt or open_receipt(project.pk, ExportReceipt.Transport.IMPORT, signal=ExportReceipt.Signal.LOGS)
    decoded = decode_logs(parts, project.pk)

    def fill(stored: StoredLogs) -> None:
        receipt.records = decoded.counts(stored)
        receipt.duration_ms = round((perf_counter() - started) * 1000, 3)
        if rejections := decoded.rejections(stored):
            receipt.status = ReceiptStatus.PARTIAL
            receipt.rejections = [{"reason": reason, "count": count} for reason, count in rejections]
            receipt.message = "; ".join(f"{count} log record(s) rejected: {reason}" for reason, count in rejections)

    def finish(stored: StoredLogs) -> None:
        fill(stored)
        write_receipts([receipt])

    try:
        if decoded.logs:
            store_logs(decoded.logs, finish)
        else:
            store(Arrival(project.pk, [], receipt, finish=lambda stored: fill(StoredLogs())))
    except db.Error as error:
        leave_read_only_session(error)
        raise
    records = receipt.records or {}
    count_log_records(records)
    response = ExportLogsServiceResponse()
    if records.get("rejected"):
        response.partial_success.rejected_log_records = records["rejected"]
        response.partial_success.error_message = receipt.message
    return response


def decode_logs(parts: Iterable[ExportLogsServiceRequest], project_id: int) -> DecodedLogs:
    """Every record of the request, as an unsaved row or counted. Raises OtlpError (413) at the request's limit."""
    decoded = DecodedLogs()
    limit = limits()
    limit = limit._replace(value_bytes=min(limit.value_bytes, settings.MAX_LOG_VALUE_BYTES))
    for resource_logs in chain.from_iterable(part.resource_logs for part in parts):
        resource: ResourceRecord | None = None
        for scope_logs in resource_logs.scope_logs:
            scope: ScopeRecord | None = None
            for record in scope_logs.log_records:
                name = event_name(record)
                if not _is_of_span(record, name):
                    decoded.ignored += 1
                elif max(record.time_unix_nano, record.observed_time_unix_nano) >= _END_OF_TIME:
                    decoded.rejected += 1
                elif len(decoded.logs) >= settings.MAX_SPANS_PER_REQUEST:
                    raise too_many(settings.MAX_SPANS_PER_REQUEST, "log records of spans")
                else:
                    resource = resource or decode_resource(resource_logs, [], limit)
                    scope = scope or decode_scope(scope_logs, [], limit)
                    log = decode_log(record, name, project_id, len(decoded.logs), limit)
                    log.resource, log.scope = resource.json.decode(), scope.json.decode()
                    decoded.logs.append(log)
    return decoded


def event_name(record: LogRecord) -> str:
    """The name of the event, from its field or, where that has none or a place in the source, from its attributes."""
    if record.event_name and not record.event_name.startswith(SOURCE_PLACE):
        return record.event_name
    return next((pair.value.string_value for pair in record.attributes if pair.key == EVENT_NAME), "")


def _is_of_span(record: LogRecord, name: str) -> bool:
    if len(record.trace_id) != 16 or record.trace_id == _ZERO_TRACE_ID:
        return False
    if len(record.span_id) == 8 and record.span_id != _ZERO_SPAN_ID:
        return True
    return name == EVALUATION_EVENT  # a score may be of a whole trace; other records without a span are of nobody


def decode_log(record: LogRecord, name: str, project_id: int, position: int, limit: Limits) -> SpanLog:
    """The row of a log record; U+0000 is replaced and what is too long cut, as in spans, and the warnings say so."""
    span_id = "" if record.span_id == _ZERO_SPAN_ID else record.span_id.hex()
    trace_row_id = trace_row_key(project_id, record.trace_id.hex())
    warnings: list[str] = []
    name = shortened(name, limit.field_bytes)
    attributes = _encode(decode_attributes(record.attributes), "attributes", limit, warnings)
    body = _encode(decode_value(record.body), "body", limit, warnings) if record.HasField("body") else None
    time = record.time_unix_nano or record.observed_time_unix_nano
    name = name.replace("\x00", "\ufffd")
    content = (name.encode(), b"%d" % time, attributes, body or b"")
    return SpanLog(
        id=log_row_key(trace_row_id, span_id, content),
        trace_row_id=trace_row_id,
        project_id=project_id,
        trace_id=record.trace_id.hex(),
        span_id=span_id,
        name=name,
        severity_number=record.severity_number,
        severity_text=shortened(record.severity_text, limit.field_bytes).replace("\x00", "\ufffd"),
        time_unix_nano=time,
        observed_time_unix_nano=record.observed_time_unix_nano,
        position=position,
        attributes=attributes.decode(),
        body=None if body is None else body.decode(),
        dropped_attributes_count=record.dropped_attributes_count,
        flags=record.flags,
        warnings=values.dumps(warnings).decode(),
    )


def _encode(value: Any, field: str, limit: Limits, warnings: list[str]) -> bytes:
    """The JSON text; only one longer than what may be cut can hold something to cut."""
    text = encode_without_nul(value, warnings, field)
    if len(text) > min(limit.value_bytes, limit.field_bytes):
        cutter = Cutter(limit.value_bytes, limit.field_bytes)
        value = cutter.cut(value, True)
        if cutter.count:
            warnings.append(f"{field}: {counted(cutter.count, 'value or key')} cut")
            text = encode_without_nul(value, [], field)
    return text
