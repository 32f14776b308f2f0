"""What real instrumentations sent, in a real MLflow."""

import json

import pytest

from mlflow_sync.models import MlflowTrace
from projects.models import Project
from spans.models import Span
from tests.corpus import FAMILIES, capture
from tests.mlflow_sync.conftest import MlflowApi, mirror_all
from traces.models import Trace
from traces.otlp.receiver import export

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("family", FAMILIES)
def test_every_trace_of_a_capture_is_in_mlflow_as_it_is_here(family: str, mlflow: MlflowApi, project: Project) -> None:
    for request in capture(family).requests:
        export(request, project)
    mirror_all()
    assert [row.error for row in MlflowTrace.objects.exclude(error_code="")] == []
    there = mlflow.traces()
    assert set(there) == {f"tr-{trace.trace_id}" for trace in Trace.objects.all()}
    for trace in Trace.objects.all():
        info = there[f"tr-{trace.trace_id}"]
        metadata = info.get("trace_metadata", {})
        assert info["state"] == trace.status
        assert info["tags"].get("mlflow.traceName", "") == trace.name
        assert metadata.get("mlflow.trace.session", "") == trace.session_id
        assert metadata.get("mlflow.trace.user", "") == trace.user_id
        tokens = json.loads(metadata.get("mlflow.trace.tokenUsage", "{}"))
        assert tokens.get("input_tokens", 0) == (trace.input_tokens or 0)
        assert tokens.get("output_tokens", 0) == (trace.output_tokens or 0)
        assert (info.get("request_preview", "") != "") >= (trace.input_preview != "")
        assert (info.get("response_preview", "") != "") >= (trace.output_preview != "")
        spans = mlflow.span_list(f"tr-{trace.trace_id}")
        assert len(spans) == trace.span_count
        types = {span["span_id"]: span["attributes"]["mlflow.spanType"] for span in spans}
        assert types == dict(Span.objects.filter(trace_row=trace).values_list("span_id", "span_type"))
