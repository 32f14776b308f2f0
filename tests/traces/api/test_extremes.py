"""Numbers at the ends of their ranges never keep a trace, or a list with it, from being stored and read."""

import pytest

from tests.builders import new_trace_id, span
from traces.models import Trace

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "session.id": "s",
    "user.id": "u",
}
LAST_NS = 2**63 - 1


def tokens(number: int | str) -> dict:
    return {"gen_ai.usage.input_tokens": number, "gen_ai.usage.output_tokens": number}


@pytest.mark.parametrize(
    ("attrs", "total"),
    [
        (tokens(2**63 - 1), None),
        (tokens(str(10**18)), None),
        (tokens(10**12), 3 * 10**12),
        (tokens(-1), None),
        ({"gen_ai.usage.cost": 9e9}, None),
        ({"gen_ai.usage.cost": 1e300}, None),
        ({"gen_ai.usage.cost": 1_000_000}, None),
    ],
    ids=repr,
)
def test_no_usage_breaks_a_trace_or_a_list(api, store, attrs, total):
    trace_id = new_trace_id()
    store(*(span(f"call {n}", trace_id=trace_id, attrs=CALL | attrs) for n in range(3)))
    assert Trace.objects.get(trace_id=trace_id).input_tokens == total
    for url in (
        f"/v1/traces/{trace_id}?include_tree=true",
        f"/v1/traces/{trace_id}/spans",
        f"/v1/traces/{trace_id}/otlp",
        f"/v1/traces/{trace_id}/usage",
        "/v1/traces?min_tokens=0&ordering=-cost_usd",
        "/v1/spans?min_tokens=0",
        "/v1/sessions",
        "/v1/sessions/s?include_conversation=true",
        "/v1/users/u",
    ):
        assert api.get(url).status_code == 200, url


def test_the_sum_of_too_many_costs_is_as_much_as_a_trace_can_have(api, store):
    attrs = CALL | {"gen_ai.usage.cost": 1_000_000}
    ids = [new_trace_id(), new_trace_id()]
    for trace_id in ids:
        store(*(span("call", trace_id=trace_id, attrs=attrs) for _ in range(10_001)))
    assert api.get(f"/v1/traces/{ids[0]}").json()["result"]["cost_usd"] == 10**10 - 1
    assert api.get("/v1/sessions/s").json()["result"]["cost_usd"] == pytest.approx(2 * (10**10 - 1))


@pytest.mark.parametrize(("start_ns", "duration_ns"), [(LAST_NS, 0), (0, LAST_NS), (LAST_NS, -LAST_NS)])
def test_no_time_breaks_a_filter(api, store, start_ns, duration_ns):
    trace_id = new_trace_id()
    store(span("odd", trace_id=trace_id, start_ns=start_ns, duration_ns=duration_ns))
    found = [item["trace_id"] for item in api.get("/v1/spans?min_duration_ms=1000").json()["results"]]
    assert found == ([trace_id] if duration_ns > 0 else [])
    for url in ("/v1/traces?min_duration_ms=1000", f"/v1/traces/{trace_id}?include_tree=true", "/v1/traces"):
        assert api.get(url).status_code == 200, url


@pytest.mark.parametrize("parameter", ["include_tree", "include_mlflow_tree"])
def test_a_tree_of_too_many_spans_is_refused_before_they_are_read(api, store, parameter, monkeypatch):
    monkeypatch.setattr("traces.reading.queries.MAX_SPANS", 2)
    trace_id = new_trace_id()
    store(*(span(trace_id=trace_id) for _ in range(3)))
    response = api.get(f"/v1/traces/{trace_id}?include_mlflow=true&{parameter}=true")
    assert response.status_code == 400
    assert response.json()["message"] == f"querystring/{parameter} is for at most 2 spans, and there are 3"
