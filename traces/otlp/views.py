"""POST /v1/logs and /v1/metrics. That of /v1/traces shares its path with the read API."""

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from traces.api.views import ApiView
from traces.otlp.http import ExportMixin
from traces.otlp.openapi import export_logs_schema, export_metrics_schema
from traces.otlp.signals import LOGS, METRICS


class SignalView(ExportMixin, ApiView):
    http_method_names = ["post"]


class LogsView(SignalView):
    @export_logs_schema
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.take(request, LOGS)


class MetricsView(SignalView):
    @export_metrics_schema
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.take(request, METRICS)
