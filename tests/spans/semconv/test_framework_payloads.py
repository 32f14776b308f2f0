"""Payloads of frameworks that trace themselves in words of their own, and of what their instrumentations make of them.

Recorded against a fake model server each of whose calls has token counts of its own, with some of the input cached and
some of the output reasoning.
"""

from decimal import Decimal

import pytest

from spans.records import SpanRecord
from spans.semconv import content, normalize
from tests.spans.semconv.test_sdk_payloads import assert_traces, load, spans
from traces.summaries.summary import summarize

SUNNY = "It is sunny in Brno. C"
PARIS = "The capital is Paris. "
WEATHER_CALL = 'get_weather({"city": "Brno"})'
LOGFIRE_CHAT = "Chat Completion with {request_data[model]!r}"
LOGFIRE_TITLE = "Chat Completion with 'gpt-4o-mini'"
AGENTS = "OpenAI Agents trace: Agent workflow"
# name, status, input tokens, output tokens, session, user, beginning of the output
TRACES = {
    "azure-ai-inference": [
        ("chat gpt-4o-mini", "OK", 151, 61, "", "", SUNNY),
        ("chat gpt-4o-mini", "OK", 152, 62, "", "", WEATHER_CALL),
        ("chat gpt-4o-mini", "OK", 153, 63, "", "", SUNNY),
        ("chat x-500", "ERROR", None, None, "", "", ""),
    ],
    "litellm": [
        ("chat gpt-4o-mini", "OK", 403, 313, "", "", WEATHER_CALL),
        ("chat x-429", "ERROR", 0, 0, "", "", ""),
        ("litellm_request", "OK", 502, 412, "", "u-1", SUNNY),
        ("litellm_request", "OK", 503, 413, "", "", WEATHER_CALL),
        ("litellm_request", "OK", 506, 416, "", "", WEATHER_CALL),
        ("litellm_request", "ERROR", None, None, "", "", ""),
        ("litellm_request", "OK", 7, 0, "", "", ""),
        ("litellm_request", "OK", 608, 428, "", "", PARIS),
    ],
    "openllmetry-langgraph": [
        ("invoke_agent weather_agent", "OK", 875, 695, "t-1", "u-1", SUNNY),
        ("invoke_agent weather_agent", "OK", 879, 699, "", "", SUNNY),
        ("invoke_agent boom_agent", "ERROR", 441, 351, "", "", 'boom({"city": "Brno"})'),
    ],
    "openllmetry-crewai": [
        ("crewai.workflow", "OK", 889, 709, "", "", SUNNY),
        ("crewai.workflow", "ERROR", None, None, "", "", ""),
    ],
    "openinference-failures": [
        ("Completions", "OK", None, None, "", "", ""),
        ("lim", "ERROR", None, None, "", "", ""),
    ],
    "logfire": [
        (LOGFIRE_TITLE, "OK", 405, 315, "", "", SUNNY),
        (LOGFIRE_TITLE, "OK", 411, 321, "", "", '{"name": "Ann", "age": 3}'),
        ("ask Brno", "OK", 433, 343, "", "", PARIS),
        ("ask openai", "OK", 435, 345, "", "", SUNNY),
    ],
    "logfire-agents": [
        (AGENTS, "OK", 1145, 785, "", "", PARIS),
        ("OpenAI Agents trace: my flow", "OK", 949, 769, "g-1", "", SUNNY),
        (AGENTS, "ERROR", 476, 386, "", "", 'boom({"city": "Brno"})'),
        (AGENTS, "ERROR", None, None, "", "", ""),
    ],
    "haystack-2": [
        ("haystack.pipeline.run", "OK", 474, 377, "", "", SUNNY),
        ("haystack.agent.run", "OK", 937, 757, "", "", SUNNY),
        ("haystack.agent.run", "OK", 941, 761, "", "", SUNNY),
        ("haystack.agent.run", "ERROR", None, None, "", "", ""),
    ],
    "agent-framework": [
        ("workflow.run", "OK", 239, 59, "", "", SUNNY),
    ],
    "mcp": [
        ("ask", "OK", None, None, "", "", ""),
    ],
    "openlit": [
        ("chat gpt-4o-mini", "OK", 529, 439, "", "u-9", SUNNY),
        ("chat gpt-4o-mini", "OK", 530, 440, "", "", WEATHER_CALL),
        ("chat gpt-4o-mini", "OK", 531, 441, "", "", SUNNY),
        ("chat gpt-4o-mini", "OK", 532, 442, "", "", SUNNY),
        ("chat x-429", "ERROR", None, None, "", "", ""),
        ("chat claude-sonnet-4-5", "OK", 541, 451, "", "", "Let me see."),
        ("chat x-429", "ERROR", None, None, "", "", ""),
    ],
    "ag2": [
        ("invoke_agent weather", "OK", 907, 727, "", "", SUNNY),
        ("invoke_agent lim", "ERROR", None, None, "", "", ""),
        ("conversation user", "OK", 997, 817, "117159601166274412332058032685811586440", "", SUNNY),
    ],
}


