"""Payloads of SDKs in situations that the captures do not have, recorded against a fake model server.

Every call of the server has token counts of its own, so a call that is missed or counted twice shows in the totals.
"""

import pytest

from spans.records import SpanRecord
from spans.semconv import content, normalize
from tests.spans.semconv.test_sdk_payloads import load, spans, summaries
from traces.summaries.summary import summarize

SUBJECT = '{"subject": "Lunch", "body": "Let us meet at noon."'

# name, status, input tokens, output tokens, beginning of the output
TRACES = {
    "beeai-ts": [
        ("BeeAgent", "OK", None, None, "It is sunny in Brno. N108"),
        ("OpenAIChatModel", "OK", 237, 17, "The capital of France is Paris. — 137"),
        ("OpenAIChatModel", "ERROR", None, None, ""),
        ("OpenAIChatModel", "OK", 245, 12, 'get_weather({"city": "Brno"})'),
        ("OllamaChatModel", "OK", 299, 14, "The capital of France is Paris. — 199"),
        ("DynamicTool", "OK", None, None, '{"city":"Brno","t":21}'),
    ],
    "mellea": [
        ("start_session", "OK", None, None, ""),
        ("session", "OK", 101, 11, "The capital of France is Paris. — 1"),
        ("session", "OK", 225, 32, "The capital of France is Paris. — 12"),
        ("session", "OK", 115, 12, "The capital of France is Paris. — 15"),
        ("session", "OK", 124, 21, ""),  # only its tool has an output
        ("session", "ERROR", None, None, ""),
    ],
    "vercel-ai-5-objects": [
        ("ai.generateObject", "OK", 116, 13, '{"name":"Ann","age":3}'),
        ("ai.streamObject", "OK", 118, 15, '{"name":"Ann","age":3}'),
        ("ai.generateText", "OK", 120, 17, SUBJECT),
    ],
    "llama-index-streams": [
        ("RetrieverQueryEngine.query", "OK", None, None, "Refunds are possible within 30 days."),
        ("FunctionAgent.run", "OK", None, None, "According to the tool: sunny in Brno - so done."),
    ],
    "google-adk-streams": [
        ("invoke_workflow weather", "OK", 245, 42, 'According to the tool: {"error": "no such city"}'),
        ("invoke_workflow streamer", "OK", 127, 11, "The capital of France is Paris. — 27"),
    ],
    "langsmith": [
        ("agent", "OK", 259, 27, "According to the tool: sunny in Brno - so done."),
        ("bad", "ERROR", None, None, ""),
    ],
    "langfuse-5-metadata": [
        ("my-call", "OK", 103, 13, "The capital of France is Paris. — 3"),
        ("OpenAI-generation", "ERROR", None, None, ""),
        ("parallel", "OK", 402, 54, "The capital of France is Paris. — 34"),
    ],
}


@pytest.mark.parametrize("family", TRACES)
def test_traces_have_their_status_totals_and_output(family):
    found = summaries(family)
    assert len(found) == len(TRACES[family])
    for trace, (name, status, input_tokens, output_tokens, output) in zip(found, TRACES[family], strict=True):
        assert name in trace[0]
        assert trace[1:4] == (status, input_tokens, output_tokens), name
        assert trace[6].startswith(output), name
        assert output or not trace[6], name


def test_a_direct_beeai_call_shows_the_question_the_model_and_the_providers_error():
    failed = next(records for records in load("beeai-ts").values() if any(r.request_model == "err429" for r in records))
    assert summarize(failed).input_preview == "Capital of France?"
    (call,) = [record for record in failed if record.span_type == "CHAT_MODEL"]
    assert (call.provider_name, call.error_type, content(call).error_message) == (
        "openai", "AI_RetryError", "Rate limit reached",
    )  # fmt: skip


def test_mellea_calls_of_a_validation_are_counted_and_chunk_events_are_not_calls():
    judged = next(records for records in load("mellea").values() if len(records) == 6)
    counted = summarize(judged).counted
    assert sorted((r.input_tokens, r.output_tokens) for r in judged if r.span_id in counted) == [(112, 22), (113, 10)]
    streamed = next(r for r in spans("mellea", "chat gpt-4o-mini") if r.input_tokens == 115)
    assert {event["name"] for event in streamed.events} == {"chunk_processed"}
    assert content(streamed).time_to_first_token_ms == pytest.approx(80.554)


def test_what_a_model_asked_of_a_tool_is_not_the_input_of_the_trace():
    records = next(records for records in load("mellea").values() if any(r.tool_name == "get_weather" for r in records))
    assert summarize(records).input_preview == ""


def test_structured_answers_are_shown_as_the_json_that_they_are():
    (call,) = spans("vercel-ai-5-objects", "ai.generateObject.doGenerate")
    assert call.output_preview.startswith(SUBJECT)
    assert content(call).output.startswith(SUBJECT)


def test_an_output_that_was_still_a_generator_is_no_output():
    root, *_ = spans("llama-index-streams", "RetrieverQueryEngine.query")
    assert root.output_preview == ""
    assert "generator object" in content(root).output


def test_an_output_cut_off_by_the_sdk_is_taken_from_the_call_that_has_it_whole():
    root, *_ = spans("llama-index-streams", "FunctionAgent.run")
    assert root.output_preview == "According to the tool: sunny in Brno - ..."


def test_pieces_of_a_stream_listed_before_the_whole_answer_are_left_out():
    call = next(r for r in spans("google-adk-streams", "generate_content openai/gpt-4o-mini") if r.input_tokens == 127)
    assert [message["parts"][0]["text"] for message in content(call).output_messages] == [
        "The capital of France is Paris. — 27"
    ]


def test_langfuse_sessions_users_and_tags_may_be_metadata_of_a_call():
    (call,) = spans("langfuse-5-metadata", "my-call")
    assert (call.session_id, call.user_id, content(call).tags) == ("s-7", "u-7", ["t1"])


def spring_ai(kind, **attributes):
    own = {"gen_ai.operation.name": "framework", "gen_ai.system": "spring_ai", "spring.ai.kind": kind}
    record = SpanRecord("t", "s", attributes={**own, **attributes})
    normalize(record)
    return record


def test_spring_ai_says_by_its_kind_what_a_framework_span_is():
    client = spring_ai("chat_client", **{"spring.ai.chat.client.conversation.id": "s-1"})
    assert (client.span_type, client.session_id) == ("CHAIN", "s-1")
    tool = spring_ai(
        "tool_call",
        **{"spring.ai.tool.definition.name": "get_weather", "spring.ai.tool.call.arguments": '{"city":"Brno"}'},
    )
    assert (tool.span_type, tool.tool_name, tool.input_preview) == ("TOOL", "get_weather", '{"city":"Brno"}')
    query = spring_ai("vector_store", **{"db.operation.name": "query", "db.vector.query.content": "refund?"})
    assert (query.span_type, query.input_preview) == ("RETRIEVER", "refund?")
    assert spring_ai("vector_store", **{"db.operation.name": "add"}).span_type != "RETRIEVER"


def test_langsmith_calls_have_the_messages_of_their_requests_and_responses():
    (call,) = [r for r in spans("langsmith", "ChatOpenAI") if r.input_tokens == 129]
    assert call.output_preview == 'get_weather({"city": "Brno"})'
    assert content(call).output_messages[0]["parts"][0]["type"] == "tool_call"
