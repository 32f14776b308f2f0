import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Name

GOOGLE_ADK = Convention(
    name="google_adk",
    title="Google Agent Development Kit",
    source="https://github.com/google/adk-python/blob/692af95004ffa46d33facbeb2e946a560fb4ac79/src/google/adk/telemetry/tracing.py",
    about=(
        "OpenTelemetry GenAI from 1.12 on. call_llm has no operation, and since 1.20 wraps a generate_content "
        "span of the same call; requests and responses are JSON text in Gemini's form, {} where content is "
        "not captured."
    ),
    scopes=("gcp.vertex.agent", "google.adk"),
    fields={
        "tool_name": (Name(re.compile(r"^execute_tool (.+)$")),),
        "span_type": (
            Name(re.compile(r"^call_llm\b"), constant="LLM"),
            Name(re.compile(r"^(?:agent_run|invoke_agent)\b"), constant="AGENT"),
            Name(
                re.compile(
                    r"^(?:invocation|invoke_node|send_data|handle_context_caching|create_cache|compact_events)\b"
                ),
                constant="CHAIN",
            ),
            Name(re.compile(r"^(?:execute_tool|tool_response|call_tool)\b"), constant="TOOL"),
        ),
        "session_id": ("gcp.vertex.agent.session_id",),
        "user_id": ("gcp.vertex.agent.user_id",),
        "input_messages": (
            "gen_ai.input.messages",
            Attribute("gcp.vertex.agent.llm_request", pattern=re.compile(r"^(\{.{2,}\})$", re.DOTALL)),
        ),
        "output_messages": (Attribute("gcp.vertex.agent.llm_response", path=("content",)),),
        "input": ("gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.data"),
        "output": ("gcp.vertex.agent.tool_response",),
        "tool_arguments": ("gcp.vertex.agent.tool_call_args",),
        "tool_result": ("gcp.vertex.agent.tool_response",),
        "tool_definitions": (Attribute("gcp.vertex.agent.llm_request", path=("config", "tools")),),
        "request_parameters": (Attribute("gcp.vertex.agent.llm_request", path=("config",)),),
        "cached_input_tokens": (
            Attribute("gcp.vertex.agent.llm_response", path=("usage_metadata", "cached_content_token_count")),
        ),
        "total_tokens": (Attribute("gcp.vertex.agent.llm_response", path=("usage_metadata", "total_token_count")),),
        "reasoning_tokens": (
            "gen_ai.usage.experimental.reasoning_tokens",
            Attribute("gcp.vertex.agent.llm_response", path=("usage_metadata", "thoughts_token_count")),
        ),
        "error_type": (Attribute("gcp.vertex.agent.llm_response", path=("error_code",)),),
        "error_message": (Attribute("gcp.vertex.agent.llm_response", path=("error_message",)),),
    },
)
