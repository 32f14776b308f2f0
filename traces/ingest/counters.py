"""What the receivers count, for Prometheus. No label names a project: a reader of the metrics learns only totals.

The counts are those of this process; with PROMETHEUS_MULTIPROC_DIR in the environment, those of all processes that
share the folder. What jobs count is in the database instead (`traces.models.RunningTotal`): their processes end with
the job.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second time series for each, which nobody reads

REQUESTS = Counter(
    "tracing_export_requests",
    "Export requests by transport and answer (HTTP status or gRPC code).",
    ["transport", "status"],
)
RECEIVED_BYTES = Counter("tracing_received_bytes", "Bytes of export requests as received.", ["transport"])
SECONDS = Histogram(
    "tracing_export_seconds",
    "Time from an export request's headers to its answer.",
    ["transport"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_PROGRESS = Gauge(
    "tracing_exports_in_progress", "Exports under way or waiting.", ["transport"], multiprocess_mode="livesum"
)
SPANS = Counter("tracing_spans", "Spans by what became of them, and why they were rejected.", ["result", "reason"])
LOG_RECORDS = Counter(
    "tracing_log_records",
    "Log records by what became of them; ignored: of no span; over_limit: their span or trace has enough.",
    ["result"],
)
METRIC_POINTS = Counter("tracing_metric_points", "Data points of metrics, which are acknowledged and not stored.")
DATABASE_ERRORS = Counter("tracing_database_errors", "Requests that failed because of the database.", ["kind"])

_ADDED = SPANS.labels("added", "")
_REPLACED = SPANS.labels("replaced", "")
_DUPLICATE = SPANS.labels("duplicate", "")


def count_spans(added: int, replaced: int, duplicates: int, rejected: Iterable[tuple[str, int]]) -> None:
    """Count what became of a request's spans; `rejected` has reasons, from a fixed set, with their counts."""
    _ADDED.inc(added)
    if replaced:
        _REPLACED.inc(replaced)
    if duplicates:
        _DUPLICATE.inc(duplicates)
    for reason, count in rejected:
        SPANS.labels("rejected", reason).inc(count)


def count_log_records(counts: Mapping[str, int]) -> None:
    """Count what became of a request's log records."""
    for result, count in counts.items():
        if count:
            LOG_RECORDS.labels(result).inc(count)


class Exchange:
    """One export request; whoever answers it sets `status`."""

    status = ""


class Transport:
    """The metrics of one transport, found once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.received_bytes = RECEIVED_BYTES.labels(name)
        self._in_progress = IN_PROGRESS.labels(name)
        self._seconds = SECONDS.labels(name)

    @contextmanager
    def measure(self) -> Iterator[Exchange]:
        """Measure an export; one without a status was given up by its client."""
        exchange = Exchange()
        started = perf_counter()
        self._in_progress.inc()
        try:
            yield exchange
        finally:
            self._in_progress.dec()
            self._seconds.observe(perf_counter() - started)
            REQUESTS.labels(self.name, exchange.status or "cancelled").inc()


HTTP = Transport("http")
GRPC = Transport("grpc")
