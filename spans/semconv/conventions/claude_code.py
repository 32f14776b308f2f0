from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.conventions.plain import is_false
from spans.semconv.sources import Attribute, Combined, EventAttribute

SPAN_TYPES = {
    "interaction": "AGENT",
    "llm_request": "CHAT_MODEL",
    "tool": "TOOL",
    "tool.execution": "CHAIN",
    "tool.blocked_on_user": "CHAIN",
    "hook": "CHAIN",
}


def _sum(counts: Any) -> Any:
    return sum(count for count in counts.values() if isinstance(count, int))


CLAUDE_CODE = Convention(
    name="claude_code",
    title="Claude Code and its agent SDK",
    source="https://github.com/anthropics/claude-code/issues/54172",
    about=(
        "Plain keys, hence the restriction to its scope. An interaction is one prompt and what it set off; a tool has "
        "spans for the wait for the user and the work itself. Like Anthropic's API it counts cached tokens beside the "
        "input. Content is there if the user turned it on; the answers' texts are only in log records."
    ),
    scopes=("com.anthropic.claude_code",),
    fields={
        "span_type": (Attribute("span.type", values=SPAN_TYPES),),
        "request_model": ("model",),
        "tool_name": ("tool_name",),
        "tool_call_id": ("tool_use_id",),
        "input_tokens": (
            Combined(
                {"input": "input_tokens", "read": "cache_read_tokens", "written": "cache_creation_tokens"},
                one_of=frozenset(("input",)),
                transform=_sum,
            ),
        ),
        "output_tokens": ("output_tokens",),
        "cached_input_tokens": ("cache_read_tokens",),
        "cache_creation_input_tokens": ("cache_creation_tokens",),
        "cost_usd": ("cost_usd",),
        "output_messages": ("response.model_output",),
        "input": ("user_prompt", "tool_input", "full_command", "file_path"),
        "output": (
            EventAttribute("tool.output", Attribute("output")),
            EventAttribute("tool.output", Attribute("content")),
        ),
        "is_error": (Attribute("success", transform=is_false),),
        "error_message": ("error",),
        "finish_reasons": ("stop_reason",),
        "response_id": ("request_id",),
        "time_to_first_token_ms": ("ttft_ms",),
        "agent_name": ("subagent_type",),
    },
)
