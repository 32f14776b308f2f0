"""Payloads of JavaScript SDKs, recorded against a fake model server each of whose calls has token counts of its own.

Of every prompt 3 tokens are cached (4 in the Responses API) and 2 or 3 of an answer's are reasoning; Gemini adds 5
thoughts to its output.
"""

from collections import Counter

import pytest

from spans.records import SpanRecord
from spans.semconv import content, normalize
from tests.spans.semconv.test_sdk_payloads import assert_traces, load, spans

SUNNY = "It is sunny in Brno. "
# name, status, input tokens, output tokens, session, user, beginning of the output
TRACES = {
    "beeai-ts-openinference-tools": [
        ("beeai-framework-main", "OK", 450, 180, "", "", SUNNY),
        ("beeai-framework-main", "OK", None, None, "", "", SUNNY),
        ("beeai-framework-main", "OK", 7, 0, "", "", ""),
        ("beeai-framework-main", "ERROR", None, None, "", "", ""),
    ],
    "mastra": [
        ("invoke_agent Weather Agent", "OK", 239, 59, "s-1", "u-1", SUNNY),
        ("invoke_agent Bad Agent", "OK", 247, 67, "", "", SUNNY),
        ("invoke_workflow flow", "OK", 230, 50, "", "", "The capital is Paris."),
        ("invoke_workflow badflow", "ERROR", None, None, "", "", '{"n":2}'),
    ],
    "genkit": [
        ("weatherFlow", "OK", 467, 287, "", "", SUNNY),
        ("generate", "ERROR", 235, 145, "", "", 'broken({"city": "Brno"})'),
        ("generate", "OK", 237, 147, "", "", '{"name": "Ann", "age": 3}'),
        ("generate", "OK", 877, 347, "", "", "The capital is Paris."),
        ("openai/text-embedding-3-small", "OK", None, None, "", "", '{"embeddings":"[vector]"}'),
        ("docs", "OK", None, None, "", "", '{"documents":'),
        ("hello", "OK", 240, 150, "", "", SUNNY),
    ],
    "langchain-js": [
        ("RunnableSequence", "OK", 168, 78, "s-1", "u-1", SUNNY),
        ("weatherman", "OK", 343, 163, "s-1", "u-1", SUNNY),
        ("ChatOpenAI", "OK", 275, 95, "", "", "The capital is Paris."),
        ("ChatAnthropic", "OK", 176, 86, "", "", "Let me see."),
    ],
    "openllmetry-js": [
        ("toolchat.workflow", "OK", 389, 209, "s-1", "u-1", SUNNY),
        ("lcagent.workflow", "OK", 403, 223, "s-1", "u-1", SUNNY),
    ],
    "strands-ts": [
        ("invoke_agent Strands Agent", "OK", 495, 315, "s-1", "u-1", SUNNY),
        ("invoke_agent Strands Agent", "OK", 499, 319, "", "", SUNNY),
    ],
    "voltagent": [("Weather", "OK", 242, 152, "c-1", "u-1", SUNNY)],
    "google-adk-js": [
        ("invocation", "OK", 931, 391, "295dddb4-671e-440b-a260-29a07805ef7d", "", "The capital is Paris."),
    ],
    "langsmith-js": [
        ("my_fn", "OK", 190, 100, "s-2", "", SUNNY),
        ("ChatOpenAI", "OK", 191, 101, "", "", SUNNY),
    ],
}


@pytest.mark.parametrize("family", TRACES)
def test_traces_have_their_status_totals_session_user_and_output(family):
    assert_traces(family, TRACES[family])


def types(family):
    return Counter((record.name, record.span_type) for records in load(family).values() for record in records)


def tool(family, name, index=0):
    full = content(spans(family, name)[index])
    return full.tool_name, full.tool_arguments, full.tool_result, full.tool_call_id


def parts(messages):
    return [(message["role"], part) for message in messages for part in message["parts"] if part["type"] != "text"]


def called(identity):
    return {"type": "tool_call", "id": identity, "name": "get_weather", "arguments": {"city": "Brno"}}


def test_beeai_events_of_tools_say_which_tool_it_was_with_what_and_what_it_gave():
    family = "beeai-ts-openinference-tools"
    success = "tool.dynamic.getWeather.success-1"
    assert tool(family, success) == ("getWeather", {"city": "Brno"}, {"city": "Brno", "t": 21}, "")
    (failed,) = spans(family, "tool.dynamic.broken.error-1")
    assert (failed.tool_name, failed.input_preview, failed.error_type) == ("broken", '{"q":"Brno"}', "ToolError")


