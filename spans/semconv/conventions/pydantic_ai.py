from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute


def _without_answer(messages: Any) -> Any:
    """A conversation without its last message, which is the answer."""
    if isinstance(messages, list) and len(messages) > 1 and isinstance(messages[-1], dict):
        return messages[:-1] if messages[-1].get("role") in ("assistant", "model") else messages
    return messages


def _messages_in(events: Any) -> list[Any]:
    """Events as messages; of an item without a form of its own the item."""
    if not isinstance(events, list):
        return []
    found = [event for event in events if isinstance(event, dict)]
    return [
        event["data"] if event.get("event.name") == "gen_ai.unknown" and "data" in event else event for event in found
    ]


def _answers_begin(events: Any) -> int:
    """The number of events before the answer: those at the end that are the assistant's."""
    count = len(events) if isinstance(events, list) else 0
    while count and isinstance(event := events[count - 1], dict) and _is_answer(event):
        count -= 1
    return count


def _is_answer(event: dict[str, Any]) -> bool:
    return event.get("event.name") == "gen_ai.choice" or event.get("role") == "assistant"


def _asked(events: Any) -> Any:
    return _messages_in(events[: _answers_begin(events)]) if isinstance(events, list) else None


def _answered(events: Any) -> Any:
    return _messages_in(events[_answers_begin(events) :]) if isinstance(events, list) else None


def _request(value: Any) -> Any:
    """A request with messages or a prompt, else None."""
    return value if isinstance(value, dict) and not value.keys().isdisjoint(("messages", "prompt")) else None


def _usage(*path: str) -> Attribute:
    """A count of the usage as the provider reported it."""
    return Attribute("gen_ai.usage.raw", path=path)


PYDANTIC_AI = Convention(
    name="pydantic_ai",
    title="pydantic-ai and Logfire",
    source="https://github.com/pydantic/pydantic-ai/blob/v2.68.0/pydantic_ai_slim/pydantic_ai/_instrumentation.py",
    about=(
        "OpenTelemetry GenAI with a few plain names (final_result, tool_arguments), hence the restriction to "
        "its scopes. Version 1 of either has messages as a list of events, or request and response as they were "
        "(request_data, response_data). The sums on agent spans have keys of their own (gen_ai.aggregated_usage) and "
        "are not read as usage."
    ),
    scopes=("pydantic-ai", "logfire"),
    fields={
        "input_messages": (
            "gen_ai.input.messages",
            Attribute("pydantic_ai.all_messages", encoded=True, transform=_without_answer),
            Attribute("all_messages_events", encoded=True, transform=_without_answer),
            Attribute("events", transform=_asked),
            Attribute("request_data", transform=_request),
        ),
        "output_messages": (
            "gen_ai.output.messages",
            Attribute("events", transform=_answered),
            Attribute("response_data", path=("message",)),
            Attribute("response_data", path=("combined_chunk_content",)),
            Attribute("response_data", path=("text",)),
        ),
        "tool_definitions": ("gen_ai.tool.definitions", Attribute("request_data", path=("tools",))),
        "output": ("final_result", "tool_response"),
        "input": ("tool_arguments",),
        "tool_arguments": ("tool_arguments",),
        "tool_result": ("tool_response",),
        "agent_name": ("agent_name",),
        "cached_input_tokens": (
            _usage("prompt_tokens_details", "cached_tokens"),
            _usage("input_tokens_details", "cached_tokens"),
            _usage("cache_read_input_tokens"),
        ),
        "cache_creation_input_tokens": (_usage("cache_creation_input_tokens"),),
        "cache_creation_1h_input_tokens": (_usage("cache_creation", "ephemeral_1h_input_tokens"),),
        "audio_input_tokens": (_usage("prompt_tokens_details", "audio_tokens"),),
        "audio_output_tokens": (_usage("completion_tokens_details", "audio_tokens"),),
        "service_tier": (_usage("service_tier"),),
        "reasoning_tokens": (
            _usage("completion_tokens_details", "reasoning_tokens"),
            _usage("output_tokens_details", "reasoning_tokens"),
        ),
        "cost_usd": ("operation.cost",),
        "tags": ("logfire.tags",),
        "error_message": ("logfire.exception.message",),
    },
)