@pytest.mark.parametrize("family", TRACES)
def test_traces_have_their_status_totals_session_user_and_output(family):
    assert_traces(family, TRACES[family])


def types(family, number):
    """The types of a trace's spans in the order of their starts."""
    trace = sorted(load(family).values(), key=lambda records: min(r.start_time_unix_nano for r in records))[number]
    return [record.span_type for record in sorted(trace, key=lambda record: record.start_time_unix_nano)]


def parts(messages):
    return [(message["role"], [part["type"] for part in message["parts"]]) for message in messages]


def test_azures_events_hold_whole_messages_as_json():
    calls = spans("azure-ai-inference", "chat gpt-4o-mini")
    first, asking, answering = (content(call) for call in calls)
    assert parts(first.input_messages) == [("system", ["text"]), ("user", ["text"])]
    assert asking.output_messages[0]["parts"] == [
        {"type": "tool_call", "id": "call_52", "name": "get_weather", "arguments": {"city": "Brno"}}
    ]
    assert answering.input_messages[-1]["parts"][0] == {
        "type": "tool_result", "id": "call_52", "name": "", "result": "sunny",
    }  # fmt: skip
    assert calls[0].input_preview == "hi"


def test_litellm_calls_have_the_usage_of_their_metadata_and_the_provider_of_their_model():
    call, _, claude, _, embedding, responses = spans("litellm", "litellm_request")
    shown = content(call)
    assert (call.span_type, call.operation_name, call.provider_name) == ("CHAT_MODEL", "chat", "openai")
    assert (call.cached_input_tokens, shown.reasoning_tokens, call.cost_usd) == (3, 2, Decimal("0.0003222750"))
    assert (claude.provider_name, claude.cached_input_tokens) == ("anthropic", 30)
    assert content(claude).cache_creation_input_tokens == 20
    assert (embedding.span_type, embedding.operation_name, embedding.provider_name) == (
        "EMBEDDING", "embeddings", "openai",
    )  # fmt: skip
    assert (responses.span_type, responses.provider_name) == ("CHAT_MODEL", "openai")
    assert {record.span_type for record in spans("litellm", "raw_gen_ai_request")} == {"CHAIN"}


def test_a_failed_litellm_call_has_no_cost_that_nobody_reported():
    (failed,) = spans("litellm", "chat x-429")
    assert (failed.cost_usd, failed.error_type) == (None, "RateLimitError")


def test_tools_of_langchain_through_openllmetry_have_their_arguments_and_results():
    tool = spans("openllmetry-langgraph", "execute_tool get_weather")[0]
    shown = content(tool)
    assert (shown.tool_arguments, shown.tool_result, shown.tool_call_id) == (
        {"city": "Brno"}, "sunny in Brno", "call_337",
    )  # fmt: skip
    assert (tool.input_preview, tool.output_preview) == ('{"city": "Brno"}', "sunny in Brno")
    assert shown.output.startswith('{"output": {"lc": 1')


def test_steps_of_langgraph_show_what_they_did():
    asking, answering = spans("openllmetry-langgraph", "execute_task model")[:2]
    assert asking.output_preview == WEATHER_CALL
    assert answering.output_preview.startswith(SUNNY)
    assert spans("openllmetry-langgraph", "execute_task tools")[0].output_preview == "sunny in Brno"


def test_a_crew_without_calls_in_its_trace_counts_by_its_own_sum():
    assert types("openllmetry-crewai", 0) == ["WORKFLOW", "TASK", "AGENT"]
    crew = spans("openllmetry-crewai", "crewai.workflow")[0]
    assert (crew.input_preview, crew.cached_input_tokens) == ("Weather in Brno?", 6)
    (task,) = spans("openllmetry-crewai", "Weather in Brno?.task")
    assert (task.input_preview, content(task).agent_name) == ("Weather in Brno?", "Forecaster")


def test_neither_an_unread_stream_nor_the_response_to_a_failed_request_is_an_answer():
    (stream,) = spans("openinference-failures", "Completions")
    assert (stream.input_preview, stream.output_preview) == ("hi stream", "")
    (failed,) = spans("openinference-failures", "ChatOpenAI")
    assert (failed.output_preview, content(failed).output_text) == ("", "")
    assert content(failed).error_message == "Error code: 429 - Rate limit reached"


def test_logfire_has_the_details_of_the_usage_as_the_provider_reported_them():
    call = spans("logfire", LOGFIRE_CHAT)[0]
    assert (call.cached_input_tokens, content(call).reasoning_tokens) == (3, 2)
    (claude,) = spans("logfire", "anthropic.messages.create")
    report = next(
        r for records in load("logfire").values() for r in records if r.input_tokens == 433 and r is not claude
    )
    assert (report.cached_input_tokens, content(report).cache_creation_input_tokens) == (30, 20)


