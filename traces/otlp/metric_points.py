"""Metrics, which SDKs send by default: acknowledged and counted, not stored."""

from collections.abc import Iterable
from time import perf_counter

from django import db
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from projects.models import Project
from traces.ingest.counters import METRIC_POINTS
from traces.ingest.database_faults import leave_read_only_session
from traces.ingest.store import Arrival, Stored, store
from traces.models import ExportReceipt


def export_metrics(
    parts: Iterable[ExportMetricsServiceRequest], project: Project, receipt: ExportReceipt
) -> ExportMetricsServiceResponse:
    """Count the data points of a request, which comes in parts. Only its receipt is stored. Raises django.db.Error."""
    started = perf_counter()
    points = sum(
        point_count(metric)
        for part in parts
        for resource_metrics in part.resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
    )

    def finish(_: Stored) -> None:
        receipt.records = {"ignored": points}
        receipt.duration_ms = round((perf_counter() - started) * 1000, 3)

    try:
        store(Arrival(project.pk, [], receipt, finish=finish))
    except db.Error as error:
        leave_read_only_session(error)
        raise
    METRIC_POINTS.inc(points)
    return ExportMetricsServiceResponse()


def point_count(metric: Metric) -> int:
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind else 0
