"""POST /v1/logs and /v1/metrics. That of /v1/traces shares its path with the read API."""

from typing import Any, cast

from django.http import HttpResponse
from rest_framework.request import Request

from projects.authentication import note_use
from projects.models import ApiKey
from traces.api.views import ApiView
from traces.otlp.http import ExportMixin, answer, export_response
from traces.otlp.openapi import export_logs_schema, export_metrics_schema
from traces.otlp.other_signals import LOGS, METRICS, Signal


class SignalView(ExportMixin, ApiView):
    http_method_names = ["post"]

    def take(self, request: Request, signal: Signal) -> HttpResponse:
        key = cast(ApiKey, request.auth)
        body, encoding, _ = self.read_body(request)
        exported = signal.export_body(body, encoding, key.project)
        note_use(key)
        return export_response(answer(200, exported, encoding))


class LogsView(SignalView):
    @export_logs_schema
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.take(request, LOGS)


class MetricsView(SignalView):
    @export_metrics_schema
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.take(request, METRICS)