def test_agents_through_logfire_are_what_their_messages_say():
    assert types("logfire-agents", 1) == [
        "WORKFLOW", "CHAIN", "AGENT", "CHAIN", "CHAT_MODEL", "TOOL", "CHAIN", "CHAT_MODEL",
    ]  # fmt: skip
    tool = spans("logfire-agents", "Function: {name}")[0]
    assert (tool.tool_name, tool.input_preview, tool.output_preview) == (
        "get_weather", '{"city": "Brno"}', "sunny in Brno",
    )  # fmt: skip
    responses = spans("logfire-agents", "Responses API with {gen_ai.request.model!r}")[1]
    shown = content(responses)
    assert parts(shown.input_messages) == [
        ("system", ["text"]), ("user", ["text"]), ("assistant", ["tool_call"]), ("tool", ["tool_result"]),
    ]  # fmt: skip
    assert shown.tool_definitions[0]["name"] == "get_weather"
    failed = spans("logfire-agents", "Function: {name}")[-1]
    assert (failed.is_error, failed.output_preview, content(failed).error_message) == (True, "", "no such city")


def test_components_of_haystack_are_what_their_classes_do():
    assert types("haystack-2", 0) == ["WORKFLOW", "EMBEDDING", "RETRIEVER", "CHAIN", "CHAT_MODEL"]
    assert types("haystack-2", 1) == ["AGENT", "CHAT_MODEL", "TOOL", "CHAT_MODEL"]
    runs = spans("haystack-2", "haystack.component.run")
    embedder, retriever, _, call, asking, tool, answering = (content(run) for run in runs[:7])
    assert (embedder.input_tokens, embedder.embedding_inputs) == (7, ["refund?"])
    assert [document["content"] for document in retriever.documents] == ["Refunds within 30 days.", "Cats"]
    assert (call.provider_name, call.response_model, call.cached_input_tokens, call.reasoning_tokens) == (
        "openai", "gpt-4o-mini-2024-07-18", 3, 2,
    )  # fmt: skip
    assert (asking.finish_reasons, asking.tool_definitions[0]["name"]) == (["tool_calls"], "get_weather")
    assert (tool.tool_name, tool.tool_arguments, tool.tool_result) == (
        "get_weather", {"city": "Brno"}, "sunny in Brno",
    )  # fmt: skip
    assert answering.input_messages[-1]["parts"] == [
        {"type": "tool_result", "id": "call_368", "name": "get_weather", "result": "sunny in Brno"}
    ]
    assert spans("haystack-2", "haystack.pipeline.run")[0].input_preview == "refund?"


def test_haystack_without_content_keeps_its_types():
    keys = {"haystack.component.name": "llm", "haystack.component.type": "AzureOpenAIChatGenerator"}
    record = SpanRecord("t", "s", name="haystack.component.run", attributes=keys)
    normalize(record)
    assert (record.span_type, record.provider_name, record.input_tokens) == ("CHAT_MODEL", "azure.ai.openai", None)


def test_usage_that_ag2_records_beside_a_call_does_not_count():
    records = next(records for records in load("ag2").values() if len(records) == 6)
    counted = summarize(records).counted
    assert {record.name for record in records if record.span_id in counted} == {"chat gpt-4o-mini"}
    assert {r.span_type for r in records if r.name == "record_usage model_call"} == {"CHAIN"}


def test_workflows_of_the_agent_framework_are_what_their_names_say():
    assert types("agent-framework", 0)[:2] == ["WORKFLOW", "CHAIN"]
    assert types("agent-framework", 0).count("AGENT") == 2


def test_calls_of_tools_through_mcp_are_tools_on_both_sides():
    client, server = (spans("mcp", name)[0] for name in ("MCP send tools/call boom", "tools/call boom"))
    assert [(one.span_type, one.tool_name) for one in (client, server)] == [("TOOL", "boom")] * 2
    assert (server.is_error, server.error_type) == (True, "tool_error")
    assert [(one.span_type, one.operation_name) for one in spans("mcp", "tools/list")] == [("UNKNOWN", "tools/list")]


def test_a_cost_of_nothing_from_openlit_is_the_listed_price():
    call, asking = spans("openlit", "chat gpt-4o-mini")[:2]
    assert (call.cost_usd, call.cached_input_tokens) == (Decimal("0.0003425250"), 3)
    assert (asking.tool_name, content(asking).tool_call_id) == ("", "")
    assert content(asking).output_messages[0]["parts"][0]["name"] == "get_weather"


def test_a_failed_call_of_openlit_is_a_call_by_its_name():
    failed = spans("openlit", "chat x-429")[-1]
    assert (failed.span_type, failed.operation_name, failed.request_model) == ("CHAT_MODEL", "chat", "x-429")
    assert failed.error_type == "anthropic.RateLimitError"
