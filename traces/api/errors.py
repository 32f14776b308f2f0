"""The one error shape of the read API, `{code, message, reason?}`, with bee-observe's codes.

`message` says what is wrong, `reason` what to do about it.
"""

import logging
import re
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from projects.authentication import INVALID_KEY
from projects.sent_keys import HOW_TO_SEND
from traces.ingest.database_faults import UNAVAILABLE, count_database_error, leave_read_only_session

logger = logging.getLogger(__name__)

NO_ROUTE = "Route does not exist"
_BROKEN_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


class ApiError(Exception):
    """An answer other than success, as the client will read it."""

    def __init__(
        self, status: int, code: str, message: str, reason: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body: dict[str, Any] = {"code": code, "message": message} | ({"reason": reason} if reason else {})


def retry_after() -> dict[str, str]:
    return {"Retry-After": str(settings.RETRY_AFTER_SECONDS)}


def invalid_argument(message: str, reason: str = "") -> ApiError:
    return ApiError(400, "INVALID_ARGUMENT", message, reason)


def too_large(what: str, held: int, reason: str) -> ApiError:
    """413: an answer in one piece would hold more bytes than an answer may."""
    return ApiError(
        413,
        "ANSWER_TOO_LARGE",
        f"{what} is for at most {settings.MAX_ANSWER_BYTES} bytes of stored payload, and there are {held}",
        reason,
    )


def no_such_trace(identifier: str) -> ApiError:
    """404 with Retry-After, because the trace may be on its way."""
    return ApiError(
        404,
        "NOT_FOUND",
        f"The trace entity with id {identifier} does not exist",
        "It may not have arrived yet. Use its framework id or its OpenTelemetry trace id, and a key of its project.",
        retry_after(),
    )


def no_route(reason: str = "") -> ApiError:
    return ApiError(404, "NOT_FOUND", NO_ROUTE, reason)


def unavailable(error: DatabaseError) -> ApiError:
    """503, which says so where the database could be read, but not written to."""
    fault = count_database_error(error)
    leave_read_only_session(error)
    message = "The database can't be reached" if fault is UNAVAILABLE else fault.message
    return ApiError(503, "SERVICE_UNAVAILABLE", message, "Try again later.", retry_after())


def check_escapes(path: str) -> None:
    """Raises ApiError (400) for a broken escape such as %zz, with the keys that bee-observe's web framework answers."""
    if _BROKEN_ESCAPE.search(path):
        error = ApiError(400, "FST_ERR_BAD_URL", f"'{path}' is not a valid url component")
        error.body |= {"error": "Bad Request", "statusCode": 400}
        raise error


def internal_error() -> ApiError:
    return ApiError(500, "INTERNAL_SERVER_ERROR", "An unspecified error occurred", "The server's log has the details.")


def from_exception(error: Exception) -> ApiError | None:
    """The answer to an exception of a view, or None for one that nobody expected."""
    match error:
        case ApiError():
            return error
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            is_missing = isinstance(error, exceptions.NotAuthenticated)
            reason = HOW_TO_SEND if is_missing else str(error.detail).removeprefix(f"{INVALID_KEY}: ")
            return ApiError(401, "AUTH_ERROR", INVALID_KEY, reason[0].upper() + reason[1:])
        case exceptions.PermissionDenied() | PermissionDenied():
            return ApiError(403, "PERMISSION_DENIED", str(error) or "this is not allowed")
        case exceptions.MethodNotAllowed():
            return no_route(str(error.detail))
        case Http404() | exceptions.NotFound():
            return no_route()
        case exceptions.UnsupportedMediaType():
            return ApiError(415, "FST_ERR_CTP_INVALID_MEDIA_TYPE", "Unsupported Media Type", "Send application/json.")
        case exceptions.ParseError():
            return invalid_argument("An unspecified syntax error occurred", str(error.detail))
        case exceptions.APIException():
            return ApiError(error.status_code, str(error.default_code).upper(), str(error.detail))
        case DatabaseError():
            logger.error("The database failed", exc_info=error)
            return unavailable(error)
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER; what it does not know goes on to Django's handler500."""
    answer = from_exception(error)
    if answer is None:
        return None
    headers = dict(answer.headers)
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return Response(answer.body, status=answer.status, headers=headers)
