"""The only file that knows how to talk to MLflow: plain HTTP, every answer checked.

MLflow is a server of its own, so nothing of its Python package is needed here; importing it would cost each process two
seconds and 100 MB. Sources: MLflow server/otel_api.py, server/handlers.py, protos/service.proto.
"""

import gzip
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from django.conf import settings
from requests.auth import HTTPBasicAuth

logger = logging.getLogger(__name__)

# The tag that says which of our traces a trace in MLflow is; only such a trace is ever changed or deleted.
OWNER_TAG = "llm_tracing.id"

# MLflow stores about 200 spans a second, so that a request of the largest chunk ends well before.
CONNECT_SECONDS = 5
READ_SECONDS = 120
MAX_REASON_CHARACTERS = 1_000

# What works again without anybody's help. Source: mlflow.utils.request_utils, _TRANSIENT_FAILURE_RESPONSE_CODES.
RETRYABLE_STATUSES = {408, 429, 500, 502, 503, 504}
# MLflow's answer when its store failed while it wrote the spans
STORE_FAILED = "Failed to log OpenTelemetry spans"


class MlflowError(Exception):
    """Why MLflow did not do what it was asked for.

    `code` is one of bee-observe's error codes, `message` says what to do about it, `reason` is MLflow's own text.
    `retryable`: the same request may work later. `systemic`: so it is for every trace, not only for this one.
    """

    def __init__(self, code: str, message: str, reason: str = "", *, retryable: bool = False, systemic: bool = False):
        super().__init__(f"{message} ({reason})" if reason else message)
        self.code = code
        self.message = message
        self.reason = reason
        self.retryable = retryable
        self.systemic = systemic

    @property
    def log_text(self) -> str:
        """What may stand in a log: MLflow's own text may quote what it was sent."""
        return f"{self.code}: {self.message}"


@dataclass(frozen=True)
class RemoteTrace:
    """What MLflow says about a trace. `owner` is the value of `OWNER_TAG`, "" where there is none."""

    mlflow_trace_id: str
    experiment_id: str
    owner: str
    state: str


def is_enabled() -> bool:
    """Whether MLFLOW_TRACKING_URI names a server."""
    return settings.MLFLOW_TRACKING_URI != "off"


def server_url() -> str:
    """MLFLOW_TRACKING_URI as people may see it: without a name and password that it may hold. "off" for no mirror."""
    parts = urlsplit(settings.MLFLOW_TRACKING_URI)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


