"""Rejected spans, read and processed again."""

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from projects.models import Project
from traces.ingest.receipts import open_receipt
from traces.models import ExportReceipt, RejectedSpans
from traces.otlp import codec
from traces.otlp.signals import TRACES


def as_json(kept: RejectedSpans) -> str:
    """The kept spans as OTLP/JSON, indented."""
    message = codec.parse(bytes(kept.request), ExportTraceServiceRequest, codec.Encoding.PROTOBUF)
    document = orjson.loads(codec.serialize(message, codec.Encoding.JSON))
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def process_again(kept: RejectedSpans, project: Project) -> ExportReceipt:
    """Store the kept spans as if they came now; those still rejected are kept anew. Returns the new receipt, committed.

    Raises OtlpError at a limit and django.db.Error; then they stay as they were. Safe to repeat.
    """
    receipt = open_receipt(project.pk, ExportReceipt.Transport.AGAIN)
    body = bytes(kept.request)
    receipt.wire_bytes = receipt.body_bytes = len(body)
    TRACES.export_body(body, codec.Encoding.PROTOBUF, project, receipt)
    kept.delete()
    return receipt
