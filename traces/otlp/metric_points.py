"""Metrics, which SDKs send by default: acknowledged and counted, not stored."""

from collections.abc import Iterable

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from projects.models import Project
from traces.metrics import METRIC_POINTS


def export_metrics(parts: Iterable[ExportMetricsServiceRequest], project: Project) -> ExportMetricsServiceResponse:
    """Count the data points of a request, which comes in parts."""
    METRIC_POINTS.inc(
        sum(
            point_count(metric)
            for part in parts
            for resource_metrics in part.resource_metrics
            for scope_metrics in resource_metrics.scope_metrics
            for metric in scope_metrics.metrics
        )
    )
    return ExportMetricsServiceResponse()


def point_count(metric: Metric) -> int:
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind else 0
