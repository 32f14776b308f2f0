import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Combined, Name

OPERATION = "gen_ai.operation.name"
TYPES = {
    "chat": "CHAT_MODEL",
    "llm_response": "LLM",
    "llm_request": "CHAIN",
    "llm_setup": "CHAIN",
    "llm_tool_call": "TOOL",
    "llm_tool_result": "TOOL",
    "stt": "TASK",
    "tts": "TASK",
}
OPERATIONS = {
    "chat": "chat",
    "llm_response": "generate_content",
    "stt": "speech_to_text",
    "tts": "text_to_speech",
    "llm_tool_call": "execute_tool",
    "llm_tool_result": "execute_tool",
}
STT = (OPERATION, re.compile("^stt$"))
TTS = (OPERATION, re.compile("^tts$"))
LLM = (OPERATION, re.compile("^(?:chat|llm_re)"))

PIPECAT = Convention(
    name="pipecat",
    title="Pipecat 0.0.68 to 1.14",
    source="https://github.com/pipecat-ai/pipecat/blob/v1.14.0/src/pipecat/utils/tracing/service_attributes.py",
    about=(
        "A voice agent: a conversation of turns, each with what was heard (stt), the model's call (llm) and what was "
        "spoken (tts). Plain keys (input, output, text, transcript), hence the restriction to its scopes. Services "
        "that hear and speak themselves have request and answer, and a tool's call and result, as spans of their own."
    ),
    scopes=("pipecat",),
    fields={
        "span_type": (
            Attribute(OPERATION, values=TYPES),
            Name(re.compile("^conversation$"), constant="WORKFLOW"),
            Name(re.compile("^turn$"), constant="AGENT"),
        ),
        "operation_name": (Attribute(OPERATION, values=OPERATIONS), OPERATION),
        "session_id": ("session.id", "conversation.id"),
        "user_id": ("user.id", "user_id"),
        "system_instructions": ("gen_ai.system_instructions", "system", "instructions"),
        "input_messages": (Attribute("input", when=LLM),),
        "output_messages": (Attribute("output", when=LLM), Attribute("text_output", when=LLM)),
        "input": (Attribute("text", when=TTS), "input", "tool.arguments"),
        "output": (Attribute("transcript", when=STT), "output", "text_output", "tool.result"),
        "tool_name": ("tool.function_name",),
        "tool_call_id": ("tool.call_id",),
        "tool_arguments": ("tool.arguments",),
        "tool_result": ("tool.result",),
        "is_error": (Attribute("tool.result_status", values={"error": True}),),
        "tool_definitions": ("tools", "tools.definitions"),
        "finish_reasons": ("response.status",),
        "response_id": ("response.id",),
        "time_to_first_token_ms": (Attribute("metrics.ttfb", scale=1000),),
        "metadata": (
            Combined(
                {
                    "interrupted": "turn.was_interrupted", "speech_interrupted": "tts.interrupted",
                    "turn_number": "turn.number", "user_bot_latency_seconds": "turn.user_bot_latency_seconds",
                    "voice": "voice_id", "language": "language", "characters": "metrics.character_count",
                    "audio_seconds": "metrics.audio_seconds", "is_final": "is_final",
                }
            ),
        ),
    },
)  # fmt: skip
