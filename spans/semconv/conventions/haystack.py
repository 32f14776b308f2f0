import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute
from spans.semconv.token_counts import PROVIDER_CACHE

COMPONENT = "haystack.component.type"
INPUT = "haystack.component.input"
OUTPUT = "haystack.component.output"
# The end of a component's class.
SPAN_TYPES = {
    "chatgenerator": "CHAT_MODEL",
    "generator": "LLM",
    "embedder": "EMBEDDING",
    "retriever": "RETRIEVER",
    "ranker": "RERANKER",
    "toolinvoker": "TOOL",
    "agent": "AGENT",
    "evaluator": "EVALUATOR",
}
# The beginning of the class of a model's client.
PROVIDERS = {
    "openai": "openai",
    "azureopenai": "azure.ai.openai",
    "anthropic": "anthropic",
    "amazonbedrock": "aws.bedrock",
    "cohere": "cohere",
    "googlegenai": "gcp.gemini",
    "mistral": "mistral_ai",
    "ollama": "ollama",
}
END = "(?:Chat)?(?:Generator|TextEmbedder|DocumentEmbedder|Ranker)$"
CHAT = (COMPONENT, re.compile("ChatGenerator$"))
EMBEDDER = (COMPONENT, re.compile("Embedder$"))
RETRIEVAL = (COMPONENT, re.compile("(?:Retriever|Ranker)$"))
TOOL = (COMPONENT, re.compile("^ToolInvoker$"))
ANTHROPIC = (COMPONENT, re.compile("^Anthropic"))
INVOCATION = ("tool_messages", 0, "content", 0, "tool_call_result")
NOT_EMPTY = re.compile(r"^(\{.{2,}\})$", re.DOTALL)


def _meta(*path: str | int) -> tuple[Attribute, ...]:
    """What a component says of its answer: of replies, of replies that are texts, of embeddings."""
    return tuple(Attribute(OUTPUT, path=(*start, *path)) for start in (("replies", 0, "meta"), ("meta", 0), ("meta",)))


def _invocation(*path: str) -> tuple[Attribute, ...]:
    return (Attribute(OUTPUT, path=(*INVOCATION, *path), when=TOOL),)


HAYSTACK = Convention(
    name="haystack",
    title="Haystack, its own tracer",
    source="https://github.com/deepset-ai/haystack/blob/v2.18.0/haystack/core/pipeline/pipeline.py",
    about=(
        "Each component's input and output as JSON, if content tracing is enabled; usage and model are inside the "
        "output. The program chooses the scope's name."
    ),
    fields={
        "span_type": (
            Attribute(
                COMPONENT,
                pattern=re.compile("(ChatGenerator|Generator|Embedder|Retriever|Ranker|ToolInvoker|Agent|Evaluator)$"),
                values=SPAN_TYPES,
            ),
            Attribute(COMPONENT, constant="CHAIN"),
            Attribute("haystack.agent.max_steps", constant="AGENT"),
            Attribute("haystack.pipeline.max_runs_per_component", constant="WORKFLOW"),
        ),
        "provider_name": (Attribute(COMPONENT, pattern=re.compile("^(.+?)" + END), values=PROVIDERS),),
        "request_model": _meta("model"),
        "response_model": _meta("model"),
        "input_tokens": _meta("usage", "prompt_tokens"),
        "output_tokens": _meta("usage", "completion_tokens"),
        "total_tokens": _meta("usage", "total_tokens"),
        "cached_input_tokens": (
            *_meta("usage", "prompt_tokens_details", "cached_tokens"),
            *_meta("usage", "cache_read_input_tokens"),
            *_meta("usage", "cached_content_token_count"),
        ),
        "cache_creation_input_tokens": _meta("usage", "cache_creation_input_tokens"),
        "counts_of": (Attribute(OUTPUT, constant=PROVIDER_CACHE, when=ANTHROPIC),),
        "reasoning_tokens": (
            *_meta("usage", "completion_tokens_details", "reasoning_tokens"),
            *_meta("usage", "thoughts_token_count"),
        ),
        "finish_reasons": _meta("finish_reason"),
        "input_messages": (Attribute(INPUT, path=("messages",), when=CHAT),),
        "output_messages": (Attribute(OUTPUT, path=("replies",), when=CHAT),),
        "tool_definitions": (Attribute(INPUT, path=("tools",), when=CHAT), "haystack.agent.tools"),
        "tool_name": _invocation("origin", "tool_name"),
        "tool_call_id": _invocation("origin", "id"),
        "tool_arguments": _invocation("origin", "arguments"),
        "tool_result": _invocation("result"),
        "input": (*_invocation("origin", "arguments"), INPUT, "haystack.agent.input", "haystack.pipeline.input_data"),
        "output": (
            *_invocation("result"),
            OUTPUT,
            "haystack.agent.output",
            Attribute("haystack.pipeline.output_data", pattern=NOT_EMPTY),
        ),
        "documents": (Attribute(OUTPUT, path=("documents",), when=RETRIEVAL),),
        "embedding_inputs": (Attribute(INPUT, path=("text",), when=EMBEDDER),),
    },
)
