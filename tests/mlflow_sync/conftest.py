"""A real MLflow with an experiment for each test, and the platform set up to mirror to it."""

import base64
import datetime
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.utils import timezone

from mlflow_sync import pull as pulling
from mlflow_sync.client import MlflowClient
from mlflow_sync.mirror import mirror
from mlflow_sync.models import MlflowTrace
from projects.models import Project
from tests.builders import export_request
from traces.models import Trace
from traces.otlp.receiver import export


class MlflowApi:
    """What a person or program sees in MLflow, read over its REST API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.experiment_id = self.create_experiment()

    def create_experiment(self) -> str:
        return self._post("/api/2.0/mlflow/experiments/create", name=uuid.uuid4().hex)["experiment_id"]

    def delete_experiment(self, experiment_id: str) -> None:
        self._post("/api/2.0/mlflow/experiments/delete", experiment_id=experiment_id)

    def traces(self, experiment_id: str | None = None) -> dict[str, dict[str, Any]]:
        """The experiment's traces by id."""
        location = {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": experiment_id or self.experiment_id},
        }
        found = self._post("/api/3.0/mlflow/traces/search", locations=[location], max_results=500)
        return {info["trace_id"]: info for info in found.get("traces", [])}

    def span_list(self, mlflow_trace_id: str) -> list[dict[str, Any]]:
        """The trace's spans: ids in hex, attributes as a dict."""
        response = requests.get(
            f"{self.url}/api/3.0/mlflow/traces/get",
            params={"trace_id": mlflow_trace_id, "allow_partial": "true"},
            timeout=30,
        )
        assert response.ok, response.text
        return [
            span
            | {key: base64.b64decode(span[key]).hex() for key in ("span_id", "parent_span_id") if key in span}
            | {"attributes": {pair["key"]: plain(pair.get("value")) for pair in span.get("attributes", [])}}
            for span in response.json()["trace"].get("spans", [])
        ]

    def spans(self, mlflow_trace_id: str) -> dict[str, dict[str, Any]]:
        """The trace's spans by name."""
        return {span["name"]: span for span in self.span_list(mlflow_trace_id)}

    def send(self, request: Any, experiment_id: str | None = None) -> None:
        """Send OTLP straight to MLflow, as a program that is instrumented for it does."""
        headers = {
            "Content-Type": "application/x-protobuf",
            "X-MLflow-Experiment-Id": experiment_id or self.experiment_id,
        }
        assert requests.post(f"{self.url}/v1/traces", data=request.SerializeToString(), headers=headers, timeout=30).ok

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        response = requests.post(self.url + path, json=body, timeout=30)
        assert response.ok, response.text
        return response.json()


def plain(value: dict[str, Any] | None) -> Any:
    """An AnyValue in JSON as a Python value."""
    if not value:
        return None
    ((kind, inner),) = value.items()
    if kind == "array_value":
        return [plain(item) for item in inner.get("values", [])]
    if kind == "kvlist_value":
        return {pair["key"]: plain(pair.get("value")) for pair in inner.get("values", [])}
    return int(inner) if kind == "int_value" else inner


@pytest.fixture
def mlflow(mlflow_server: str, settings: Any, project: Project) -> MlflowApi:
    """MLflow with a fresh experiment, which is `project`'s."""
    settings.MLFLOW_TRACKING_URI = mlflow_server
    settings.MLFLOW_AUTHORIZATION = "NO_AUTH"
    api = MlflowApi(mlflow_server)
    project.mlflow_experiment_id = api.experiment_id
    project.save()
    return api


@pytest.fixture
def ingest(project: Project) -> Callable[..., Trace]:
    """Store spans of one trace as a client would send them; returns the trace."""

    def store(*spans: Any, into: Project | None = None, **request: Any) -> Trace:
        into = into or project
        export(export_request(*spans, **request), into)
        return Trace.objects.get(project=into, trace_id=spans[0].trace_id.hex())

    return store


def pull_now() -> int:
    """Take up what has changed, as if the quiet time had passed."""
    return pulling.pull(timezone.now() + pulling.QUIET)


def mirror_all() -> int:
    """Take up and mirror everything that is due, now or later. Returns the successes."""
    pull_now()
    keys = list(MlflowTrace.objects.pending().values_list("pk", flat=True))
    with MlflowClient() as client:
        return mirror(keys, client)


def let_waits_end() -> None:
    """Let the time pass that retries and abandoned claims still have to wait."""
    past = timezone.now() - datetime.timedelta(seconds=1)
    MlflowTrace.objects.filter(next_try_at__isnull=False).update(next_try_at=past)


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.2)
    return result


def usage(info: dict[str, Any]) -> dict[str, int]:
    return json.loads(info["trace_metadata"]["mlflow.trace.tokenUsage"])
