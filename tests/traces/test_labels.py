"""What a program says of its trace, on whichever span, and of a span whose name is a template."""

import random

import pytest
from django.test import Client

from spans.models import Span
from tests.builders import export_request, new_span_id, new_trace_id, span
from tests.spans.semconv.test_sdk_payloads import load
from tests.traces.admin.test_pages import viewer as viewer
from traces.models import Trace
from traces.otlp.receiver import export
from traces.summaries.summary import summarize
from traces.upkeep.renormalize import renormalize

LONG = "long answer " * 100


def parts(on_root, *on_children):
    """A root and its children with these attributes, as requests of one span each."""
    trace_id, root = new_trace_id(), new_span_id()
    yield trace_id
    yield export_request(span("root", trace_id=trace_id, span_id=root, duration_ns=10**9, attrs=on_root))
    for number, attrs in enumerate(on_children):
        start = 1_700_000_000_000_000_000 + number + 1
        child = span(f"child {number}", trace_id=trace_id, parent_span_id=root, start_ns=start, attrs=attrs)
        yield export_request(child, service="api")


def stored(project, requests):
    for request in requests:
        export(request, project)
    return Trace.objects.get()


NAMED = [
    {"langfuse.trace.name": "[main] API check"},
    {"langfuse.observation.metadata.langfuse_trace_name": '"[main] API check"'},
    {"metadata.requester_metadata": "{'trace_name': '[main] API check'}"},
    {"mlflow.traceTag.mlflow.traceName": '"[main] API check"'},
    {"metadata": '{"trace_name": "[main] API check"}'},
    {"trace.name": "[main] API check"},
]


@pytest.mark.parametrize("attributes", NAMED, ids=[next(iter(item)) for item in NAMED])
def test_a_trace_has_the_name_that_the_program_gave_it_on_any_span(project, attributes):
    _, *requests = parts({}, {}, attributes)
    for request in requests:
        request.resource_spans[0].scope_spans[0].scope.name = "litellm"
    assert stored(project, requests).name == "[main] API check"


def test_input_and_output_that_the_program_gave_the_trace_go_before_those_of_its_spans(project):
    _, *requests = parts(
        {"langfuse.observation.input": "q", "langfuse.observation.output": "a"},
        {"langfuse.trace.input": '{"question": "What?"}', "langfuse.trace.output": "first"},
        {"langfuse.trace.output": LONG},
    )
    trace = stored(project, requests)
    assert (trace.input_preview, trace.output_preview[:11]) == ("What?", "long answer")


def test_the_root_says_it_best(project):
    _, *requests = parts({"langfuse.trace.name": "of the root"}, {"langfuse.trace.name": "of a child"})
    assert stored(project, requests).name == "of the root"


def test_the_order_of_arrival_and_repetition_change_nothing(project):
    names = [{"langfuse.trace.name": f"name {n}", "langfuse.trace.output": f"output {n}"} for n in range(4)]
    _, *requests = parts({}, *names)
    random.Random(3).shuffle(requests)
    trace = stored(project, [*requests, *requests])
    assert (trace.name, trace.output_preview) == ("name 0", "output 3")


def test_a_title_is_what_the_span_and_a_trace_of_it_are_called(project, key):
    template = "Chat Completion with {request_data[model]!r}"
    _, *requests = parts({"logfire.msg": "Chat Completion with 'gpt-4o'"})
    requests[0].resource_spans[0].scope_spans[0].spans[0].name = template
    trace = stored(project, requests)
    assert trace.name == "Chat Completion with 'gpt-4o'"
    api = Client(headers={"x-bee-authorization": key})
    (found,) = api.get(f"/v1/traces/{trace.trace_id}/spans").json()["results"]
    assert (found["name"], found["title"]) == (template, "Chat Completion with 'gpt-4o'")
    assert Span.objects.get().labels == {"title": "Chat Completion with 'gpt-4o'"}


def test_the_rows_of_a_trace_name_spans_by_their_titles(viewer, project):
    _, *requests = parts({}, {"logfire.msg": "ask Brno"})
    trace = stored(project, requests)
    page = viewer.get(f"/admin/traces/trace/{trace.pk}/change/").content.decode()
    assert ">ask Brno</a>" in page


def test_a_span_without_labels_stores_none(project):
    stored(project, list(parts({"logfire.msg": "root"}))[1:])
    assert (Span.objects.get().labels, Span.objects.get().title) == (None, "root")


def test_the_api_has_a_told_output_whole_and_the_list_its_beginning(project, key):
    _, *requests = parts({"langfuse.observation.output": "a"}, {"langfuse.trace.output": f'"{LONG}"'})
    trace = stored(project, requests)
    api = Client(headers={"x-bee-authorization": key})
    assert api.get(f"/v1/traces/{trace.trace_id}").json()["result"]["output"] == LONG
    assert len(api.get("/v1/traces").json()["results"][0]["output"]) == 500


def test_stored_spans_get_their_labels_and_sessions_by_renormalizing(project):
    _, *requests = parts({}, {"langfuse.trace.name": "[main] API check"})
    requests[0].resource_spans[0].resource.attributes.extend(
        export_request(resource={"session.id": "ses-9a"}).resource_spans[0].resource.attributes[1:]
    )
    trace = stored(project, requests)
    Span.objects.update(labels=None, session_id="")
    Trace.objects.update(name="root", session_id="")
    assert renormalize([trace.pk]).columns == {"labels": 1, "session_id": 1}
    trace.refresh_from_db()
    assert (trace.name, trace.session_id) == ("[main] API check", "ses-9a")


def test_what_langfuses_sdk_said_of_a_trace_is_the_traces():
    flow = next(records for records in load("langfuse-5-js").values() if any(one.name == "flow" for one in records))
    found = summarize(flow)
    assert (found.input_preview, found.output_preview) == ("TI", "TO")