class MlflowClient:
    """One HTTP session with the MLflow server of the settings. Not to be shared between threads.

    Each method is one request and raises MlflowError.
    """

    def __init__(self) -> None:
        self.url = server_url()
        self.host = urlsplit(self.url).hostname or ""
        self._session = requests.Session()
        self._session.trust_env = False  # a .netrc or a proxy of the machine is none of MLflow's business
        if settings.MLFLOW_AUTHORIZATION == "BASE_AUTH":
            self._session.auth = HTTPBasicAuth(settings.MLFLOW_USERNAME.encode(), settings.MLFLOW_PASSWORD.encode())

    def __enter__(self) -> "MlflowClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def check(self) -> None:
        """Raise where no request could work: the server is down, refuses the host name or the credentials."""
        self._json("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 1})

    def send_spans(self, experiment_id: str, traces_data: bytes) -> None:
        """Add or replace spans: a TracesData or ExportTraceServiceRequest message. All of them or none."""
        response = self._request(
            "POST",
            "/v1/traces",
            experiment_id=experiment_id,
            data=gzip.compress(traces_data, compresslevel=1),
            headers={
                "Content-Type": "application/x-protobuf",
                "Content-Encoding": "gzip",
                "X-MLflow-Experiment-Id": experiment_id,
            },
        )
        if "html" in response.headers.get("Content-Type", ""):
            raise self._not_mlflow(response)

    def put_trace_info(self, experiment_id: str, trace_info: dict[str, Any]) -> None:
        """Create or overwrite what MLflow knows of a trace besides its spans (StartTraceV3)."""
        self._json("POST", "/api/3.0/mlflow/traces", {"trace": {"trace_info": trace_info}}, experiment_id)

    def find_traces(self, mlflow_trace_ids: Sequence[str], experiment_id: str) -> dict[str, RemoteTrace]:
        """Those of the traces that exist, by id, whichever experiment they are in. One request, or two.

        With MLflow's basic auth, an account that is no administrator is refused where one of the traces does not exist
        or is in an experiment that it may not read. Then only those in the given experiment are found.
        """
        try:
            found = self._json("POST", "/api/3.0/mlflow/traces/batchGetInfos", {"trace_ids": list(mlflow_trace_ids)})
        except MlflowError as error:
            if error.systemic or error.code != "AUTH_ERROR":
                raise
            quoted = ", ".join(f"'{id_}'" for id_ in mlflow_trace_ids)
            location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
            query = {"locations": [location], "filter": f"trace.request_id IN ({quoted})", "max_results": 500}
            found = self._json("POST", "/api/3.0/mlflow/traces/search", query, experiment_id)
        traces = {}
        for info in found.get("trace_infos") or found.get("traces") or []:
            traces[info["trace_id"]] = RemoteTrace(
                mlflow_trace_id=info["trace_id"],
                experiment_id=str(info.get("trace_location", {}).get("mlflow_experiment", {}).get("experiment_id", "")),
                owner=info.get("tags", {}).get(OWNER_TAG, ""),
                state=info.get("state", ""),
            )
        return traces

    def delete_traces(self, experiment_id: str, mlflow_trace_ids: Sequence[str]) -> int:
        """Delete by id. Returns how many there were: an unknown id or the wrong experiment is not an error."""
        body = {"experiment_id": experiment_id, "request_ids": list(mlflow_trace_ids)}
        answer = self._json("POST", "/api/3.0/mlflow/traces/delete-traces", body, experiment_id)
        return int(answer.get("traces_deleted", 0))

    def _json(self, method: str, path: str, body: dict[str, Any], experiment_id: str = "") -> dict[str, Any]:
        response = self._request(method, path, experiment_id=experiment_id, json=body)
        try:
            answer = response.json()
        except requests.JSONDecodeError:
            raise self._not_mlflow(response) from None
        if not isinstance(answer, dict):
            raise self._not_mlflow(response)
        return answer

    def _request(self, method: str, path: str, *, experiment_id: str = "", **options: Any) -> requests.Response:
        try:
            response = self._session.request(
                method, self.url + path, timeout=(CONNECT_SECONDS, READ_SECONDS), allow_redirects=False, **options
            )
        except requests.RequestException as error:
            # The exception's text could repeat what was sent, so only its kind is told.
            raise MlflowError(
                "SERVICE_UNAVAILABLE",
                f"MLflow does not answer at {self.url}. It is tried again.",
                type(error).__name__,
                retryable=True,
                systemic=True,
            ) from None
        if response.status_code != HTTPStatus.OK:
            raise self._error(response, experiment_id)
        return response

    def _not_mlflow(self, response: requests.Response) -> MlflowError:
        return MlflowError(
            "SERVICE_ERROR",
            f"{self.url} answers, but not as an MLflow server of version 3.11 or later: check MLFLOW_TRACKING_URI, "
            "which must include the server's --static-prefix if it has one.",
            f"{response.status_code} {response.headers.get('Content-Type', '')}".strip(),
            systemic=True,
        )

    def _error(self, response: requests.Response, experiment_id: str) -> MlflowError:
        """What an answer other than 200 means."""
        status = response.status_code
        reason = f"{status} {_reason(response)}"
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
                f"MLflow refuses the host name {self.host}: start it with --allowed-hosts {self.host} or set "
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
        if _error_code(response) == "RESOURCE_DOES_NOT_EXIST":
            return MlflowError(
                "NOT_FOUND",
                f"MLflow has no experiment with the id {experiment_id}: create it there, or set another in the "
                "project's settings or in MLFLOW_DEFAULT_EXPERIMENT_ID.",
                reason,
            )
        if status == HTTPStatus.NOT_FOUND or status < HTTPStatus.BAD_REQUEST:
            return self._not_mlflow(response)
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


def _error_body(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _error_code(response: requests.Response) -> str:
    return str(_error_body(response).get("error_code", ""))


def _reason(response: requests.Response) -> str:
    """MLflow's message, FastAPI's detail or, where it is plain, the text."""
    body = _error_body(response)
    text = body.get("message") or body.get("detail")
    if text is None:
        text = "" if "html" in response.headers.get("Content-Type", "") else response.text
    return str(text).strip()[:MAX_REASON_CHARACTERS]
