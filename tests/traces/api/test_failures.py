"""Failures as lists, filters, traces, sessions and pages show them: one rule everywhere."""

import json

import pytest

from tests.builders import attributes, new_span_id, new_trace_id, span
from tests.traces.admin.test_pages import member
from tests.traces.api.conftest import START_NS

pytestmark = pytest.mark.django_db
SECOND = 1_000_000_000
ERROR = {"code": 2}
CLAUDE = "com.anthropic.claude_code.tracing"


def event(**attrs):
    return {
        "name": "exception",
        "attributes": attributes({key.replace("_", "."): value for key, value in attrs.items()}),
    }


def get(client, path):
    return client.get(path).json()


def test_claude_codes_failures_are_found_though_its_spans_end_unset(api, store):
    trace_id, root = new_trace_id(), new_span_id()
    own = {"session.id": "cc-9"}
    call = {"span.type": "llm_request", "model": "m", "success": False, "error": "API Error: 529"} | own
    store(
        span("claude_code.interaction", trace_id=trace_id, span_id=root, attrs={"span.type": "interaction"} | own),
        span("claude_code.llm_request", trace_id=trace_id, parent_span_id=root, attrs=call),
        scope=CLAUDE,
    )
    (found,) = get(api, "/v1/spans?error=true&session_id=cc-9")["results"]
    assert (found["name"], found["status"]) == ("claude_code.llm_request", "ERROR")
    detail = get(api, f"/v1/traces/{trace_id}/spans/{found['span_id']}")["result"]
    assert detail["error_message"] == "API Error: 529"
    trace = get(api, f"/v1/traces/{trace_id}")["result"]
    assert (trace["status"], trace["error_count"]) == ("ERROR", 1)


def test_an_mcp_tools_error_is_found_and_counted(api, store):
    trace_id = new_trace_id()
    result = {"content": [{"type": "text", "text": "no such order"}], "isError": True}
    attrs = {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "order",
        "gen_ai.tool.call.result": json.dumps(result),
    }
    store(span("tools/call order", trace_id=trace_id, attrs=attrs))
    assert [trace["trace_id"] for trace in get(api, "/v1/traces?error=true")["results"]] == [trace_id]
    (found,) = get(api, f"/v1/traces/{trace_id}/spans")["results"]
    assert (found["status"], found["error_message"]) == ("ERROR", "no such order")


def test_a_pause_for_a_person_is_shown_and_not_counted(api, store, project):
    trace_id, root = new_trace_id(), new_span_id()
    pause = event(exception_type="GraphInterrupt", exception_message="(Interrupt(value={'ask': 'Send?'}, id='a1'),)")
    store(
        span("LangGraph", trace_id=trace_id, span_id=root, status={"code": 1}),
        span("approve", trace_id=trace_id, parent_span_id=root, status=ERROR, events=[pause]),
    )
    trace = get(api, f"/v1/traces/{trace_id}")["result"]
    assert (trace["status"], trace["error_count"]) == ("OK", 0)
    assert get(api, "/v1/traces?error=true")["results"] == []
    found = next(one for one in get(api, f"/v1/traces/{trace_id}/spans")["results"] if one["name"] == "approve")
    assert (found["status"], found["control_flow"], found["error_type"]) == (
        "OK",
        "waits for a person",
        "GraphInterrupt",
    )
    page = member(project, "viewer").get(f"/admin/traces/trace/open/{trace_id}/", follow=True).content.decode()
    assert "waits for a person" in page.split('class="failures stops"')[1].split("</ul>")[0]


def turn(number, trace_id, *, status=0, **attrs):
    named = {"langfuse.observation.type": "agent", "session.id": "h-9"}
    texts = {f"langfuse.observation.{key}": value for key, value in attrs.items()}
    return span(
        "turn", trace_id=trace_id, start_ns=START_NS + number * SECOND, attrs=named | texts, status={"code": status}
    )


def conversation(client, session_id):
    found = get(client, f"/v1/sessions/{session_id}?include_conversation=true")["result"]["conversation"]
    messages = [message for chapter in found["chapters"] for message in chapter["messages"]]
    return [(message["role"], message["parts"][0]["text"]) for message in messages]


def test_turns_that_share_a_trace_are_all_read_and_any_failed_one_fails_it(api, store):
    trace_id = new_trace_id()
    store(
        turn(0, trace_id, input="First?", output="One."),
        turn(1, trace_id, input="Second?", status=2, status_message="it broke"),
        turn(2, trace_id, input="Third?", output="Three."),
    )
    assert get(api, f"/v1/traces/{trace_id}")["result"]["status"] == "ERROR"
    assert conversation(api, "h-9") == [
        ("user", "First?"), ("assistant", "One."), ("user", "Second?"), ("error", "it broke"), ("user", "Third?"),
        ("assistant", "Three."),
    ]  # fmt: skip


def test_turns_with_and_without_readable_calls_stand_in_their_order(api, store):
    trace_id = new_trace_id()
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Second?"}]}]',
        "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Two."}]}]',
        "session.id": "h-9",
    }
    store(
        turn(2, trace_id, input="Third?", output="Three."),
        turn(0, trace_id, input="First?", output="One."),
        span("chat", trace_id=trace_id, start_ns=START_NS + SECOND, attrs=call),
    )
    assert [text for _, text in conversation(api, "h-9")] == ["First?", "One.", "Second?", "Two.", "Third?", "Three."]
