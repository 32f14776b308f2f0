"""Answers that instrumentations send as the provider gave them, where the messages beside them say less, or none do."""

import json

import pytest

from spans.records import ScopeRecord, SpanRecord
from spans.semconv import content, normalize


def record(scope, **attributes):
    found = SpanRecord(
        trace_id="a" * 32, span_id="b" * 16, name="call", scope=ScopeRecord(scope),
        attributes={
            key.replace("__", "."): json.dumps(value) if isinstance(value, dict | list) else value
            for key, value in attributes.items()
        },
    )  # fmt: skip
    normalize(found)
    return found


def parts(messages):
    return [(part["type"], part.get("text", part.get("name"))) for message in messages for part in message["parts"]]


def gemini(output, **more):
    return record(
        "openinference.instrumentation.google_genai", openinference__span__kind="LLM",
        llm__model_name="gemini-2.5-flash", llm__output_messages__0__message__role="model",
        llm__output_messages__0__message__content="It is 42.", output__value=output, **more,
    )  # fmt: skip


CODE = [
    {"executable_code": {"code": "print(6*7)", "language": "PYTHON"}},
    {"code_execution_result": {"outcome": "OUTCOME_OK", "output": "42\n"}},
]


@pytest.mark.parametrize("before", [{}, {"sdk_http_response": {"headers": {"a": "b"}}}])
def test_code_that_gemini_ran_is_read_from_the_answer_that_openinference_sends_as_value(before):
    answer = {"role": "model", "parts": [*CODE, {"text": "It is 42."}]}
    found = gemini({**before, "candidates": [{"content": answer}]})
    assert parts(content(found).output_messages) == [
        ("tool_call", "code_execution"), ("tool_result", "code_execution"), ("text", "It is 42."),
    ]  # fmt: skip
    assert found.output_preview == "It is 42."


def test_an_answer_of_gemini_without_tools_is_read_from_the_messages():
    other = {"candidates": [{"content": {"role": "model", "parts": [{"text": "raw"}]}}]}
    assert parts(content(gemini(other)).output_messages) == [("text", "It is 42.")]


SPOKEN = {"choices": [{"message": {"role": "assistant", "content": None, "audio": {"transcript": "Good morning"}}}]}


def test_a_spoken_answer_of_which_openinference_sends_the_role_alone_has_its_transcript():
    found = record(
        "openinference.instrumentation.openai", openinference__span__kind="LLM",
        llm__model_name="gpt-4o-audio-preview", llm__output_messages__0__message__role="assistant",
        output__value={"id": "chatcmpl-1", **SPOKEN},
    )  # fmt: skip
    assert content(found).output_messages[0]["parts"][0]["transcript"] == "Good morning"
    assert found.output_preview == "Good morning"


@pytest.mark.parametrize(
    "answer",
    [
        {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]},
        {"object": "response", "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]},
    ],
)
def test_a_call_without_messages_has_those_of_its_answer(answer):
    found = record("x", openinference__span__kind="LLM", output__value=answer)
    assert parts(content(found).output_messages) == [("text", "Hi")]


def test_a_value_that_is_no_answer_holds_no_messages():
    assert content(record("x", openinference__span__kind="LLM", output__value={"score": 1})).output_messages == []


QUESTION = {"event.name": "gen_ai.user.message", "content": "News?", "role": "user"}


def test_logfires_events_of_the_responses_api_are_messages_and_hosted_tools_calls():
    search = {"type": "web_search_call", "id": "ws", "action": {"type": "search", "query": "news"}}
    found = record(
        "logfire.openai", gen_ai__request__model="gpt-5", gen_ai__system="openai",
        events=[
            {"event.name": "gen_ai.system.message", "content": "Be brief", "role": "system"},
            QUESTION,
            {"event.name": "gen_ai.unknown", "role": "assistant", "content": "web_search_call\n\nSee JSON for details",
             "data": search},
            {"event.name": "gen_ai.assistant.message", "content": "None.", "role": "assistant"},
        ],
    )  # fmt: skip
    full = content(found)
    assert [message["role"] for message in full.input_messages] == ["system", "user"]
    assert parts(full.output_messages) == [("tool_call", "web_search"), ("text", "None.")]
    assert (found.input_preview, found.output_preview) == ("News?", "None.")


def test_pydantic_ais_events_of_a_call_are_messages():
    earlier = {
        "event.name": "gen_ai.assistant.message",
        "role": "assistant",
        "content": "Ask.",
        "gen_ai.message.index": 0,
    }
    answer = {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "None."}}
    found = record(
        "pydantic-ai", gen_ai__operation__name="chat", gen_ai__request__model="gpt-4o",
        events=[earlier, QUESTION, answer],
    )  # fmt: skip
    full = content(found)
    assert parts(full.input_messages) == [("text", "Ask."), ("text", "News?")]
    assert parts(full.output_messages) == [("text", "None.")]
    assert (found.input_preview, found.output_preview) == ("News?", "None.")


@pytest.mark.parametrize(
    "response",
    [
        {"message": {"role": "assistant", "content": "None."}, "usage": {}},
        {"combined_chunk_content": "None.", "chunk_count": 2},
        {"text": "None."},
    ],
)
def test_logfires_request_and_response_hold_the_messages(response):
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": "News?"}], "tools": [{"name": "look"}]}
    found = record(
        "logfire.openai", gen_ai__request__model="gpt-4o", gen_ai__system="openai", request_data=request,
        response_data=response,
    )  # fmt: skip
    full = content(found)
    assert parts(full.input_messages) == [("text", "News?")]
    assert parts(full.output_messages) == [("text", "None.")]
    assert [tool["name"] for tool in full.tool_definitions] == ["look"]
    assert (found.input_preview, found.output_preview) == ("News?", "None.")


def test_logfires_request_of_embeddings_is_no_conversation():
    found = record("logfire.openai", gen_ai__request__model="e", request_data={"input": "text", "model": "e"})
    assert content(found).input_messages == []
