"""OTLP's signals: how each is received."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from projects.models import Project
from traces.models import ExportReceipt
from traces.otlp.codec import Encoding, parse_export
from traces.otlp.logs import export_logs
from traces.otlp.metric_points import export_metrics
from traces.otlp.receiver import export_parts


@dataclass(frozen=True, slots=True)
class Signal:
    """A request's message, what takes its parts and its receipt and returns the answer, and where gRPC has it."""

    name: ExportReceipt.Signal
    request_class: type[Message]
    export: Callable[[Iterator[Any], Project, ExportReceipt], Message]
    grpc_method: str

    def export_body(self, body: bytes, encoding: Encoding, project: Project, receipt: ExportReceipt) -> Message:
        """Take a body as a transport has it. Raises OtlpError, django.db.Error."""
        return self.export(parse_export(body, self.request_class, encoding), project, receipt)


TRACES = Signal(
    ExportReceipt.Signal.TRACES,
    ExportTraceServiceRequest,
    export_parts,
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
)
LOGS = Signal(
    ExportReceipt.Signal.LOGS,
    ExportLogsServiceRequest,
    export_logs,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
)
METRICS = Signal(
    ExportReceipt.Signal.METRICS,
    ExportMetricsServiceRequest,
    export_metrics,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
)
