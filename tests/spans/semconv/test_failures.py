"""What a failed span is, and what only looks like one."""

import json

import pytest

from spans.records import ScopeRecord, SpanRecord
from spans.semconv import content, normalize
from spans.semconv.failures import CANCELLED, CONTROL_FLOW, HANDED_OVER, STOPPED, WAITS, control_flow
from spans.values import TaggedMap

UNSET, OK, ERROR = 0, 1, 2
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}
RESULT = "gen_ai.tool.call.result"


def exception(type="", message="", name="exception", **more):
    found = {"exception.type": type, "exception.message": message, **more}
    return {"name": name, "time_unix_nano": 1, "attributes": {key: value for key, value in found.items() if value}}


def read(attributes=None, status=UNSET, events=(), scope="app", message=""):
    """(failed, class, message, control flow) as the columns say it, and the content too."""
    record = SpanRecord(
        "t", "1", name="span", attributes=attributes or {}, events=list(events), status_code=status,
        status_message=message, scope=ScopeRecord(name=scope), start_time_unix_nano=1, end_time_unix_nano=2,
    )  # fmt: skip
    normalize(record)
    full = content(record)
    assert (record.is_error, record.error_type) == (full.is_error, full.error_type)
    return full.is_error, full.error_type, full.error_message, full.control_flow


def test_the_status_error_is_a_failure():
    assert read(status=ERROR, message="it broke") == (True, "", "it broke", "")


@pytest.mark.parametrize(
    ("scope", "attributes"),
    [
        ("app", {"error.type": "timeout"}),
        ("app", {"error": True}),
        ("app", {"success": False}),
        ("app", {"otel.status_code": "ERROR"}),
        ("com.anthropic.claude_code.tracing", {"success": "false"}),
        ("livekit-agents", {"lk.function_tool.is_error": True}),
        ("strands.telemetry.tracer", {"gen_ai.tool.status": "error"}),
        ("langfuse-sdk", {"langfuse.observation.level": "ERROR"}),
    ],
)
def test_a_span_that_says_so_failed_though_its_status_is_unset(scope, attributes):
    assert read(attributes, scope=scope)[0]


@pytest.mark.parametrize(
    "attributes",
    [
        {"error.type": "none"}, {"error": False}, {"error": "text"}, {"success": True}, {"otel.status_code": "OK"},
        {"lk.function_tool.is_error": False}, {"gen_ai.tool.status": "success"}, {"mellea.sampling.success": False},
    ],
)  # fmt: skip
def test_a_span_that_says_the_contrary_did_not(attributes):
    assert not read(attributes)[0]


def test_an_exception_that_was_caught_is_no_failure_and_one_that_escaped_is():
    assert not read(events=[exception("ConnectionError", "reset")])[0]
    escaped = exception("ConnectionError", "reset", **{"exception.escaped": "True"})
    assert read(events=[escaped]) == (True, "ConnectionError", "reset", "")
    assert not read(events=[exception("ConnectionError", "reset", **{"exception.escaped": "False"})])[0]


def test_a_span_that_is_ok_has_handled_its_error_unless_its_tool_says_otherwise():
    assert not read({"error.type": "timeout"}, status=OK, events=[exception("TimeoutError")])[0]
    assert read(TOOL | {RESULT: '{"isError": true}'}, status=OK)[0]


def test_an_mcp_tool_that_answers_with_an_error_failed():
    result = {"content": [{"type": "text", "text": "trace not found"}], "isError": True}
    attributes = TOOL | {"mcp.method.name": "tools/call", "error.type": "tool_error", RESULT: json.dumps(result)}
    event = exception("*errors.errorString", "trace not found")
    assert read(attributes, events=[event]) == (True, "*errors.errorString", "trace not found", "")
    assert read(TOOL | {RESULT: json.dumps(result)}) == (True, "", "trace not found", "")


