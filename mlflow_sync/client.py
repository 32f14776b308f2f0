"""The only file that knows how to talk to MLflow: plain HTTP, every answer checked.

MLflow is a server of its own, so nothing of its Python package is needed here; importing it would cost each process two
seconds and 100 MB. Sources: MLflow server/otel_api.py, server/handlers.py, protos/service.proto.
"""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from django.conf import settings
from requests.auth import HTTPBasicAuth

from mlflow_sync.bounded_http import Answer, AnswerTooLong, BoundedSession, NoAnswer
from mlflow_sync.failures import MlflowError as MlflowError
from mlflow_sync.failures import failure, json_object, not_mlflow

# The tag that says which of our traces a trace in MLflow is; only such a trace is ever changed or deleted.
OWNER_TAG = "llm_tracing.id"

# The whole of a call, from connecting to the last byte. MLflow stores about 200 spans a second, so that a request of
# the largest chunk ends well before.
CHECK_SECONDS = 10
CALL_SECONDS = 30
SPANS_SECONDS = 120
# An answer is at most what MLflow knows of 100 traces; larger ones are asked for in parts.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
TOO_LONG = "OUT_OF_RANGE"


@dataclass(frozen=True)
class RemoteTrace:
    """What MLflow says about a trace. `owner` is the value of `OWNER_TAG`, "" where there is none."""

    mlflow_trace_id: str
    experiment_id: str
    owner: str


def is_enabled() -> bool:
    """Whether MLFLOW_TRACKING_URI names a server."""
    return settings.MLFLOW_TRACKING_URI != "off"


def server_url() -> str:
    """MLFLOW_TRACKING_URI as people may see it: without a name and password that it may hold. "off" for no mirror."""
    parts = urlsplit(settings.MLFLOW_TRACKING_URI)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def address_credentials() -> tuple[str, str] | None:
    """Name and password that stand in MLFLOW_TRACKING_URI. The system checks refuse those of BASE_AUTH beside them."""
    userinfo, at, _host = urlsplit(settings.MLFLOW_TRACKING_URI).netloc.rpartition("@")
    name, _colon, password = userinfo.partition(":")
    return (unquote(name), unquote(password)) if at else None


def credentials() -> tuple[str, str] | None:
    """Name and password for MLflow, if it shall get any."""
    if (in_address := address_credentials()) is not None:
        return in_address
    if settings.MLFLOW_AUTHORIZATION == "BASE_AUTH":
        return settings.MLFLOW_USERNAME, settings.MLFLOW_PASSWORD
    return None


