"""Voice agents: their turns, speech, models and tools. livekit-* were sent by the SDK with a model that answers from a
script, pipecat is what its own functions set.
"""

import json

import pytest

from spans.records import ScopeRecord, SpanRecord
from spans.semconv import content, normalize
from tests.spans.semconv.test_sdk_payloads import load, spans
from traces.summaries.summary import summarize

both = pytest.mark.parametrize("family", ["livekit-1.3", "livekit-1.8"])
HOURS = {"type": "tool_call", "id": "call_1", "name": "opening_hours", "arguments": {"day": "monday"}}


def span(name, attributes, scope="livekit-agents", events=()):
    record = SpanRecord("t", "1", name=name, attributes=attributes, scope=ScopeRecord(name=scope), events=list(events))
    normalize(record)
    return record


def read(record):
    return record, content(record)


@both
def test_a_livekit_session_asks_and_answers_by_its_turns(family):
    (records,) = load(family).values()
    found = summarize(records)
    assert (found.name, found.input_preview, found.output_preview) == (
        "agent_session", "When do you open on Monday?", "I cannot see the calendar.",
    )  # fmt: skip
    assert (found.input_tokens, found.output_tokens, found.error_count) == (4 * 220, 4 * 8, 1)
    assert not any(record.span_type == "UNKNOWN" for record in records)


@both
def test_livekit_spans_are_typed_and_carry_what_was_said(family):
    (records,) = load(family).values()
    types = {record.name: record.span_type for record in records}
    assert types["agent_session"] == "WORKFLOW"
    assert (types["agent_turn"], types["llm_request"], types["function_tool"]) == ("AGENT", "CHAT_MODEL", "TOOL")
    turns = spans(family, "agent_turn")
    assert (turns[0].input_preview, next(turn.output_preview for turn in turns if turn.output_preview)) == (
        "When do you open on Monday?",
        "We open at nine.",
    )
    request, full = read(spans(family, "llm_request")[0])
    assert full.output_messages[0]["parts"] == [HOURS]
    assert (request.request_model, full.time_to_first_token_ms is not None) == ("gpt-4.1-mini", True)
    _, node = read(spans(family, "llm_node")[1])
    roles = [message["role"] for message in node.input_messages]
    assert [role for role in roles if role != "other"] == ["system", "user", "assistant", "tool"]
    assert node.tool_definitions[0]["name"] == "opening_hours"


@both
def test_a_livekit_tool_has_its_arguments_result_and_failure(family):
    good, bad = (read(record) for record in spans(family, "function_tool"))
    assert (good[1].tool_name, good[1].tool_arguments, good[1].tool_result) == (
        "opening_hours", {"day": "monday"}, "nine to five",
    )  # fmt: skip
    assert (good[0].is_error, bad[0].is_error, bad[1].error_message) == (False, True, "Calendar is offline")
    assert bad[1].output == "Calendar is offline"


@pytest.mark.parametrize("prefix", ["lk.", "lk.pii."])
def test_livekit_content_is_found_under_the_keys_of_every_version(prefix):
    items = {"items": [{"type": "message", "role": "user", "content": ["When?"]}]}
    _, full = read(
        span("llm_node", {f"{prefix}chat_ctx": json.dumps(items), f"{prefix}response.text": "At nine.",
                          "lk.response.ttft": 0.41, "lk.interrupted": True})
    )  # fmt: skip
    assert (full.input_messages[0]["parts"][0]["text"], full.output) == ("When?", "At nine.")
    assert (full.time_to_first_token_ms, full.metadata["interrupted"]) == (410, True)
    heard = span("user_turn", {f"{prefix}user_transcript": "When?", f"{prefix}participant_identity": "caller-3",
                               "lk.participant_kind": "PARTICIPANT_KIND_SIP"})  # fmt: skip
    assert (heard.span_type, heard.input_preview, heard.user_id) == ("TASK", "When?", "caller-3")
    agent = span("agent_speaking", {f"{prefix}participant_identity": "agent-1", "lk.participant_kind": "AGENT"})
    assert agent.user_id == ""
    session = span("agent_session", {f"{prefix}room_name": "room-41"})
    assert session.session_id == "room-41"
    assert span("agent_session", {f"{prefix}room_name": "room-41", "lk.room_sid": "RM_1"}).session_id == "RM_1"


