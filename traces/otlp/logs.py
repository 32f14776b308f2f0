"""The one ingest function for log records: GenAI events of spans are stored, all others acknowledged and counted.

Source: opentelemetry-proto ac2c4b5d, logs.proto; semantic conventions v1.38.0, docs/gen-ai/gen-ai-events.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from time import perf_counter

from django import db
from django.conf import settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from projects.models import Project
from spans.field_limits import cut_map
from spans.keys import log_row_key, trace_row_key
from spans.limits import Limits, cut_value, limits
from spans.models import SpanLog
from spans.sanitizers import encode_without_nul
from spans.short_texts import shortened
from traces.database_faults import leave_read_only_session
from traces.metrics import count_log_records
from traces.otlp.decode import decode_attributes, decode_value
from traces.otlp.errors import too_many
from traces.receipt_models import ExportReceipt, ReceiptStatus
from traces.receipts import open_receipt, write_receipts
from traces.span_logs import store_logs
from traces.store import Arrival, store

GENAI_PREFIX = "gen_ai."
# Where SDKs put the name before log records had a field for it
EVENT_NAME = "event.name"
TIME_OUT_OF_RANGE = "time is 2**63 nanoseconds or later"
_END_OF_TIME = 2**63
_ZERO_TRACE_ID = bytes(16)
_ZERO_SPAN_ID = bytes(8)


@dataclass(slots=True)
class DecodedLogs:
    """The GenAI events of a request, how many other records it has, and how many events have a time out of range."""

    events: list[SpanLog] = field(default_factory=list)
    ignored: int = 0
    rejected: int = 0

    def counts(self, added: int) -> dict[str, int]:
        """What became of the records, where so many events were not there yet."""
        counts = {"added": added, "duplicate": len(self.events) - added}
        return counts | {"rejected": self.rejected, "ignored": self.ignored}


def export_logs(
    parts: Iterable[ExportLogsServiceRequest], project: Project, receipt: ExportReceipt | None = None
) -> ExportLogsServiceResponse:
    """Store the GenAI events of a request, which comes in parts, with the request's receipt, and bring what is known
    of their spans up to date.

    On return they are committed. Raises OtlpError if the request is over a limit, django.db.Error where the database is
    at fault; then none of them is stored.
    A record without a valid trace id and span id belongs to no span, as logs.proto says, and is only counted.
    """
    started = perf_counter()
    receipt = receipt or open_receipt(project.pk, ExportReceipt.Transport.IMPORT, signal=ExportReceipt.Signal.LOGS)
    decoded = decode_logs(parts, project.pk)

    def fill(added: int) -> None:
        receipt.records = decoded.counts(added)
        receipt.duration_ms = round((perf_counter() - started) * 1000, 3)

    def finish(added: int) -> None:
        fill(added)
        write_receipts([receipt])

    if decoded.rejected:
        receipt.status = ReceiptStatus.PARTIAL
        receipt.rejections = [{"reason": TIME_OUT_OF_RANGE, "count": decoded.rejected}]
        receipt.message = f"{decoded.rejected} log record(s) rejected: {TIME_OUT_OF_RANGE}"
    try:
        if decoded.events:
            store_logs(decoded.events, finish)
        else:
            store(Arrival(project.pk, [], receipt, finish=lambda stored: fill(0)))
    except db.Error as error:
        leave_read_only_session(error)
        raise
    count_log_records(receipt.records or {})
    response = ExportLogsServiceResponse()
    if decoded.rejected:
        response.partial_success.rejected_log_records = decoded.rejected
        response.partial_success.error_message = receipt.message
    return response


def decode_logs(parts: Iterable[ExportLogsServiceRequest], project_id: int) -> DecodedLogs:
    """Every record of the request, as an unsaved row or counted. Raises OtlpError (413) at the request's limit."""
    decoded = DecodedLogs()
    limit = limits()
    for resource_logs in chain.from_iterable(part.resource_logs for part in parts):
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                name = event_name(record)
                if not name.startswith(GENAI_PREFIX) or not _has_span(record):
                    decoded.ignored += 1
                elif max(record.time_unix_nano, record.observed_time_unix_nano) >= _END_OF_TIME:
                    decoded.rejected += 1
                elif len(decoded.events) >= settings.MAX_SPANS_PER_REQUEST:
                    raise too_many(settings.MAX_SPANS_PER_REQUEST, "GenAI events")
                else:
                    decoded.events.append(decode_log(record, name, project_id, len(decoded.events), limit))
    return decoded


def event_name(record: LogRecord) -> str:
    if record.event_name:
        return record.event_name
    return next((pair.value.string_value for pair in record.attributes if pair.key == EVENT_NAME), "")


def _has_span(record: LogRecord) -> bool:
    return (
        len(record.trace_id) == 16
        and record.trace_id != _ZERO_TRACE_ID
        and len(record.span_id) == 8
        and record.span_id != _ZERO_SPAN_ID
    )


def decode_log(record: LogRecord, name: str, project_id: int, position: int, limit: Limits) -> SpanLog:
    """The row of a GenAI event; U+0000 is replaced as in spans, and long keys and values are cut as there."""
    span_id = record.span_id.hex()
    trace_row_id = trace_row_key(project_id, record.trace_id.hex())
    name = shortened(name, limit.field_bytes)
    attributes = encode_without_nul(cut_map(decode_attributes(record.attributes), limit), [], "")
    body = None
    if record.HasField("body"):
        body = encode_without_nul(cut_value(decode_value(record.body), limit), [], "")
    time = record.time_unix_nano or record.observed_time_unix_nano
    name = name.replace("\x00", "\ufffd")
    content = (name.encode(), b"%d" % time, attributes, body or b"")
    return SpanLog(
        id=log_row_key(trace_row_id, span_id, content),
        trace_row_id=trace_row_id,
        project_id=project_id,
        span_id=span_id,
        name=name,
        time_unix_nano=time,
        position=position,
        attributes=attributes.decode(),
        body=None if body is None else body.decode(),
        dropped_attributes_count=record.dropped_attributes_count,
    )
