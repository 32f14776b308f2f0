import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, EventAttribute, Family

RUN_TYPES = {
    "llm": "LLM",
    "chain": "CHAIN",
    "tool": "TOOL",
    "retriever": "RETRIEVER",
    "embedding": "EMBEDDING",
    "prompt": "CHAIN",
    "parser": "PARSER",
    "agent": "AGENT",
}
METADATA = "langsmith.metadata."
RUN = ("langsmith.span.kind", re.compile("."))
# An error is the repr of an exception, with its traceback right behind it.
ERROR_CLASS = re.compile(r"^([A-Za-z_][\w.]*)\(")
ERROR_TEXT = re.compile(r"^(.+?)\s*(?:Traceback \(most recent call last\)|$)", re.DOTALL)
# The latter is what older SDKs called it.
USAGES = ("langsmith.metadata.usage_metadata", "langsmith.usage_metadata")
INPUT, OUTPUT = "input_token_details", "output_token_details"
WRITTEN = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "ephemeral_1hr_input_tokens")
CALL = ("langsmith.span.kind", re.compile("^llm$"))
RETRIEVER = ("langsmith.span.kind", re.compile("^retriever$"))


def _split(tags: Any) -> Any:
    """LangSmith joins tags by commas."""
    return [tag.strip() for tag in tags.split(",") if tag.strip()] if isinstance(tags, str) else tags


def _usage(*paths: tuple[str, ...]) -> tuple[Attribute, ...]:
    return tuple(Attribute(key, path=path) for path in paths for key in USAGES)


def _written(details: Any) -> int | None:
    """What was written to a cache, whichever way it is told: as one count or by lifetime."""
    found = [details[name] for name in WRITTEN if isinstance(details, dict) and isinstance(details.get(name), int)]
    return sum(found) if found else None


# Tokens of a tier have names of their own.
TIER = re.compile(r'"(priority|flex)"\s*:')

LANGSMITH = Convention(
    name="langsmith",
    title="LangSmith's OpenTelemetry export",
    source="https://github.com/langchain-ai/langsmith-sdk/blob/v0.4.4/python/langsmith/_internal/otel/_otel_exporter.py",
    about=(
        "Inputs and outputs are gen_ai.prompt and gen_ai.completion with a run's whole JSON. What LangSmith "
        "calls a session (langsmith.trace.session_name) is a project; conversations are metadata. Its exceptions are "
        "all of one class; the real one begins their message."
    ),
    fields={
        "span_type": (Attribute("langsmith.span.kind", values=RUN_TYPES),),
        "operation_name": (Attribute("langsmith.span.kind", values={"retriever": "retrieval"}),),
        "session_id": (
            METADATA + "session_id", METADATA + "thread_id", METADATA + "conversation_id",
            Attribute("langsmith.metadata", path=("session_id",)), Attribute("langsmith.metadata", path=("thread_id",)),
        ),
        "user_id": (METADATA + "user_id", Attribute("langsmith.metadata", path=("user_id",))),
        "trace_name": (METADATA + "trace_name",),
        "provider_name": (METADATA + "ls_provider",),
        "request_model": (METADATA + "ls_model_name",),
        "input_tokens": _usage(("input_tokens",)),
        "output_tokens": _usage(("output_tokens",)),
        "total_tokens": _usage(("total_tokens",)),
        "cached_input_tokens": _usage(
            (INPUT, "cache_read"), (INPUT, "priority_cache_read"), (INPUT, "flex_cache_read")
        ),
        "cache_creation_input_tokens": tuple(Attribute(key, path=(INPUT,), transform=_written) for key in USAGES),
        "cache_creation_1h_input_tokens": _usage(*((INPUT, name) for name in WRITTEN[2:])),
        "reasoning_tokens": _usage(
            (OUTPUT, "reasoning"), (OUTPUT, "priority_reasoning"), (OUTPUT, "flex_reasoning")
        ),
        "audio_input_tokens": _usage((INPUT, "audio")),
        "audio_output_tokens": _usage((OUTPUT, "audio")),
        "service_tier": tuple(Attribute(key, pattern=TIER) for key in USAGES),
        "input_messages": (Attribute("gen_ai.prompt", when=CALL),),
        "output_messages": (Attribute("gen_ai.completion", when=CALL),),
        "documents": (
            Attribute("gen_ai.completion", path=("documents",), when=RETRIEVER),
            Attribute("gen_ai.completion", path=("output",), when=RETRIEVER),
        ),
        "error_type": (EventAttribute("exception", Attribute("exception.message", pattern=ERROR_CLASS, when=RUN)),),
        "error_message": (EventAttribute("exception", Attribute("exception.message", pattern=ERROR_TEXT, when=RUN)),),
        "tags": (Attribute("langsmith.span.tags", transform=_split),),
        "metadata": ("langsmith.metadata", Family(METADATA, indexed=False)),
    },
)  # fmt: skip