class MlflowClient:
    """One HTTP session with the MLflow server of the settings. Not to be shared between threads.

    Each method is one request unless it says otherwise, takes at most the seconds named above, and raises MlflowError.
    """

    def __init__(self) -> None:
        self.url = server_url()
        found = credentials()
        self._auth = found and HTTPBasicAuth(found[0].encode(), found[1].encode())
        self._session = BoundedSession()

    def __enter__(self) -> "MlflowClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def check(self) -> None:
        """Raise where no request could work: the server is down, refuses the host name or the credentials, or takes no
        OTLP. Two requests, which hold nothing of any project.
        """
        self._json("/api/2.0/mlflow/experiments/search", {"max_results": 1}, seconds=CHECK_SECONDS)
        answer = self._request("/v1/traces", headers=_otlp_headers("0"), data=b"", seconds=CHECK_SECONDS)
        # "no spans found", or whatever else an MLflow may say to an empty message, but not that there is no such place
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED} or "html" in answer.content_type:
            raise not_mlflow(self.url, answer)

    def send_spans(self, experiment_id: str, traces_data: bytes) -> None:
        """Add or replace spans: a TracesData or ExportTraceServiceRequest message. All of them or none."""
        headers = _otlp_headers(experiment_id) | {"Content-Encoding": "gzip"}
        data = gzip.compress(traces_data, compresslevel=1)
        answer = self._checked("/v1/traces", experiment_id, headers=headers, data=data, seconds=SPANS_SECONDS)
        if "html" in answer.content_type:
            raise not_mlflow(self.url, answer)

    def put_trace_info(self, experiment_id: str, trace_info: dict[str, Any]) -> None:
        """Create or overwrite what MLflow knows of a trace besides its spans (StartTraceV3)."""
        self._json("/api/3.0/mlflow/traces", {"trace": {"trace_info": trace_info}}, experiment_id)

    def find_traces(self, mlflow_trace_ids: Sequence[str], experiment_id: str) -> dict[str, RemoteTrace]:
        """Those of the traces that exist, by id, whichever experiment they are in. One request or two, and twice that
        for each time that the answer had to be halved.

        With MLflow's basic auth, an account that is no administrator is refused where one of the traces does not exist
        or is in an experiment that it may not read. Then only those in the given experiment are found.
        """
        try:
            return self._find_traces(mlflow_trace_ids, experiment_id)
        except MlflowError as error:
            middle = len(mlflow_trace_ids) // 2
            if error.code != TOO_LONG or not middle:
                raise
        first = self.find_traces(mlflow_trace_ids[:middle], experiment_id)
        return first | self.find_traces(mlflow_trace_ids[middle:], experiment_id)

    def _find_traces(self, mlflow_trace_ids: Sequence[str], experiment_id: str) -> dict[str, RemoteTrace]:
        path = "/api/3.0/mlflow/traces/batchGetInfos"
        try:
            found = self._json(path, {"trace_ids": list(mlflow_trace_ids)})
        except MlflowError as error:
            if error.systemic or error.code != "AUTH_ERROR":
                raise
            path = "/api/3.0/mlflow/traces/search"
            quoted = ", ".join(f"'{id_}'" for id_ in mlflow_trace_ids)
            location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
            query = {"locations": [location], "filter": f"trace.request_id IN ({quoted})", "max_results": 500}
            found = self._json(path, query, experiment_id)
        try:
            traces = [_remote_trace(info) for info in found.get("trace_infos") or found.get("traces") or []]
        except (AttributeError, KeyError, TypeError):
            raise self._unexpected(path) from None
        return {trace.mlflow_trace_id: trace for trace in traces}

    def delete_traces(self, experiment_id: str, mlflow_trace_ids: Sequence[str]) -> int:
        """Delete by id. Returns how many there were: an unknown id or the wrong experiment is not an error."""
        path = "/api/3.0/mlflow/traces/delete-traces"
        body = {"experiment_id": experiment_id, "request_ids": list(mlflow_trace_ids)}
        deleted = self._json(path, body, experiment_id).get("traces_deleted", 0)
        if not isinstance(deleted, int):
            raise self._unexpected(path)
        return deleted

    def _unexpected(self, path: str) -> MlflowError:
        return not_mlflow(self.url, Answer(HTTPStatus.OK, f"unexpected JSON from {path}", b""))

    def _json(
        self, path: str, body: dict[str, Any], experiment_id: str = "", seconds: float | None = None
    ) -> dict[str, Any]:
        answer = self._checked(path, experiment_id, json=body, seconds=CALL_SECONDS if seconds is None else seconds)
        found = json_object(answer)
        if found is None:
            self._session.close()  # its connection may hold the rest of what was no answer; the next call opens another
            raise not_mlflow(self.url, answer)
        return found

    def _checked(self, path: str, experiment_id: str, **options: Any) -> Answer:
        """The answer, if its status is 200."""
        answer = self._request(path, **options)
        if answer.status != HTTPStatus.OK:
            raise failure(self.url, answer, experiment_id)
        return answer

    def _request(self, path: str, *, seconds: float, **options: Any) -> Answer:
        try:
            return self._session.request(
                "POST", self.url + path, seconds=seconds, max_bytes=MAX_ANSWER_BYTES, auth=self._auth, **options
            )
        except NoAnswer as error:
            raise MlflowError(
                "SERVICE_UNAVAILABLE",
                f"MLflow does not answer at {self.url}. It is tried again.",
                str(error),
                retryable=True,
                systemic=True,
            ) from None
        except AnswerTooLong:
            raise MlflowError(
                TOO_LONG,
                f"An answer of {self.url} is longer than {MAX_ANSWER_BYTES:,} bytes: is it MLflow?",
                retryable=True,
            ) from None
        except requests.RequestException as error:
            # The exception's text could repeat what was sent, so only its kind is told.
            raise MlflowError("INVALID_ARGUMENT", "This can't be sent to MLflow.", type(error).__name__) from None


def _otlp_headers(experiment_id: str) -> dict[str, str]:
    return {"Content-Type": "application/x-protobuf", "X-MLflow-Experiment-Id": experiment_id}


def _remote_trace(info: dict[str, Any]) -> RemoteTrace:
    location = info.get("trace_location", {}).get("mlflow_experiment", {})
    return RemoteTrace(
        mlflow_trace_id=info["trace_id"],
        experiment_id=str(location.get("experiment_id", "")),
        owner=str(info.get("tags", {}).get(OWNER_TAG, "")),
    )
