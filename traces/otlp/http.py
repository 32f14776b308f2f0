"""OTLP over HTTP: what comes in a request, and the answers to it.

Source: OTLP specification ac2c4b5d, "OTLP/HTTP".
"""

from typing import NamedTuple

from django.conf import settings
from google.protobuf.message import Message

from projects.authentication import CHALLENGE, note_use
from projects.models import ApiKey
from traces.models import ExportReceipt
from traces.otlp import codec
from traces.otlp.codec import Encoding
from traces.otlp.errors import OtlpError
from traces.otlp.signals import Signal

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


def export_signal(received: Received, key: ApiKey, signal: Signal, receipt: ExportReceipt) -> Answer:
    """Take a request. Raises OtlpError, django.db.Error."""
    body, encoding = received.read()
    receipt.wire_bytes, receipt.body_bytes = len(received.body), len(body)
    exported = signal.export_body(body, encoding, key.project, receipt)
    note_use(key)
    return with_receipt(answer(200, exported, encoding), receipt)