@pytest.mark.parametrize(
    "result",
    [
        {"isError": True, "content": []},
        {"type": "tool_result", "tool_use_id": "c1", "is_error": True, "content": "no"},
        [{"type": "tool_result", "tool_use_id": "c1", "is_error": True, "content": "no"}],
        {"type": "tool", "status": "error", "tool_call_id": "c1", "content": "no"},
        {"output": {"type": "tool", "status": "error", "tool_call_id": "c1", "content": "no"}},
        {"toolResult": {"toolUseId": "c1", "status": "error", "content": [{"text": "no"}]}},
    ],
)
def test_results_of_other_frameworks_say_it_in_their_words(result):
    assert read(TOOL | {RESULT: json.dumps(result)})[0]
    assert read(TOOL | {RESULT: result})[0]


@pytest.mark.parametrize(
    "result",
    [
        "an error",
        '{"isError": false}',
        '{"status": "error"}',
        '{"text": "isError: true"}',
        "{isError",
        '[{"isError": 1}]',
    ],
)
def test_a_result_that_only_speaks_of_errors_is_none(result):
    assert not read(TOOL | {RESULT: result})[0]


def test_a_tagged_result_is_read_as_well():
    assert read(TOOL | {RESULT: TaggedMap({"isError": True, "$schema": "x"})})[0]


@pytest.mark.parametrize(
    ("type", "message", "meaning"),
    [
        ("GraphInterrupt", "(Interrupt(value={'ask': 'Send the mail?'}, id='a1'),)", WAITS),
        ("langgraph.errors.NodeInterrupt", "", WAITS),
        ("langgraph.errors.ParentCommand", "Command(graph='__parent__')", HANDED_OVER),
        ("Exception", "ParentCommand(Command(graph='__parent__'))Traceback (most recent call last): …", HANDED_OVER),
        ("Exception", "GraphInterrupt((Interrupt(value=1),))", WAITS),
        ("strands.interrupt.InterruptException", "", WAITS),
        ("pydantic_ai.exceptions.ApprovalRequired", "", WAITS),
        ("StopAsyncIteration", "", STOPPED),
        ("asyncio.exceptions.CancelledError", "", CANCELLED),
        ("System.OperationCanceledException", "The operation was canceled.", CANCELLED),
        ("<class 'asyncio.exceptions.CancelledError'>", "", CANCELLED),
    ],
)
def test_control_flow_is_told_apart_from_failures(type, message, meaning):
    failed, error_type, _, shown = read(status=ERROR, events=[exception(type, message)])
    assert (failed, shown) == (False, meaning)
    assert control_flow(error_type, message) == meaning


def test_control_flow_that_only_the_status_message_tells_is_seen():
    assert read(status=ERROR, message="GraphInterrupt((Interrupt(value=1),))") == (
        False, "GraphInterrupt", "GraphInterrupt((Interrupt(value=1),))", WAITS,
    )  # fmt: skip
    level = {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "GraphInterrupt(())"}
    assert read(level) == (False, "GraphInterrupt", "GraphInterrupt(())", WAITS)


@pytest.mark.parametrize(
    ("type", "message"),
    [
        ("TaskCanceledException", "The request was canceled due to the configured HttpClient.Timeout"),
        ("RuntimeError", "GraphInterrupt(()) was not handled"),
        ("Exception", "The graph met GraphInterrupt"),
        ("GraphRecursionError", ""),
        ("app.MyGraphInterruptError", ""),
    ],
)
def test_what_only_resembles_control_flow_is_a_failure(type, message):
    assert read(status=ERROR, events=[exception(type, message)])[0]


def test_the_names_of_control_flow_are_last_parts_of_classes():
    assert all(name.isidentifier() for name in CONTROL_FLOW)


def test_an_exception_under_another_name_gives_class_and_message():
    event = exception("RateLimitException", "429: slow down", name="gen_ai.client.operation.exception")
    assert read(status=ERROR, events=[event]) == (True, "RateLimitException", "429: slow down", "")


def test_of_a_langsmith_run_the_class_is_the_one_in_its_text():
    message = "OpenAIRateLimitError('Error code: 429')Traceback (most recent call last):\n\n  File ..."
    found = read(
        {"langsmith.span.kind": "llm"}, status=ERROR, events=[exception("Exception", message)], scope="langsmith"
    )
    assert found == (True, "OpenAIRateLimitError", "OpenAIRateLimitError('Error code: 429')", "")
