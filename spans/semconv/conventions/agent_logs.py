import re

from spans.semconv.convention import Convention
from spans.semconv.sources import SPAN_NAME, Attribute, EventAttribute

TOOL = (SPAN_NAME, re.compile("tool", re.IGNORECASE))

AGENT_LOGS = Convention(
    name="agent_logs",
    title="Events of coding agents",
    source="https://github.com/google-gemini/gemini-cli/pull/20237",
    about=(
        "Claude Code, Codex, Gemini CLI and their forks say in log records what their spans leave out; each names its "
        "events alike behind a prefix of its own. What a tool gave back belongs to spans of tools only."
    ),
    fields={
        "tool_arguments": (
            EventAttribute("*.tool_result", Attribute("arguments", when=TOOL)),
            EventAttribute("tool_result", Attribute("tool_input", when=TOOL)),
            EventAttribute("*.tool_call", Attribute("function_args", when=TOOL)),
        ),
        "tool_result": (EventAttribute("*.tool_result", Attribute("output", when=TOOL)),),
        "error_type": (
            EventAttribute("*.api_error", Attribute("error.type")),
            EventAttribute("*.tool_call", Attribute("error.type", when=TOOL)),
        ),
        "error_message": (
            EventAttribute("api_error", Attribute("error")),
            EventAttribute("*.api_error", Attribute("error.message")),
            EventAttribute("*.api_error", Attribute("error")),
            EventAttribute("*.tool_call", Attribute("error", when=TOOL)),
        ),
        "input": (
            EventAttribute("user_prompt", Attribute("prompt")),
            EventAttribute("*.user_prompt", Attribute("prompt")),
        ),
        "output": (
            EventAttribute("assistant_response", Attribute("response")),
            EventAttribute("*.assistant_response", Attribute("response")),
            EventAttribute("*.api_response", Attribute("response_text")),
            EventAttribute("*.tool_result", Attribute("output", when=TOOL)),
        ),
    },
)
