"""The spans of a trace, one span, the tree, and the OTLP export."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from spans.models import Span
from tests.builders import attributes, export_request, new_span_id, new_trace_id, span
from tests.traces.api.conftest import MS, START_NS
from tests.traces.api.test_lists import LLM
from traces.otlp.receiver import export


def result(client, url: str) -> dict:
    response = client.get(url)
    assert response.status_code == 200, response.content
    return response.json()["result"]


def test_a_span_carries_its_content_and_where_it_came_from(api, store):
    trace_id = new_trace_id()
    store(span("chat gpt-4o", trace_id=trace_id, attrs=LLM))
    [found] = api.get(f"/v1/traces/{trace_id}/spans").json()["results"]
    assert (found["input"], found["output"]) == ("Where is my Order?", "On its way, 100%")
    assert found["input_messages"] == [{"role": "user", "parts": [{"type": "text", "text": "Where is my Order?"}]}]
    assert found["output_messages"][0]["role"] == "assistant"
    assert found["normalization"]["request_model"]["attribute"] == "gen_ai.request.model"
    assert found["attributes"] == LLM
    assert (found["parent_id"], found["parent_span_id"]) == ("", "")
    assert found["counted"] is True


def test_a_span_that_failed_by_its_convention_is_found_in_the_tree(api, store):
    trace_id = new_trace_id()
    store(span(trace_id=trace_id, attrs={"langfuse.observation.level": "ERROR"}))
    trace = result(api, f"/v1/traces/{trace_id}?include_tree=true")
    assert (trace["status"], trace["tree"][0]["status_code"]) == ("ERROR", "ERROR")
    [found] = api.get(f"/v1/traces/{trace_id}/spans").json()["results"]
    assert (found["status"], found["status_code"]) == ("ERROR", "OK")


def test_the_trace_has_its_whole_output_and_the_list_its_beginning(api, store):
    trace_id, text = new_trace_id(), "long answer " * 500
    store(span(trace_id=trace_id, attrs={"openinference.span.kind": "CHAIN", "output.value": text}))
    assert result(api, f"/v1/traces/{trace_id}")["output"] == text
    listed = api.get("/v1/traces").json()["results"][0]["output"]
    assert len(listed) <= 500
    assert listed.startswith("long answer")


def test_one_span_has_everything(api, store):
    trace_id = new_trace_id()
    sent = span(
        trace_id=trace_id,
        span_id="ab" * 8,
        kind=3,
        trace_state="a=b",
        flags=257,
        attrs={"b": b"\x00\xff", "nan": float("nan"), "list": [1, None, {"k": 1.5}]},
        events=[{"name": "e", "time_unix_nano": 2**63 - 1, "attributes": attributes({"x": 0})}],
        links=[{"trace_id": b"\x01" * 16, "span_id": b"\x02" * 8}],
        dropped_attributes_count=4,
    )
    store(sent, service="svc", resource={"host.name": "h"})
    found = result(api, f"/v1/traces/{trace_id}/spans/{'AB' * 8}")
    assert found["attributes"]["b"] == {"$bytes": "AP8="}
    assert found["attributes"]["nan"] == {"$double": "NaN"}
    assert found["attributes"]["list"] == [1, None, {"k": 1.5}]
    assert found["events"][0]["time_unix_nano"] == "9223372036854775807"
    assert found["links"][0]["trace_id"] == "01" * 16
    assert (found["kind"], found["trace_state"], found["flags"]) == ("CLIENT", "a=b", 257)
    assert found["resource"]["attributes"] == {"service.name": "svc", "host.name": "h"}
    assert (found["scope"]["name"], found["dropped_attributes_count"]) == ("test-scope", 4)


def test_a_span_that_is_not_there_is_404(api, store):
    trace_id = new_trace_id()
    store(span(trace_id=trace_id))
    for span_id in ("ff" * 8, "x", "é" * 16):
        response = api.get(f"/v1/traces/{trace_id}/spans/{span_id}")
        assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


def test_the_spans_of_a_trace_come_in_pages(api, store):
    trace_id = new_trace_id()
    store(*[span(trace_id=trace_id, start_ns=START_NS + number // 2) for number in range(7)])
    whole = api.get(f"/v1/traces/{trace_id}/spans").json()
    assert (len(whole["results"]), whole["total_count"], whole["next"]) == (7, 7, None)
    found, url = [], f"/v1/traces/{trace_id}/spans?limit=3"
    answer = api.get(url).json()
    while True:
        found += answer["results"]
        assert answer["total_count"] == 7
        if answer["next"] is None:
            break
        answer = api.get(f"{url}&cursor={answer['next']}").json()
    assert [item["span_id"] for item in found] == [item["span_id"] for item in whole["results"]]


def walk(items: list[dict]) -> list[dict]:
    found, stack = [], list(items)
    while stack:
        item = stack.pop()
        found.append(item)
        stack.extend(item["children"])
    return found


def test_the_tree_holds_every_span_once_whatever_its_parent(api, store):
    trace_id, own, one, two = new_trace_id(), new_span_id(), new_span_id(), new_span_id()
    store(
        span("root", trace_id=trace_id),
        span("orphan", trace_id=trace_id, parent_span_id=new_span_id()),
        span("own", trace_id=trace_id, span_id=own, parent_span_id=own),
        span("one", trace_id=trace_id, span_id=one, parent_span_id=two),
        span("two", trace_id=trace_id, span_id=two, parent_span_id=one),
    )
    items = walk(result(api, f"/v1/traces/{trace_id}?include_tree=true")["tree"])
    problems = {item["name"]: item["problem"] for item in items}
    assert len(items) == 5
    assert problems == {
        "root": "",
        "orphan": "missing parent",
        "own": "own parent",
        "one": "parent cycle",
        "two": "",
    }


def test_a_chain_of_a_thousand_spans_is_still_a_document_that_readers_take(api, store):
    trace_id = new_trace_id()
    ids = [f"{number:016x}" for number in range(1, 1001)]
    store(
        *[
            span(trace_id=trace_id, span_id=id_, parent_span_id=parent, start_ns=START_NS + number)
            for number, (parent, id_) in enumerate(zip(["", *ids], ids, strict=False))
        ]
    )
    items = walk(result(api, f"/v1/traces/{trace_id}?include_tree=true")["tree"])
    assert sorted(item["id"] for item in items) == ids
    assert {item["id"]: item["parent_span_id"] for item in items} == dict(zip(ids, ["", *ids], strict=False))


def test_an_item_lasts_as_long_as_what_is_below_it(api, store):
    trace_id, root = new_trace_id(), new_span_id()
    store(
        span(trace_id=trace_id, span_id=root, start_ns=START_NS, duration_ns=10 * MS),
        span(trace_id=trace_id, parent_span_id=root, start_ns=START_NS + MS, duration_ns=90 * MS),
        span(trace_id=trace_id, parent_span_id=root, start_ns=START_NS + 2 * MS, duration_ns=MS),
    )
    [item] = result(api, f"/v1/traces/{trace_id}?include_tree=true")["tree"]
    assert (item["end_time"], item["duration_ms"]) == ("2024-10-27T03:33:20.091Z", 10.0)


@pytest.mark.parametrize("accept", ["application/x-protobuf", "application/json", "*/*"])
def test_a_trace_is_exported_as_it_came(api, project, accept):
    trace_id = new_trace_id()
    request = export_request(
        span(trace_id=trace_id, attrs={"i": 2**62, "d": 1.0, "b": b"x", "n": None, "l": [True, {"k": []}]}),
        span("ns", trace_id=trace_id, start_ns=START_NS + 1, duration_ns=7),
    )
    export(request, project)
    response = api.get(f"/v1/traces/{trace_id}/otlp", headers={"accept": accept})
    if accept == "application/x-protobuf":
        assert response.headers["Content-Type"] == accept
        data = TracesData.FromString(response.content)
    else:
        from traces.otlp.codec import Encoding, parse

        assert response.headers["Content-Type"] == "application/json"
        data = parse(response.content, TracesData, Encoding.JSON)
    for scope_spans in [data.resource_spans[0].scope_spans[0]]:
        for item in scope_spans.spans:
            item.ClearField("status")
    assert list(data.resource_spans) == list(request.resource_spans)


def test_an_exported_trace_can_be_sent_again(api, store):
    trace_id = new_trace_id()
    store(span(trace_id=trace_id, attrs={"x": 1}))
    before = list(Span.objects.values())
    body = api.get(f"/v1/traces/{trace_id}/otlp").content
    assert api.post("/v1/traces", body, content_type="application/json").status_code == 200
    assert list(Span.objects.values()) == before


def test_the_export_of_an_unknown_trace_is_404(api, db):
    response = api.get("/v1/traces/unknown/otlp")
    assert (response.status_code, response.headers["Retry-After"]) == (404, "2")
