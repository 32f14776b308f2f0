import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Family, Name

# Operations are named after LiteLLM's functions, the asynchronous ones too.
OPERATIONS = {
    "chat": "chat",
    "completion": "chat",
    "acompletion": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "embedding": "embeddings",
    "aembedding": "embeddings",
    "rerank": "rerank",
    "arerank": "rerank",
}
TYPES = {"chat": "CHAT_MODEL", "text_completion": "LLM", "embeddings": "EMBEDDING", "rerank": "RERANKER"}
SUCCEEDED = ("error.type", re.compile("^$"))
USAGE = "metadata.usage_object"


def _usage(name: str) -> Attribute:
    """A count of the usage, which is the repr of a Python dictionary."""
    return Attribute(USAGE, pattern=re.compile(rf"'{name}': (\d+)"))


# What a caller says of a request, which LiteLLM passes on as the repr or the JSON of a dictionary.
PASSED_ON = ("metadata.requester_metadata", "metadata.spend_logs_metadata", "litellm.metadata", "metadata")


def _passed_on(*names: str) -> tuple[Attribute, ...]:
    pattern = re.compile(rf"""['"](?:{"|".join(names)})['"]: ?['"]([^'"\\]+)['"]""")
    return tuple(Attribute(key, pattern=pattern) for key in PASSED_ON)


def _told_to_provider(items: Any) -> Any:
    """The session in what went to the provider: llm.openai.metadata, llm.openai.litellm_session_id."""
    for facts in items.values() if isinstance(items, dict) else ():
        if isinstance(facts, dict):
            if isinstance(found := facts.get("litellm_session_id"), str) and found:
                return found
            match = SESSION_IN_REPR.search(facts["metadata"]) if isinstance(facts.get("metadata"), str) else None
            if match is not None:
                return match[1]
    return None


SESSION_IN_REPR = re.compile(r"""['"](?:litellm_)?session_id['"]: ?['"]([^'"\\]+)['"]""")


def _detail(details: str, name: str) -> Attribute:
    """A count of one of the details."""
    return Attribute(USAGE, pattern=re.compile(rf"'{details}': \{{[^}}]*'{name}': (\d+)"))


LITELLM = Convention(
    name="litellm",
    title="LiteLLM's own OpenTelemetry callback",
    source="https://github.com/BerriAI/litellm/blob/d59f8f952d87d1b57d0275d18e974610203b5201/litellm/integrations/opentelemetry.py",
    about=(
        "OpenTelemetry GenAI beside some of OpenLLMetry's keys. Details of the usage are only in the metadata. What "
        "went to the provider is a span of its own, without usage."
    ),
    scopes=("litellm",),
    fields={
        "span_type": (
            Attribute("gen_ai.operation.name", values={name: TYPES[one] for name, one in OPERATIONS.items()}),
            Name(re.compile("^raw_gen_ai_request$"), constant="CHAIN"),
        ),
        "operation_name": (Attribute("gen_ai.operation.name", values=OPERATIONS),),
        "provider_name": (
            "gen_ai.provider.name",
            "gen_ai.system",
            Attribute("litellm.provider.model", pattern=re.compile("^([^/]+)/")),
        ),
        "cached_input_tokens": ("gen_ai.usage.cache_read.input_tokens", _usage("cached_tokens")),
        "cache_creation_input_tokens": ("gen_ai.usage.cache_creation.input_tokens", _usage("cache_write_tokens")),
        "cache_creation_1h_input_tokens": (_usage("ephemeral_1h_input_tokens"),),
        "reasoning_tokens": (_usage("reasoning_tokens"),),
        "audio_input_tokens": (_detail("prompt_tokens_details", "audio_tokens"),),
        "image_input_tokens": (_detail("prompt_tokens_details", "image_tokens"),),
        "audio_output_tokens": (_detail("completion_tokens_details", "audio_tokens"),),
        "image_output_tokens": (_detail("completion_tokens_details", "image_tokens"),),
        "cost_usd": (Attribute("litellm.cost.total", when=SUCCEEDED), "gen_ai.cost.total_cost"),
        "trace_name": ("metadata.trace_name", *_passed_on("trace_name")),
        "session_id": (
            "session.id",
            "gen_ai.conversation.id",
            "litellm.session_id",
            "litellm.session.id",
            "metadata.session_id",
            "metadata.litellm_session_id",
            *_passed_on("session_id", "litellm_session_id", "conversation_id", "thread_id"),
            Family("llm.", indexed=False, transform=_told_to_provider),
        ),
        "user_id": (
            "litellm.end_user.id",
            "llm.user",
            "metadata.user_api_key_end_user_id",
            "metadata.trace_user_id",
            *_passed_on("trace_user_id", "user_id"),
        ),
    },
)
