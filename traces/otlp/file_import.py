"""Storing OTLP files as if they had been sent."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from projects.models import Project
from traces.otlp.errors import OtlpError
from traces.otlp.files import read_exports
from traces.otlp.logs import decode_logs, export_logs
from traces.otlp.receiver import export


@dataclass(slots=True)
class Imported:
    """How many spans and log records of the files are in the database now, and what of them is not, and why."""

    spans: int = 0
    log_records: int = 0
    problems: list[str] = field(default_factory=list)

    def add_file(self, path: Path, project: Project) -> None:
        """Store the traces or log records of a file. Raises django.db.Error."""
        try:
            for request in read_exports(path):
                if isinstance(request, ExportTraceServiceRequest):
                    rejected = export(request, project).partial_success
                    self.spans += span_count(request) - rejected.rejected_spans
                    message = rejected.error_message
                else:
                    message = export_logs([request], project).partial_success.error_message
                    self.log_records += len(decode_logs([request], project.pk).logs)
                if message:
                    self.problems.append(f"{path}: {message}")
        except (OtlpError, OSError, EOFError, zlib.error) as error:
            self.problems.append(f"{path}: {error}")


def span_count(request: ExportTraceServiceRequest) -> int:
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
