import re
from collections.abc import Callable
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.json_values import unquote_json
from spans.semconv.sources import Attribute, ElapsedUntil, Family, Name

TYPES = {
    "generation": "LLM",
    "embedding": "EMBEDDING",
    "span": "CHAIN",
    "event": "UNKNOWN",
    "agent": "AGENT",
    "tool": "TOOL",
    "chain": "CHAIN",
    "retriever": "RETRIEVER",
    "evaluator": "EVALUATOR",
    "guardrail": "GUARDRAIL",
}
TYPE = "langfuse.observation.type"
GENERATION = (TYPE, re.compile("^generation$"))
EMBEDDING = (TYPE, re.compile("^embedding$"))
TOOL = (TYPE, re.compile("^tool$"))
RETRIEVER = (TYPE, re.compile("^retriever$"))
USAGE = "langfuse.observation.usage_details"
COST = "langfuse.observation.cost_details"
LEVEL = "langfuse.observation.level"
METADATA = "langfuse.observation.metadata."
TRACE_METADATA = "langfuse.trace.metadata."


def _usage(*paths: tuple[str, ...]) -> tuple[Attribute, ...]:
    return tuple(Attribute(USAGE, path=path) for path in paths)


def _numbers(details: Any) -> dict[str, float]:
    """The numbers of a breakdown, by name."""
    items = details.items() if isinstance(details, dict) else ()
    return {key: number for key, number in items if isinstance(number, int | float) and not isinstance(number, bool)}


def _cost(details: Any) -> float | None:
    """The total, or the sum of a breakdown without one."""
    costs = _numbers(details)
    return costs.get("total", sum(costs.values())) if costs else None


def _whole(name: str) -> Callable[[Any], float | None]:
    """Input or output with the parts of it that were taken out of it, as the total shows: 7 + 3 + 2 = 12."""

    def read(details: Any) -> float | None:
        usage = _numbers(details)
        total = usage.pop("total", None)
        if name not in usage or total is None or sum(usage.values()) != total:
            return None
        return sum(count for key, count in usage.items() if name in key.split("_"))

    return read


def _unquoted(items: Any) -> Any:
    """Metadata whose texts are quoted JSON."""
    return {key: unquote_json(value) for key, value in items.items()} if isinstance(items, dict) else items


LANGFUSE = Convention(
    name="langfuse",
    title="Langfuse SDK 3 to 5",
    source="https://github.com/langfuse/langfuse-python/blob/c3c6a09e7b635730cc9c6eb661687cb7bc294532/langfuse/_client/attributes.py",
    about=(
        "usage_details and cost_details are JSON objects, usage with Langfuse's own names or with those of the "
        "provider's response. With its own names the JavaScript SDK and the LangChain handler take cached and "
        "reasoning tokens out of input and output. The cost of 0 of a failed call is nobody's report. "
        "An observation of level ERROR failed, also where the SDK leaves OpenTelemetry's status unset. One attribute "
        "holds the model: the one of the response once there is one. A span's trace-level input and output count "
        "where it has none of its own."
    ),
    fields={
        "span_type": (Attribute(TYPE, values=TYPES),),
        "request_model": ("langfuse.observation.model.name",),
        "response_model": ("langfuse.observation.model.name",),
        "tool_name": (Name(re.compile(r"^(.+)$", re.DOTALL), when=TOOL),),
        "input_tokens": (
            Attribute(USAGE, transform=_whole("input")),
            *_usage(("input",), ("input_tokens",), ("prompt_tokens",), ("promptTokens",)),
        ),
        "output_tokens": (
            Attribute(USAGE, transform=_whole("output")),
            *_usage(("output",), ("output_tokens",), ("completion_tokens",), ("completionTokens",)),
        ),
        "total_tokens": _usage(("total",), ("total_tokens",), ("totalTokens",)),
        "cached_input_tokens": _usage(
            ("input_cached_tokens",), ("cache_read_input_tokens",), ("input_cache_read",), ("cached_tokens",),
            ("prompt_tokens_details", "cached_tokens"), ("input_tokens_details", "cached_tokens"),
        ),
        "cache_creation_input_tokens": _usage(("cache_creation_input_tokens",), ("input_cache_creation",)),
        "reasoning_tokens": _usage(
            ("output_reasoning_tokens",), ("output_reasoning",), ("completion_tokens_details", "reasoning_tokens"),
            ("output_tokens_details", "reasoning_tokens"),
        ),
        "audio_input_tokens": _usage(("input_audio_tokens",), ("prompt_tokens_details", "audio_tokens")),
        "audio_output_tokens": _usage(("output_audio_tokens",), ("completion_tokens_details", "audio_tokens")),
        "cost_usd": (
            Attribute(COST, transform=_cost, when=(COST, re.compile("[1-9]"))),
            Attribute(COST, transform=_cost, when=(LEVEL, re.compile("^(?!ERROR$)"))),
        ),
        "session_id": (
            "langfuse.session.id", "langfuse.trace.session_id",
            Attribute(TRACE_METADATA + "langfuse_session_id", encoded=True),
            Attribute(METADATA + "langfuse_session_id", encoded=True),
        ),
        "user_id": (
            "langfuse.user.id", "langfuse.trace.user_id",
            Attribute(TRACE_METADATA + "langfuse_user_id", encoded=True),
            Attribute(METADATA + "langfuse_user_id", encoded=True),
        ),
        "trace_name": (
            "langfuse.trace.name",
            Attribute(TRACE_METADATA + "langfuse_trace_name", encoded=True),
            Attribute(METADATA + "langfuse_trace_name", encoded=True),
            "ai.telemetry.metadata.langfuseTraceName",
        ),
        "trace_input": (Attribute("langfuse.trace.input", encoded=True),),
        "trace_output": (Attribute("langfuse.trace.output", encoded=True),),
        "is_error": (Attribute(LEVEL, values={"error": True}),),
        "error_message": ("langfuse.observation.status_message",),
        "input_messages": (Attribute("langfuse.observation.input", when=GENERATION),),
        "output_messages": (Attribute("langfuse.observation.output", when=GENERATION),),
        "input": ("langfuse.observation.input", "langfuse.trace.input"),
        "output": ("langfuse.observation.output", "langfuse.trace.output"),
        "embedding_inputs": (Attribute("langfuse.observation.input", when=EMBEDDING),),
        "documents": (Attribute("langfuse.observation.output", when=RETRIEVER),),
        "tool_definitions": (Attribute("langfuse.observation.input", path=("tools",), when=GENERATION),),
        "request_parameters": ("langfuse.observation.model.parameters",),
        "time_to_first_token_ms": (ElapsedUntil("langfuse.observation.completion_start_time"),),
        "tags": ("langfuse.trace.tags", "langfuse.tags", TRACE_METADATA + "langfuse_tags", METADATA + "langfuse_tags"),
        "metadata": (
            "langfuse.observation.metadata",
            Family(METADATA, indexed=False, transform=_unquoted),
            "langfuse.trace.metadata",
            Family(TRACE_METADATA, indexed=False, transform=_unquoted),
            "langfuse.metadata",
            Family("langfuse.metadata.", indexed=False, transform=_unquoted),
        ),
        "environment": ("langfuse.environment",),
        "release": ("langfuse.release", "langfuse.version"),
        "prompt_name": ("langfuse.observation.prompt.name", "langfuse.prompt.name"),
        "prompt_version": ("langfuse.observation.prompt.version", "langfuse.prompt.version"),
    },
)  # fmt: skip
