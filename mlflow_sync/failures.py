"""What an answer of MLflow means: why something was not done, whose fault it is, and whether trying again helps."""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from mlflow_sync.bounded_http import Answer

MAX_REASON_CHARACTERS = 1_000

# What works again without anybody's help. Source: mlflow.utils.request_utils, _TRANSIENT_FAILURE_RESPONSE_CODES.
RETRYABLE_STATUSES = {408, 429, 500, 502, 503, 504}
# MLflow's answer when its store failed while it wrote the spans
STORE_FAILED = "Failed to log OpenTelemetry spans"
# What a database or a terminal can't take
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class MlflowError(Exception):
    """Why MLflow did not do what it was asked for.

    `code` is one of bee-observe's error codes, `message` says what to do about it, `reason` is MLflow's own text, of
    which only printable characters are kept, and at most MAX_REASON_CHARACTERS.
    `retryable`: the same request may work later. `systemic`: so it may be for every trace, not only for this one;
    `MlflowClient.check` says whether it is.
    """

    def __init__(self, code: str, message: str, reason: str = "", *, retryable: bool = False, systemic: bool = False):
        self.code = code
        self.message = message
        self.reason = UNPRINTABLE.sub("\ufffd", reason[:MAX_REASON_CHARACTERS])
        super().__init__(f"{message} ({self.reason})" if reason else message)
        self.retryable = retryable
        self.systemic = systemic

    @property
    def log_text(self) -> str:
        """What may stand in a log: MLflow's own text may quote what it was sent."""
        return f"{self.code}: {self.message}"

    def of_a_trace(self) -> "MlflowError":
        """The same where MLflow works for others: it belongs to what was sent, and a few more tries may help."""
        return MlflowError(self.code, self.message, self.reason, retryable=self.retryable or self.systemic)


def not_mlflow(url: str, answer: Answer) -> MlflowError:
    return MlflowError(
        "SERVICE_ERROR",
        f"{url} answers, but not as an MLflow server of version 3.11 or later: check MLFLOW_TRACKING_URI, "
        "which must include the server's --static-prefix if it has one.",
        f"{answer.status} {answer.content_type}".strip(),
        systemic=True,
    )


def failure(url: str, answer: Answer, experiment_id: str) -> MlflowError:
    """What an answer other than 200 means."""
    host = urlsplit(url).hostname or ""
    status = answer.status
    body = json_object(answer) or {}
    reason = f"{status} {_reason(answer, body)}"
    if status in RETRYABLE_STATUSES or STORE_FAILED in reason:
        code = "TOO_MANY_REQUESTS" if status == HTTPStatus.TOO_MANY_REQUESTS else "SERVICE_ERROR"
        return MlflowError(code, "MLflow could not store the trace now. It is tried again.", reason, retryable=True)
    if status == HTTPStatus.UNAUTHORIZED:
        return MlflowError(
            "AUTH_ERROR",
            "MLflow refuses the credentials: check MLFLOW_AUTHORIZATION (BASE_AUTH), MLFLOW_USERNAME and "
            "MLFLOW_PASSWORD.",
            reason,
            systemic=True,
        )
    if status == HTTPStatus.FORBIDDEN and "Invalid Host header" in reason:
        return MlflowError(
            "AUTH_ERROR",
            f"MLflow refuses the host name {host}: start it with --allowed-hosts {host} or set "
            "MLFLOW_SERVER_ALLOWED_HOSTS there.",
            reason,
            systemic=True,
        )
    if status == HTTPStatus.FORBIDDEN:
        return MlflowError(
            "AUTH_ERROR",
            f"The MLflow account lacks rights on experiment {experiment_id or '(any)'}: it needs EDIT to mirror "
            "traces and MANAGE to delete them.",
            reason,
        )
    if body.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
        return MlflowError(
            "NOT_FOUND",
            f"MLflow has no experiment with the id {experiment_id}: create it there, or set another in the "
            "project's settings or in MLFLOW_DEFAULT_EXPERIMENT_ID.",
            reason,
        )
    if status == HTTPStatus.NOT_FOUND or status < HTTPStatus.BAD_REQUEST:
        return not_mlflow(url, answer)
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return MlflowError(
            "SERVICE_ERROR",
            "MLflow's store takes no spans: start the server with a database as its --backend-store-uri.",
            reason,
            systemic=True,
        )
    if "'active' state" in reason:
        return MlflowError(
            "INVALID_ARGUMENT",
            f"Experiment {experiment_id} is deleted in MLflow: restore it there, or set another in the project's "
            "settings.",
            reason,
        )
    return MlflowError("INVALID_ARGUMENT", "MLflow refuses this trace; trying again would not help.", reason)


def json_object(answer: Answer) -> dict[str, Any] | None:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _reason(answer: Answer, body: dict[str, Any]) -> str:
    """MLflow's message, FastAPI's detail or, where it is plain, the text."""
    text = body.get("message") or body.get("detail")
    if text is None:
        text = (
            "" if "html" in answer.content_type else answer.body[: 4 * MAX_REASON_CHARACTERS].decode(errors="replace")
        )
    return str("" if text is None else text).strip()
