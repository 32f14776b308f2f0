"""Sample traces, recorded from real instrumentations: to look at, and to rehearse with."""

import logging
import time

from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from projects.models import Project
from traces.models import Trace
from traces.otlp.decode import decode
from traces.otlp.files import find_files, read_requests
from traces.otlp.receiver import export, read

logger = logging.getLogger(__name__)

SAMPLES = settings.BASE_DIR / "demo"
MINUTES_BETWEEN_SAMPLES = 7
# As often as Python runs a function before it has found the quickest way for it
REHEARSALS = 8


def load_samples(project: Project) -> int:
    """Store the samples, moved to the present, unless the project has traces. Returns the number of new spans."""
    if Trace.objects.filter(project=project).exists():
        return 0
    loaded = 0
    for number, file in enumerate(find_files(SAMPLES)):
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


def rehearse() -> None:
    """Read the samples, and store nothing: then a process that is about to receive has its caches filled, and has
    loaded what its first requests would wait for (the price list alone takes a quarter of a second).
    """
    try:
        for file in find_files(SAMPLES):
            for request in read_requests(file):
                for _ in range(REHEARSALS):
                    read(decode([request]).records)
    except Exception as error:  # noqa: BLE001 - limits below what the samples hold, or no samples, keep nobody from starting
        logger.info("The first requests will be slower: the samples could not be read (%s)", error)