def test_beeai_messages_have_the_calls_of_tools_and_their_results():
    family = "beeai-ts-openinference-tools"
    (answer,) = spans(family, "backend.openai.chat.success-1")[:1]
    assert answer.output_preview == 'get_weather({"city": "Brno"})'
    assert parts(content(answer).output_messages) == [("assistant", called("call_49"))]
    (asked,) = spans(family, "backend.openai.chat.start-2")
    assert parts(content(asked).input_messages) == [
        ("assistant", called("call_49")),
        ("tool", {"type": "tool_result", "id": "call_49", "name": "get_weather", "result": {"city": "Brno", "t": 21}}),
    ]


def test_pieces_of_a_streamed_beeai_answer_are_one_text():
    streamed = spans("beeai-ts-openinference-tools", "backend.openai.chat.success-1")[-1]
    (message,) = content(streamed).output_messages
    assert message["parts"] == [{"type": "text", "text": "Thought: I know.\nFinal Answer: It is sunny in Brno. C53 "}]


def test_beeai_embeddings_count_once_and_show_their_texts():
    (call,) = spans("beeai-ts-openinference-tools", "backend.openai.embedding.success-1")
    assert (call.span_type, call.provider_name, call.input_tokens) == ("EMBEDDING", "openai", 7)
    assert content(call).embedding_inputs == ["a", "b"]


def test_mastra_has_types_for_its_own_kinds_of_spans():
    found = types("mastra")
    assert found["invoke_agent Weather Agent", "AGENT"] == 1
    assert found["model_generation gpt-4o-mini", "CHAIN"] == 2
    assert found["agent_step Weather Agent", "CHAIN"] == 2
    assert found["chat gpt-4o-mini", "CHAT_MODEL"] == 4
    assert found["workflow_step s1", "TASK"] == 2
    assert found["invoke_workflow flow", "WORKFLOW"] == 1


def test_mastra_agents_and_steps_show_what_they_were_asked_and_answered():
    agent, *_ = spans("mastra", "invoke_agent Weather Agent")
    assert (agent.input_preview, content(agent).tags) == ("Weather in Brno?", ["t1"])
    step, *_ = spans("mastra", "agent_step Weather Agent")
    assert (step.input_preview, step.output_preview) == ("Weather in Brno?", 'get_weather({"city": "Brno"})')
    assert parts(content(step).output_messages) == [("assistant", called("call_19"))]
    call, *_ = spans("mastra", "chat gpt-4o-mini")
    assert (call.cached_input_tokens, content(call).time_to_first_token_ms) == (3, 435)
    first, *_ = spans("mastra", "workflow_step s1")
    assert (first.input_preview, first.output_preview) == ('{"n":1}', '{"n":2}')


def test_genkit_actions_have_types_models_and_usage():
    found = types("genkit")
    assert found["weatherFlow", "WORKFLOW"] == 1
    assert found["generate", "CHAIN"] == 7
    assert found["openai/gpt-4o-mini", "CHAT_MODEL"] == 5
    assert found["get_weather", "TOOL"] == 2
    assert found["openai/text-embedding-3-small", "EMBEDDING"] == 1
    assert found["docs", "RETRIEVER"] == 1
    call, *_ = spans("genkit", "openai/gpt-4o-mini")
    assert (call.provider_name, call.request_model, call.response_model) == (
        "openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18",
    )  # fmt: skip
    assert (call.cached_input_tokens, content(call).reasoning_tokens, call.cost_usd is not None) == (3, 2, True)
    gemini, *_ = spans("genkit", "googleai/gemini-2.5-flash")
    assert (gemini.provider_name, gemini.input_tokens, gemini.output_tokens) == ("gcp.gemini", 438, 168 + 5)


def test_genkit_messages_tools_documents_and_prompts_are_read():
    first, second = spans("genkit", "openai/gpt-4o-mini")[:2]
    assert parts(content(first).output_messages) == [("assistant", called("call_133"))]
    assert parts(content(second).input_messages)[-1] == (
        "tool", {"type": "tool_result", "id": "call_133", "name": "get_weather", "result": {"city": "Brno", "t": 21}},
    )  # fmt: skip
    assert [item["name"] for item in content(first).tool_definitions] == ["get_weather"]
    assert content(first).request_parameters == {"temperature": 0.3}
    assert tool("genkit", "get_weather")[:3] == ("get_weather", {"city": "Brno"}, {"city": "Brno", "t": 21})
    (document,) = content(spans("genkit", "docs")[0]).documents
    assert (document["content"], document["metadata"]) == ("Refund: 30 days", {"src": "a"})
    assert content(spans("genkit", "openai/text-embedding-3-small")[0]).embedding_inputs == ["hello"]
    assert content(spans("genkit", "hello")[0]).prompt_name == "hello"


