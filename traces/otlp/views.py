"""POST /v1/logs and /v1/metrics. That of /v1/traces shares its path with the read API."""

from typing import Any, cast

from django.http import HttpResponse
from rest_framework.request import Request

from projects.models import ApiKey
from traces.api.views import ApiView
from traces.otlp.http import ExportMixin, export_response, export_signal
from traces.otlp.openapi import export_logs_schema, export_metrics_schema
from traces.otlp.other_signals import LOGS, METRICS, Signal


class SignalView(ExportMixin, ApiView):
    http_method_names = ["post"]

    def take(self, request: Request, signal: Signal) -> HttpResponse:
        return export_response(export_signal(self.received(request), cast(ApiKey, request.auth), signal))


class LogsView(SignalView):
    @export_logs_schema
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.take(request, LOGS)


class MetricsView(SignalView):
    @export_metrics_schema
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.take(request, METRICS)
