"""Costs in a real MLflow: totals and their two parts."""

import json
from typing import Any

import pytest

from mlflow_sync.mapping import token_usage
from spans.models import ModelPrice
from tests.builders import new_span_id, new_trace_id, span
from tests.mlflow_sync.conftest import MlflowApi, mirror_all
from tests.mlflow_sync.test_mirror import Ingest, agent_run
from traces.models import Trace

pytestmark = pytest.mark.django_db

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
# US dollars a million tokens of gpt-4o: 2.50 in, 1.25 from the cache, 10 out
START_NS = 1_760_000_000_000_000_000


def cost(info: dict[str, Any]) -> dict[str, float]:
    return json.loads(info["trace_metadata"]["mlflow.trace.cost"])


def mirrored(mlflow: MlflowApi, ingest: Ingest, *calls: dict[str, Any]) -> tuple[dict[str, float], list[Any]]:
    """The cost of a trace with these calls in MLflow, and those of its spans by name."""
    trace_id, root = new_trace_id(), new_span_id()
    children = [
        span(f"call {n}", trace_id=trace_id, parent_span_id=root, start_ns=START_NS + n, attrs=CALL | attrs)
        for n, attrs in enumerate(calls)
    ]
    trace = ingest(span("run", trace_id=trace_id, span_id=root, start_ns=START_NS), *children)
    assert mirror_all() == 1
    spans = mlflow.spans(f"tr-{trace_id}")
    found = [spans[f"call {n}"]["attributes"].get("mlflow.llm.cost") for n in range(len(calls))]
    info = mlflow.traces()[f"tr-{trace_id}"]
    assert cost(info)["total_cost"] == pytest.approx(float(trace.cost_usd))
    return cost(info), found


def test_listed_prices_tell_input_and_output_apart(mlflow: MlflowApi, ingest: Ingest) -> None:
    whole, (first, second) = mirrored(
        mlflow, ingest, {}, {"gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.output_tokens": 0}
    )
    assert first == pytest.approx({"input_cost": 0.0025, "output_cost": 0.001, "total_cost": 0.0035})
    assert second == pytest.approx({"input_cost": 0.002, "output_cost": 0, "total_cost": 0.002})
    assert whole == pytest.approx({"input_cost": 0.0045, "output_cost": 0.001, "total_cost": 0.0055})


def test_a_reported_total_is_divided_as_the_prices_are(mlflow: MlflowApi, ingest: Ingest) -> None:
    whole, (only,) = mirrored(mlflow, ingest, {"gen_ai.usage.cost": 0.007})
    assert only == whole == pytest.approx({"input_cost": 0.005, "output_cost": 0.002, "total_cost": 0.007})


def test_the_projects_own_prices_come_first(mlflow: MlflowApi, ingest: Ingest, project: Any) -> None:
    ModelPrice.objects.create(project=project, model="gpt-4o", input_usd=1, output_usd=20)
    project.refresh_from_db()
    whole, (only,) = mirrored(mlflow, ingest, {})
    assert only == whole == pytest.approx({"input_cost": 0.001, "output_cost": 0.002, "total_cost": 0.003})


def test_a_span_of_an_unknown_model_has_its_total_alone(mlflow: MlflowApi, ingest: Ingest) -> None:
    unknown = {"gen_ai.request.model": "house-model", "gen_ai.provider.name": "house", "gen_ai.usage.cost": 0.5}
    whole, (known, alone) = mirrored(mlflow, ingest, {}, unknown)
    assert known == pytest.approx({"input_cost": 0.0025, "output_cost": 0.001, "total_cost": 0.0035})
    assert alone == {"total_cost": 0.5}
    assert whole == pytest.approx({"input_cost": 0.0025, "output_cost": 0.001, "total_cost": 0.5035})


def test_usage_that_is_not_counted_twice_does_not_cost_twice(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace_id = new_trace_id()
    root, chat, tool = agent_run(trace_id)
    inside = span("the same call", trace_id=trace_id, parent_span_id=chat.span_id.hex(), start_ns=START_NS, attrs=CALL)
    trace = ingest(root, chat, tool, inside)
    mirror_all()
    whole = cost(mlflow.traces()[f"tr-{trace_id}"])
    assert whole == pytest.approx({"input_cost": 0.0025, "output_cost": 0.001, "total_cost": float(trace.cost_usd)})


def test_the_usage_has_the_parts_that_mlflow_has_words_for() -> None:
    trace = Trace(input_tokens=100, output_tokens=7, cached_input_tokens=60, reasoning_tokens=5)
    assert token_usage(trace) == {
        "input_tokens": 100, "output_tokens": 7, "total_tokens": 107, "cache_read_input_tokens": 60,
    }  # fmt: skip
    written = Trace(input_tokens=100, cache_creation_input_tokens=0)
    assert token_usage(written)["cache_creation_input_tokens"] == 0
    assert token_usage(Trace()) == {}
