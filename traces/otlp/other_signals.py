"""OTLP's signals beside traces: how each is received."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from projects.models import Project
from traces.otlp.codec import Encoding, parse_export
from traces.otlp.logs import export_logs
from traces.otlp.metric_points import export_metrics


@dataclass(frozen=True, slots=True)
class Signal:
    """A request's message, what takes its parts and returns the answer, and where gRPC has it."""

    request_class: type[Message]
    export: Callable[[Iterator[Any], Project], Message]
    grpc_method: str

    def export_body(self, body: bytes, encoding: Encoding, project: Project) -> Message:
        """Take a body as a transport has it. Raises OtlpError, django.db.Error."""
        return self.export(parse_export(body, self.request_class, encoding), project)


LOGS = Signal(ExportLogsServiceRequest, export_logs, "/opentelemetry.proto.collector.logs.v1.LogsService/Export")
METRICS = Signal(
    ExportMetricsServiceRequest, export_metrics, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
)
