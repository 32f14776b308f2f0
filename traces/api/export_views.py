"""Receiving OTLP by HTTP where the gate leaves it to Django: POST /v1/traces, /v1/logs and /v1/metrics.

That of /v1/traces shares its path with the list of traces.
"""

from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from projects.authentication import CanIngest, KeyAuthentication
from projects.models import ApiKey
from traces.api.api_view import ApiView
from traces.api.export_openapi import export_logs_schema, export_metrics_schema, export_traces_schema
from traces.ingest.receipts import open_receipt
from traces.models import ExportReceipt
from traces.otlp.errors import otlp_error, too_large
from traces.otlp.http import READ_METHODS, Answer, Received, error_answer, export_signal
from traces.otlp.signals import LOGS, METRICS, TRACES, Signal


def export_response(made: Answer) -> HttpResponse:
    return HttpResponse(made.body, status=made.status, headers=made.headers)


class ExportMixin(APIView):
    """A DRF view that receives exports. For OTLP's methods every answer, also an error of DRF, is an OTLP one."""

    @property
    def _is_export(self) -> bool:
        request = getattr(self, "request", None)  # the OpenAPI generator asks without one
        return request is not None and request.method not in READ_METHODS

    def get_authenticators(self) -> list[BaseAuthentication]:
        # Exports know no sessions, and so no CSRF.
        return [KeyAuthentication()] if self._is_export else super().get_authenticators()

    def get_permissions(self) -> Sequence[Any]:
        return [CanIngest()] if self._is_export else super().get_permissions()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        # Any Accept will do: the answer has the encoding of the request.
        return super().perform_content_negotiation(request, force=force or self._is_export)

    def handle_exception(self, exc: Exception) -> Any:
        if not self._is_export:
            return super().handle_exception(exc)
        return export_response(error_answer(otlp_error(exc), self.request.META.get("CONTENT_TYPE", "")))

    def take(self, request: Request, signal: Signal) -> HttpResponse:
        key = cast(ApiKey, request.auth)
        receipt = open_receipt(key.project_id, ExportReceipt.Transport.HTTP, key.pk, signal=signal.name)
        return export_response(export_signal(self.received(request), key, signal, receipt))

    def received(self, request: Request) -> Received:
        """The body as it came. Raises OtlpError (413)."""
        body = request.read(settings.MAX_BODY_BYTES + 1)
        if len(body) > settings.MAX_BODY_BYTES:
            raise too_large(settings.MAX_BODY_BYTES)
        return Received(body, request.META.get("CONTENT_TYPE", ""), request.META.get("HTTP_CONTENT_ENCODING", ""))


class ExportTracesMixin(ExportMixin):
    """`post` of a DRF view at /v1/traces."""

    @export_traces_schema
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.take(request, TRACES)


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