def test_langchain_js_messages_have_blocks_and_ids_of_calls():
    first, second = (record for record in spans("langchain-js", "ChatOpenAI") if record.input_preview == "Weather?")
    assert parts(content(first).output_messages) == [("assistant", called("call_71"))]
    system, *_ = content(second).input_messages
    assert system == {"role": "system", "parts": [{"type": "text", "text": "be nice"}]}
    (claude,) = spans("langchain-js", "ChatAnthropic")
    assert (claude.provider_name, parts(content(claude).output_messages)) == (
        "anthropic", [("assistant", called("toolu_76"))],
    )  # fmt: skip


def test_a_message_of_a_tool_is_the_tools_result():
    assert tool("langchain-js", "get_weather") == ("get_weather", "Brno", {"city": "Brno", "t": 21}, "call_71")
    assert spans("langchain-js", "get_weather")[0].output_preview == '{"city":"Brno","t":21}'
    assert spans("langchain-js", "tools")[0].output_preview == '{"city":"Brno","t":21}'
    assert [record.output_preview for record in spans("langchain-js", "model_request")] == [
        'get_weather({"city": "Brno"})', "It is sunny in Brno. C72",
    ]  # fmt: skip


def test_openllmetry_tools_have_the_arguments_that_they_were_called_with():
    assert tool("openllmetry-js", "get_weather.tool")[:3] == (
        "get_weather", {"city": "Brno"}, {"city": "Brno", "t": 21},
    )  # fmt: skip
    (step,) = spans("openllmetry-js", "execute_tool DynamicStructuredTool")
    assert (step.span_type, step.output_preview) == ("TOOL", '{"city":"Brno","t":21}')
    assert tool("openllmetry-js", "execute_tool DynamicStructuredTool") == (
        "get_weather", {"city": "Brno"}, {"city": "Brno", "t": 21}, "call_101",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ('{"args": [], "kwargs": {"city": "Brno"}}', {"city": "Brno"}),
        ('{"args": ["Brno", 2], "kwargs": {}}', ["Brno", 2]),
        ('{"args": ["Brno"], "kwargs": {"unit": "C"}}', {"args": ["Brno"], "kwargs": {"unit": "C"}}),
        ('{"args": ["Brno"]}', ["Brno"]),
        ('{"city": "Brno"}', {"city": "Brno"}),
        ("Brno", "Brno"),
    ],
)
def test_arguments_of_an_openllmetry_tool_are_those_by_name_or_those_by_position(given, arguments):
    attributes = {"traceloop.span.kind": "tool", "traceloop.entity.input": given}
    record = SpanRecord("t", "s", attributes=attributes)
    normalize(record)
    assert content(record).tool_arguments == arguments


def test_langsmith_usage_metadata_is_usage():
    (call,) = spans("langsmith-js", "my_fn")
    assert (call.input_tokens, call.output_tokens, call.cached_input_tokens) == (190, 100, 3)
    assert (content(call).reasoning_tokens, content(call).tags) == (2, [])


def test_strands_tools_have_arguments_and_result_and_its_cycles_are_chains():
    assert tool("strands-ts", "execute_tool get_weather") == (
        "get_weather", {"city": "Brno"}, {"city": "Brno", "t": 21}, "call_147",
    )  # fmt: skip
    (failed,) = spans("strands-ts", "execute_tool broken")
    assert (failed.input_preview, failed.output_preview, failed.error_type) == (
        '{"city":"Brno"}', "Error: no such city", "TypeError",
    )  # fmt: skip
    assert types("strands-ts")["execute_agent_loop_cycle", "CHAIN"] == 4
    first, *_ = spans("strands-ts", "chat")
    assert (first.output_preview, parts(content(first).output_messages)) == (
        'get_weather({"city": "Brno"})', [("assistant", called("call_147"))],
    )  # fmt: skip


def test_voltagent_has_types_for_its_spans_and_usage_on_agents():
    found = types("voltagent")
    assert (found["Weather", "AGENT"], found["llm:generateText", "CHAT_MODEL"], found["memory.read", "MEMORY"]) == (
        1,
        1,
        1,
    )
    (agent,) = spans("voltagent", "Weather")
    assert (agent.input_preview, agent.input_tokens, agent.cached_input_tokens) == ("Weather?", 241 + 242, 6)
    assert tool("voltagent", "tool.execution:get_weather") == (
        "get_weather", {"city": "Brno"}, {"city": "Brno", "t": 21}, "call_141",
    )  # fmt: skip


def test_google_adk_in_javascript_has_instructions_and_names_of_failed_tools():
    assert spans("google-adk-js", "execute_tool broken")[0].tool_name == "broken"
    system, user = content(spans("google-adk-js", "call_llm")[0]).input_messages
    assert (system["role"], user["parts"]) == ("system", [{"type": "text", "text": "Broken?"}])
