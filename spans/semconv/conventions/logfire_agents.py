import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute

# What a span is stands at the beginning of its message.
KIND = "logfire.msg_template"
SPAN_TYPES = {
    "openai agents trace": "WORKFLOW",
    "agent run": "AGENT",
    "task": "CHAIN",
    "turn": "CHAIN",
    "function": "TOOL",
    "handoff": "TOOL",
    "guardrail": "GUARDRAIL",
    "chat completion": "CHAT_MODEL",
    "responses api": "CHAT_MODEL",
}
NOT_NULL = re.compile("^(?!null$)(.+)$", re.DOTALL)
RUN = (KIND, re.compile("^Agent run"))
TOOL = (KIND, re.compile("^Function"))
CHAT = (KIND, re.compile("^Chat completion"))

LOGFIRE_AGENTS = Convention(
    name="logfire_agents",
    title="OpenAI Agents SDK through Logfire",
    source="https://github.com/pydantic/logfire/blob/v5.2.0/logfire/_internal/integrations/openai_agents.py",
    about="The fields of the Agents SDK's own spans under plain names, hence the restriction to its scope.",
    scopes=("logfire.openai_agents",),
    fields={
        "span_type": (Attribute(KIND, pattern=re.compile("^(.+?)(?::| with | [{]|$)", re.DOTALL), values=SPAN_TYPES),),
        "tool_name": (Attribute("name", when=TOOL),),
        "tool_arguments": (Attribute("input", when=TOOL),),
        "tool_result": (Attribute("output", pattern=NOT_NULL, when=TOOL),),
        "agent_name": (Attribute("name", when=RUN), "agent_name"),
        "input_messages": (Attribute("input", when=CHAT), "raw_input"),
        "output_messages": (Attribute("output", pattern=NOT_NULL, when=CHAT), Attribute("response", path=("output",))),
        "system_instructions": (Attribute("response", path=("instructions",)),),
        "tool_definitions": (Attribute("response", path=("tools",)),),
        "input": (Attribute("input", when=TOOL),),
        "output": (Attribute("output", pattern=NOT_NULL, when=TOOL),),
        "cached_input_tokens": (Attribute("usage", path=("input_tokens_details", "cached_tokens"), when=CHAT),),
        "reasoning_tokens": (Attribute("usage", path=("output_tokens_details", "reasoning_tokens"), when=CHAT),),
        "service_tier": (Attribute("response", path=("service_tier",)),),
        "response_id": ("response_id",),
        "session_id": (Attribute("group_id", pattern=NOT_NULL),),
        "framework_trace_id": ("agent_trace_id",),
        "error_message": (Attribute("error", path=("data", "error")),),
    },
)
