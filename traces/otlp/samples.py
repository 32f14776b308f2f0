"""Sample traces: recorded from real instrumentations, moved to the present."""

import time
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from projects.models import Project
from traces.models import Trace
from traces.otlp.files import find_files, read_requests
from traces.otlp.receiver import export

MINUTES_BETWEEN_SAMPLES = 7


def load_samples(folder: Path, project: Project) -> int:
    """Store the folder's OTLP files, unless the project has traces already. Returns the number of new spans."""
    if Trace.objects.filter(project=project).exists():
        return 0
    loaded = 0
    for number, file in enumerate(find_files(folder)):
        end = time.time_ns() - number * MINUTES_BETWEEN_SAMPLES * 60 * 1_000_000_000
        for request in read_requests(file):
            loaded += move_to(request, end)
            export(request, project)
    return loaded


def move_to(request: ExportTraceServiceRequest, end_ns: int) -> int:
    """Shift all times alike, so that the latest span ends at end_ns. Returns the number of spans."""
    spans = [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
    shift = end_ns - max(span.end_time_unix_nano for span in spans)
    for span in spans:
        span.start_time_unix_nano += shift
        span.end_time_unix_nano += shift
        for event in span.events:
            event.time_unix_nano += shift
    return len(spans)
