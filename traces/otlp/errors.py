"""Every way an export can fail: its gRPC code, its HTTP status, and whether the sender may try again.

Sources: OTLP specification ac2c4b5d, "Failures" and "Retryable Response Codes"
https://github.com/open-telemetry/opentelemetry-proto/blob/ac2c4b5d/docs/specification.md#failures-1
and google/rpc/code.proto.
"""

import logging
from dataclasses import dataclass

from django import db
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from rest_framework.exceptions import APIException

from projects.authentication import InvalidKey
from projects.usage import LimitReached
from traces.ingest.database_faults import count_database_error

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of failure. Senders drop the data for good unless it is retryable."""

    grpc_code: int
    http_status: int
    retryable: bool = False


BAD_DATA = Fault(3, 400)
UNAUTHENTICATED = Fault(16, 401)
PERMISSION_DENIED = Fault(7, 403)
NOT_FOUND = Fault(5, 404)
METHOD_NOT_ALLOWED = Fault(12, 405)
BODY_TOO_SLOW = Fault(4, 408)
TOO_LARGE = Fault(8, 413)
UNSUPPORTED_MEDIA_TYPE = Fault(3, 415)
THROTTLED = Fault(8, 429, retryable=True)
UNAVAILABLE = Fault(14, 503, retryable=True)

FAULTS = (
    BAD_DATA,
    UNAUTHENTICATED,
    PERMISSION_DENIED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    BODY_TOO_SLOW,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    THROTTLED,
    UNAVAILABLE,
)
_BY_HTTP_STATUS = {fault.http_status: fault for fault in FAULTS}


class OtlpError(Exception):
    """A failure as the sender is told of it: the message helps them and holds nothing of ours or of the payload."""

    def __init__(self, fault: Fault, message: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self._retry_after_seconds = retry_after_seconds
        self.fault = fault
        self.message = message

    @property
    def retry_after_seconds(self) -> int:
        """When a retryable request may come again."""
        return self._retry_after_seconds or settings.RETRY_AFTER_SECONDS

    @property
    def status(self) -> Status:
        """The google.rpc.Status that every error answer carries."""
        return Status(code=self.fault.grpc_code, message=self.message)


def too_large(limit_bytes: int) -> OtlpError:
    return OtlpError(TOO_LARGE, f"the request has more than {limit_bytes} bytes; send smaller batches")


def too_many(limit: int, things: str) -> OtlpError:
    return OtlpError(TOO_LARGE, f"the request has more than {limit} {things}; send smaller batches")


def fault_of_status(http_status: int) -> Fault:
    """The fault for any HTTP status: a 4xx outside the table is the sender's, anything else is ours."""
    known = _BY_HTTP_STATUS.get(http_status)
    if known is not None:
        return known
    return Fault(BAD_DATA.grpc_code, http_status) if 400 <= http_status < 500 else UNAVAILABLE


def otlp_error(error: BaseException) -> OtlpError:
    """What the sender is told of an exception. What is unknown is our fault, so it may be sent again, and is logged."""
    if isinstance(error, OtlpError):
        return error
    if isinstance(error, InvalidKey):
        return OtlpError(UNAUTHENTICATED, str(error))
    if isinstance(error, LimitReached):
        return OtlpError(THROTTLED, str(error), error.retry_after_seconds)
    if isinstance(error, PermissionDenied):
        return OtlpError(PERMISSION_DENIED, "permission denied")
    if isinstance(error, Http404):
        return OtlpError(NOT_FOUND, "there is nothing at this path; traces go to /v1/traces")
    if isinstance(error, APIException) and error.status_code < 500:
        return OtlpError(fault_of_status(error.status_code), str(error.detail))
    log_failure(error)
    if isinstance(error, db.Error):
        return OtlpError(UNAVAILABLE, count_database_error(error).message)
    return OtlpError(UNAVAILABLE, "the server failed; send again")


def log_failure(error: BaseException) -> None:
    """Log what happened and where. `tracing_site.logs` keeps out a text that may quote somebody's prompt."""
    logger.error("Export failed", exc_info=error)
