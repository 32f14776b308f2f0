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
# The names of wholes, of what belongs to input or output, of nested parts, and of counts that other ones contain.
WHOLES = frozenset(("input", "output", "input_tokens", "output_tokens"))
INPUT_WORDS = frozenset(("input", "cache", "cached"))
OUTPUT_WORDS = frozenset(("output", "reasoning", "thoughts"))
NESTED = frozenset(("input_tokens_details", "output_tokens_details", "prompt_tokens_details"))
NO_BUCKET = re.compile("priority|^cache_creation_ephemeral")
WRITTEN = re.compile("^(?:input_)?cache_creation(?:_input_tokens)?$|^(?:input_)?ephemeral_(?:5m|1h)_input_tokens$")
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


def _buckets(details: Any) -> dict[str, float]:
    """The counts, where each name is a bucket of its own; empty where there is a whole with its parts.

    Langfuse's names and Anthropic's are buckets, unless the total is that of input and output alone.
    """
    usage = _numbers(details)
    total = usage.pop("total", usage.pop("total_tokens", None))
    wholes = [count for key, count in usage.items() if key in WHOLES]
    if not wholes or NESTED & details.keys() or (total is not None and total != sum(usage.values())):
        return {}
    return {key: count for key, count in usage.items() if not NO_BUCKET.search(key)}


def _whole(words: frozenset[str]) -> Callable[[Any], float | None]:
    """Input or output with all buckets that belong to it: 7 + 3 + 2 = 12."""

    def read(details: Any) -> float | None:
        found = [count for key, count in _buckets(details).items() if words & set(key.split("_"))]
        return sum(found) if found else None

    return read


def _written(details: Any) -> float | None:
    """What was written to a cache, as one count or by lifetime."""
    found = [count for key, count in _numbers(details).items() if WRITTEN.search(key)]
    return sum(found) if found else None


def _unquoted(items: Any) -> Any:
    """Metadata whose texts are quoted JSON."""
    return {key: unquote_json(value) for key, value in items.items()} if isinstance(items, dict) else items


LANGFUSE = Convention(
    name="langfuse",
    title="Langfuse SDK 3 to 5",
    source="https://github.com/langfuse/langfuse-python/blob/c3c6a09e7b635730cc9c6eb661687cb7bc294532/langfuse/_client/attributes.py",
    about=(
        "usage_details and cost_details are JSON objects, usage with Langfuse's own names or with those of the "
        "provider's response. Langfuse's own names, and Anthropic's, are buckets of their own: what was cached or "
        "thought is in no other one, and the whole is their sum. The cost of 0 of a failed call is nobody's report. "
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
            Attribute(USAGE, transform=_whole(INPUT_WORDS)),
            *_usage(("input",), ("input_tokens",), ("prompt_tokens",), ("promptTokens",)),
        ),
        "output_tokens": (
            Attribute(USAGE, transform=_whole(OUTPUT_WORDS)),
            *_usage(("output",), ("output_tokens",), ("completion_tokens",), ("completionTokens",)),
        ),
        "total_tokens": _usage(("total",), ("total_tokens",), ("totalTokens",)),
        "cached_input_tokens": _usage(
            ("input_cached_tokens",), ("cache_read_input_tokens",), ("input_cache_read",), ("cached_tokens",),
            ("input_cached",), ("prompt_tokens_details", "cached_tokens"), ("input_tokens_details", "cached_tokens"),
        ),
        "cache_creation_input_tokens": (Attribute(USAGE, transform=_written),),
        "cache_creation_1h_input_tokens": _usage(
            ("cache_creation_ephemeral_1h_input_tokens",), ("input_ephemeral_1h_input_tokens",),
            ("ephemeral_1h_input_tokens",), ("cache_creation", "ephemeral_1h_input_tokens"),
        ),
        "reasoning_tokens": _usage(
            ("output_reasoning_tokens",), ("output_reasoning",), ("completion_tokens_details", "reasoning_tokens"),
            ("output_tokens_details", "reasoning_tokens"), ("reasoning_tokens",), ("thoughts_token_count",),
        ),
        "audio_input_tokens": _usage(
            ("input_audio_tokens",), ("input_audio",), ("input_modality_AUDIO",),
            ("prompt_tokens_details", "audio_tokens"),
        ),
        "audio_output_tokens": _usage(
            ("output_audio_tokens",), ("output_audio",), ("output_modality_AUDIO",),
            ("completion_tokens_details", "audio_tokens"),
        ),
        "image_input_tokens": _usage(("input_image_tokens",), ("input_image",), ("input_modality_IMAGE",)),
        "image_output_tokens": _usage(("output_image_tokens",), ("output_image",), ("output_modality_IMAGE",)),
        "service_tier": (Attribute("langfuse.observation.model.parameters", path=("service_tier",)),),
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
