"""OTLP over HTTP, as part of a DRF view.

Source: OTLP specification ac2c4b5d, "OTLP/HTTP".
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.http import HttpResponse
from google.protobuf.message import Message
from rest_framework.authentication import BaseAuthentication
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from projects.authentication import CHALLENGE, CanIngest, KeyAuthentication, note_use
from projects.models import ApiKey
from traces.ingest.receipts import open_receipt
from traces.models import ExportReceipt
from traces.otlp import codec
from traces.otlp.codec import Encoding
from traces.otlp.errors import OtlpError, otlp_error, too_large
from traces.otlp.openapi import export_traces_schema
from traces.otlp.signals import TRACES, Signal

RECEIPT_HEADER = "x-receipt-id"
# Methods of the path that are not OTLP's: the read API's.
READ_METHODS = {"GET", "HEAD"}


class Answer(NamedTuple):
    """An HTTP answer: status, header fields and body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Received(NamedTuple):
    """A request body as it came, with the header fields Content-Type and Content-Encoding that say how to read it."""

    body: bytes
    content_type: str
    content_encoding: str

    def read(self) -> tuple[bytes, Encoding]:
        """The decompressed body and its encoding. Raises OtlpError."""
        encoding = codec.encoding_of(self.content_type)
        return codec.decompress(self.body, self.content_encoding, settings.MAX_BODY_BYTES), encoding


def answer(status: int, message: Message, encoding: Encoding) -> Answer:
    body = codec.serialize(message, encoding)
    return Answer(status, {"Content-Type": encoding.value, "Content-Length": str(len(body))}, body)


def error_answer(error: OtlpError, content_type: str) -> Answer:
    """The error as a google.rpc.Status in the encoding of the request that had this Content-Type."""
    made = answer(error.fault.http_status, error.status, codec.answer_encoding(content_type))
    if error.fault.http_status == 401:
        made.headers["WWW-Authenticate"] = CHALLENGE
    if error.fault.retryable:
        made.headers["Retry-After"] = str(error.retry_after_seconds)
    return made


def with_receipt(made: Answer, receipt: ExportReceipt) -> Answer:
    made.headers[RECEIPT_HEADER] = str(receipt.pk)
    return made


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


def export_signal(received: Received, key: ApiKey, signal: Signal, receipt: ExportReceipt) -> Answer:
    """Take a request. Raises OtlpError, django.db.Error."""
    body, encoding = received.read()
    receipt.wire_bytes, receipt.body_bytes = len(received.body), len(body)
    exported = signal.export_body(body, encoding, key.project, receipt)
    note_use(key)
    return with_receipt(answer(200, exported, encoding), receipt)


def export_response(made: Answer) -> HttpResponse:
    return HttpResponse(made.body, status=made.status, headers=made.headers)
