import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.conventions.otel_genai import OPERATIONS
from spans.semconv.sources import Attribute, Combined, Name

# Since 1.8 what was said, and who said it, has keys that mark it as personal.
PREFIXES = ("lk.pii.", "lk.")
A_PERSON = ("lk.participant_kind", re.compile("^(?!.*AGENT)"))


def _either(name: str, path: tuple[str | int, ...] = ()) -> tuple[Attribute, ...]:
    return tuple(Attribute(prefix + name, path=path) for prefix in PREFIXES)


def _seconds(key: str, *path: str) -> Attribute:
    return Attribute(key, path=path, scale=1000)


def _said_of_failure(facts: dict[str, Any]) -> Any:
    return facts.get("output") if facts.get("failed") is True else None


LIVEKIT = Convention(
    name="livekit",
    title="LiveKit Agents 1.3 to 1.8",
    source="https://github.com/livekit/agents/blob/livekit-agents@1.8.9/livekit-agents/livekit/agents/telemetry/trace_types.py",
    about=(
        "A voice agent: a session with turns of the user (what was heard) and of the agent (what it answered), below "
        "these the model's calls, tools and speech. OpenTelemetry GenAI beside its own keys, since 1.8 on each span "
        "that is one of its operations. The room is the session where no conversation is named."
    ),
    scopes=("livekit",),
    fields={
        "span_type": (
            Name(re.compile("^judge_evaluation$"), constant="EVALUATOR"),
            Attribute("gen_ai.operation.name", values=OPERATIONS),
            Name(re.compile("^agent_session$"), constant="WORKFLOW"),
            Name(re.compile("^agent_turn$"), constant="AGENT"),
            Name(re.compile("^llm_request$"), constant="CHAT_MODEL"),
            Name(re.compile("^realtime_(?:assistant_turn|inference|metrics)$"), constant="LLM"),
            Name(re.compile("^function_tool$"), constant="TOOL"),
            Name(re.compile("^(?:user_turn|tts_(?!request_run)|eou_|keyterm_detection|amd$)"), constant="TASK"),
            Name(re.compile("."), constant="CHAIN"),
        ),
        "operation_name": (
            "gen_ai.operation.name",
            Name(re.compile("^tts_"), constant="text_to_speech"),
            Name(re.compile("^realtime_"), constant="generate_content"),
        ),
        "session_id": ("session.id", "gen_ai.conversation.id", "lk.room_sid", *_either("room_name")),
        "user_id": (
            "user.id",
            *(Attribute(prefix + "participant_identity", when=A_PERSON) for prefix in PREFIXES),
        ),
        "agent_name": ("gen_ai.agent.name", "lk.agent_name", "lk.agent_label"),
        "system_instructions": _either("instructions"),
        "input_messages": _either("chat_ctx", ("items",)),
        "output_messages": tuple(
            Combined(
                {"content": f"{prefix}response.text", "tool_calls": f"{prefix}response.function_calls"},
                texts=frozenset(("content",)),
            )
            for prefix in PREFIXES
        ),
        "input": (
            *_either("user_input"), *_either("user_transcript"), *_either("input_text"),
            *_either("function_tool.arguments"), *_either("rpc.payload"),
        ),
        "output": (*_either("response.text"), *_either("function_tool.output"), *_either("rpc.response")),
        "tool_name": ("lk.function_tool.name",),
        "tool_call_id": ("lk.function_tool.id",),
        "tool_arguments": _either("function_tool.arguments"),
        "tool_result": _either("function_tool.output"),
        "tool_definitions": ("gen_ai.tool.definitions", "lk.function_tools"),
        "error_message": tuple(
            Combined(
                {"failed": "lk.function_tool.is_error", "output": f"{prefix}function_tool.output"},
                one_of=frozenset(("output",)), texts=frozenset(("output",)), transform=_said_of_failure,
            )
            for prefix in PREFIXES
        ),
        "time_to_first_token_ms": (
            _seconds("lk.response.ttft"), _seconds("lk.llm_metrics", "ttft"),
            _seconds("lk.realtime_model_metrics", "ttft"), _seconds("lk.response.ttfb"),
            _seconds("lk.tts_metrics", "ttfb"),
        ),
        "metadata": (
            Combined(
                {
                    "interrupted": "lk.interrupted", "interruption_source": "lk.interruption.source",
                    "is_interruption": "lk.is_interruption", "speech_id": "lk.speech_id",
                    "transcript_confidence": "lk.transcript_confidence", "language": "lk.eou.language",
                    "transcription_delay": "lk.transcription_delay", "end_of_turn_delay": "lk.end_of_turn_delay",
                    "e2e_latency": "lk.e2e_latency", "close_reason": "lk.close_reason",
                }
            ),
        ),
    },
)  # fmt: skip
