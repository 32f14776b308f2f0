"""The one ingest function behind HTTP, gRPC and the import command."""

import logging
import traceback
from collections.abc import Iterable
from time import perf_counter
from uuid import UUID

from django import db
from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from projects.models import Project
from spans import values
from spans.field_limits import note_cut_ids
from spans.limits import limits
from spans.project_tables import tables_for
from spans.records import SpanRecord
from spans.sanitizers import sanitize
from spans.semconv import BUILT_IN, ProjectTables, normalize
from traces.ingest.counters import count_spans
from traces.ingest.database_faults import leave_read_only_session
from traces.ingest.receipts import open_receipt
from traces.ingest.store import Arrival, Stored, store
from traces.models import ExportReceipt, ReceiptStatus, RejectedSpans
from traces.otlp.decode import Decoded, Rejection, decode
from traces.upkeep import tombstones

logger = logging.getLogger(__name__)


def export(
    request: ExportTraceServiceRequest, project: Project, receipt: ExportReceipt | None = None
) -> ExportTraceServiceResponse:
    """`export_parts` of a request that is in memory as one message."""
    return export_parts([request], project, receipt)


def export_parts(
    parts: Iterable[ExportTraceServiceRequest], project: Project, receipt: ExportReceipt | None = None
) -> ExportTraceServiceResponse:
    """Store the spans of a request, which comes in parts, in the project, with the request's receipt.

    On return, every span that is not counted as rejected is committed. Parts are read one after the other, all before
    anything is stored. Raises OtlpError if the request is over a limit, django.db.Error where the database is at
    fault; then nothing of it is stored.
    Source: opentelemetry-proto docs/specification.md, OTLP/HTTP Response; "Partial Success".
    """
    started = perf_counter()
    receipt = receipt or open_receipt(project.pk, ExportReceipt.Transport.IMPORT)
    decoded = decode(parts)
    tables = tables_for(project)
    read(decoded.records, tables)

    def finish(stored: Stored) -> None:
        _fill(receipt, decoded, stored)
        receipt.duration_ms = round((perf_counter() - started) * 1000, 3)
        if decoded.rejected and settings.REJECTED_SPANS_DAYS:
            _keep(receipt, decoded.rejected)

    try:
        stored = store(Arrival(project.pk, decoded.records, receipt, tables, finish))
    except db.Error as error:
        leave_read_only_session(error)
        raise
    rejected = [(rejection["reason"], rejection["count"]) for rejection in receipt.rejections]
    count_spans(stored.added, stored.replaced, stored.duplicates, rejected)

    response = ExportTraceServiceResponse()
    if rejected:
        response.partial_success.rejected_spans = receipt.spans_rejected
        response.partial_success.error_message = receipt.message
    return response


def read(records: Iterable[SpanRecord], tables: ProjectTables = BUILT_IN) -> None:
    """Sanitize and normalize decoded spans."""
    limit = limits()
    for record in records:
        sanitize(record, limit)
        try:
            normalize(record, tables)
        except Exception as error:  # noqa: BLE001 - the span is stored all the same, and so are the others
            _note_unread(record, error)
        if record.session_id or record.user_id:
            note_cut_ids(record, limit)


def _note_unread(record: SpanRecord, error: Exception) -> None:
    """Warn on the span that its conventions were not read, and log where it failed, but nothing of what it holds."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    logger.error(
        "A span's conventions could not be read: %s in %s", type(error).__name__, f"{frame.name}:{frame.lineno}"
    )
    record.warnings.append("its conventions could not be read; only the raw attributes are shown")
    record.warnings_json = values.dumps(record.warnings)


def _fill(receipt: ExportReceipt, decoded: Decoded, stored: Stored) -> None:
    receipt.spans_added = stored.added
    receipt.spans_replaced = stored.replaced
    receipt.spans_duplicate = stored.duplicates
    rejections = [(rejection.reason, rejection.count) for rejection in decoded.rejected]
    receipt.spans_received = len(decoded.records) + sum(count for _, count in rejections)
    if stored.deleted:
        rejections.append((tombstones.reason(), stored.deleted))
    receipt.spans_rejected = sum(count for _, count in rejections)
    receipt.spans_cut = sum(record.cut for record in decoded.records)
    if rejections:
        receipt.status = ReceiptStatus.PARTIAL
        receipt.rejections = [{"reason": reason, "count": count} for reason, count in rejections]
        receipt.message = "; ".join(f"{count} span(s) rejected: {reason}" for reason, count in rejections)


def _keep(receipt: ExportReceipt, rejected: list[Rejection]) -> None:
    """Store the rejected spans as they came, if they are not there yet. One statement.

    Their keys follow from the receipt's, which stays the same when the request is stored again.
    """
    rows = [
        RejectedSpans(
            id=UUID(int=receipt.pk.int ^ position),
            receipt_id=receipt.pk,
            project_id=receipt.project_id,
            reason=rejection.reason,
            span_count=rejection.count,
            kept_count=rejection.kept_count,
            request=rejection.kept.SerializeToString(),
        )
        for position, rejection in enumerate(rejected)
    ]
    RejectedSpans.objects.bulk_create(rows, ignore_conflicts=True)