def test_livekit_1_8_names_its_operations_itself():
    node = span("llm_node", {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3})
    turn = span("agent_turn", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "desk"})
    live = span("realtime_inference", {"gen_ai.operation.name": "generate_content", "gen_ai.conversation.id": "RM_1"})
    assert [record.span_type for record in (node, turn, live)] == ["CHAT_MODEL", "AGENT", "LLM"]
    assert (content(turn).agent_name, live.session_id) == ("desk", "RM_1")


def test_what_is_spoken_is_neither_what_was_asked_nor_the_answer():
    speech = span("tts_node", {"lk.input_text": "Welcome!", "lk.response.ttfb": 0.2})
    speech.span_id, speech.parent_span_id, speech.start_time_unix_nano = "2", "1", 1
    assert (speech.span_type, speech.operation_name, content(speech).time_to_first_token_ms) == (
        "TASK", "text_to_speech", 200,
    )  # fmt: skip
    found = summarize([span("agent_session", {}), speech])
    assert (found.input_preview, found.output_preview) == ("", "")


def test_an_agents_answer_goes_before_what_a_model_said_later():
    agent = span("agent_turn", {"lk.response.text": "We open at nine."})
    later = span("realtime_assistant_turn", {"lk.response.text": "Goodbye."})
    for number, record in enumerate((agent, later), 2):
        record.span_id, record.parent_span_id, record.end_time_unix_nano = str(number), "1", number
    assert later.span_type == "LLM"
    assert summarize([span("agent_session", {}), agent, later]).output_preview == "We open at nine."


def test_a_pipecat_conversation_has_turns_with_speech_model_and_voice():
    (records, live) = load("pipecat").values()
    found = summarize(records)
    assert (found.session_id, found.user_id, found.input_preview, found.output_preview) == (
        "call-7", "caller-3", "When do you open?", "On Sunday we are",
    )  # fmt: skip
    assert (found.input_tokens, found.output_tokens) == (440, 16)
    kinds = {record.name: (record.span_type, record.operation_name) for record in records}
    assert kinds == {
        "conversation": ("WORKFLOW", "invoke_workflow"),
        "turn": ("AGENT", "invoke_agent"),
        "stt": ("TASK", "speech_to_text"),
        "llm": ("CHAT_MODEL", "chat"),
        "tts": ("TASK", "text_to_speech"),
    }
    heard, call, spoken = (read(spans("pipecat", name)[-1])[1] for name in ("stt", "llm", "tts"))
    assert (heard.output, call.output, spoken.input) == ("And on Sunday?", "On Sunday we are", "On Sunday we are")
    assert [one.time_to_first_token_ms for one in (heard, call, spoken)] == [120, 410, 200]
    assert [message["role"] for message in call.input_messages] == ["system", "user"]
    assert (spans("pipecat", "llm")[0].provider_name, call.request_parameters) == ("openai", {"temperature": 0.2})
    assert read(spans("pipecat", "turn")[1])[1].metadata["interrupted"] is True
    assert summarize(live).output_preview == "We open at nine."


def test_pipecats_live_services_call_tools_in_two_spans():
    called, answered = (read(spans("pipecat", name)[0]) for name in ("llm_tool_call", "llm_tool_result"))
    assert (called[0].span_type, called[1].tool_name, called[1].tool_arguments, called[1].tool_call_id) == (
        "TOOL", "opening_hours", {"day": "monday"}, "c1",
    )  # fmt: skip
    assert (answered[0].span_type, answered[1].tool_result, answered[0].is_error) == (
        "TOOL", {"error": "offline"}, True,
    )  # fmt: skip


@pytest.mark.parametrize("scope", ["vllm.llm_engine", "sglang", "trt_llm"])
def test_an_inference_servers_span_is_a_call_with_its_first_token(scope):
    facts = {
        "gen_ai.latency.time_to_first_token": 0.25, "gen_ai.latency.e2e": 1.5, "gen_ai.latency.time_in_queue": 0.1,
        "gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 5, "gen_ai.request.id": "cmpl-1",
        "gen_ai.request.max_tokens": 64, "gen_ai.response.model": "facebook/opt-125m",
    }  # fmt: skip
    record, full = read(span("llm_request", facts, scope))
    assert (record.span_type, record.operation_name, record.response_model) == ("LLM", "chat", "facebook/opt-125m")
    assert (record.input_tokens, record.output_tokens, full.response_id) == (12, 5, "cmpl-1")
    assert (full.time_to_first_token_ms, full.metadata["time_in_queue"]) == (250, 0.1)
