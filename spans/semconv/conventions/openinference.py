import re

from spans.semconv.convention import Convention
from spans.semconv.messages import messages_of
from spans.semconv.sources import Attribute, Family

SPAN_KINDS = {
    "llm": "LLM",
    "embedding": "EMBEDDING",
    "chain": "CHAIN",
    "retriever": "RETRIEVER",
    "reranker": "RERANKER",
    "tool": "TOOL",
    "agent": "AGENT",
    "guardrail": "GUARDRAIL",
    "evaluator": "EVALUATOR",
    "prompt": "CHAIN",  # MLflow has no type for the rendering of a prompt
    "unknown": "UNKNOWN",
}

CALL = ("openinference.span.kind", re.compile("^LLM$"))
# An answer of OpenAI's Responses API, whose hosted tools the instrumentations leave out of the messages.
RESPONSE = ("output.value", re.compile(r'^\{\s*"id":\s*"resp_'))
# An answer of Gemini, of which they leave out what it ran and searched.
CANDIDATES = ("output.value", re.compile(r'^\{\s*"(?:sdk_http_response|candidates)":'))
# A model that speaks: of its answers they send the role alone.
SPEAKS = ("llm.model_name", re.compile("audio|omni"))

# In a response as it came from the provider.
SERVICE_TIER = re.compile(r'"service_tier"\s*:\s*"(\w+)"')

OPENINFERENCE = Convention(
    name="openinference",
    title="OpenInference",
    source="https://github.com/Arize-ai/openinference/blob/1fe497f1d9f45a07eee55d97fe185e020560f9c7/spec/semantic_conventions.md",
    about=(
        "Before OpenTelemetry's own keys, because a span with both was made by an OpenInference "
        "instrumentation and its kind is the more exact one. llm.model_name is the model of the answer in "
        "most instrumentations, of the request in some; the requested model stands in the invocation "
        "parameters. The output's value says more than the messages beside it where "
        "models speak or providers ran tools themselves: of the Responses API, and of Gemini."
    ),
    fields={
        "span_type": (Attribute("openinference.span.kind", values=SPAN_KINDS),),
        "provider_name": ("llm.provider", "llm.system", Attribute("metadata", path=("ls_provider",), when=CALL)),
        "request_model": (
            "llm.request.model_name",
            Attribute("llm.invocation_parameters", path=("model",)),
            Attribute("embedding.invocation_parameters", path=("model",)),
            "llm.model_name",
            "embedding.model_name",
            "reranker.model_name",
        ),
        "response_model": ("llm.response.model_name", "llm.model_name", "embedding.model_name"),
        "tool_name": ("tool.name",),
        "tool_call_id": ("tool.id",),
        "tool_description": ("tool.description",),
        "input_tokens": ("llm.token_count.prompt",),
        "output_tokens": ("llm.token_count.completion",),
        "total_tokens": ("llm.token_count.total",),
        "cached_input_tokens": (
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_input",
        ),
        "cache_creation_input_tokens": ("llm.token_count.prompt_details.cache_write",),
        "reasoning_tokens": ("llm.token_count.completion_details.reasoning",),
        "audio_input_tokens": ("llm.token_count.prompt_details.audio",),
        "image_input_tokens": ("llm.token_count.prompt_details.image",),
        "service_tier": (
            Attribute("output.value", pattern=SERVICE_TIER, when=CALL),
            Attribute("llm.invocation_parameters", path=("service_tier",)),
        ),
        "audio_output_tokens": ("llm.token_count.completion_details.audio",),
        "cost_usd": ("llm.cost.total",),
        "session_id": (
            "session.id",
            Attribute("metadata", path=("session_id",)),
            Attribute("metadata", path=("conversation_id",)),
            Attribute("metadata", path=("thread_id",)),
        ),
        "trace_name": (Attribute("metadata", path=("trace_name",)),),
        "user_id": ("user.id", Attribute("metadata", path=("user_id",))),
        "error_type": ("exception.type",),
        "error_message": ("exception.message",),
        "input_messages": (
            Family("llm.input_messages."),
            Family("llm.prompts."),
            "llm.prompts",
            Attribute("input.value", when=CALL, transform=lambda value: _request(value)),
        ),
        "output_messages": (
            Attribute("output.value", when=RESPONSE, transform=lambda value: _response(value)),
            Attribute("output.value", when=SPEAKS, transform=lambda value: _answer(value)),
            Attribute("output.value", when=CANDIDATES, transform=lambda value: _with_hosted_tools(value)),
            Family("llm.output_messages."),
            Family("llm.choices."),
            Attribute("output.value", when=CALL, transform=lambda value: _answer(value)),
        ),
        "input": ("input.value", "reranker.query"),
        "output": ("output.value",),
        "tool_definitions": (Family("llm.tools."),),
        "documents": (Family("retrieval.documents."), Family("reranker.output_documents.")),
        "embedding_inputs": (Family("embedding.embeddings.", transform=lambda items: _texts_of(items)),),
        "request_parameters": ("llm.invocation_parameters", "embedding.invocation_parameters"),
        "finish_reasons": ("llm.finish_reason",),
        "agent_name": ("agent.name", "graph.node.name", "graph.node.id"),
        "tags": ("tag.tags",),
        "metadata": ("metadata", Family("metadata.", indexed=False)),
        "prompt_name": ("prompt.id",),
        "prompt_version": ("llm.prompt_template.version",),
        "prompt_template": ("llm.prompt_template.template",),
        "prompt_variables": ("llm.prompt_template.variables",),
    },
)


def _request(value: object) -> object:
    """A request that holds messages, else None."""
    is_one = isinstance(value, dict) and any(isinstance(value.get(key), list) for key in ("messages", "contents"))
    return value if is_one else None


def _response(value: object) -> object:
    """The items of an answer, else None."""
    items = value.get("output") if isinstance(value, dict) else None
    return items if isinstance(items, list) and items else None


def _with_hosted_tools(value: object) -> object:
    """An answer of Gemini in which it ran code or searched, else None."""
    if not isinstance(value, dict) or not isinstance(value.get("candidates"), list):
        return None
    parts = [part for message in messages_of(value, "assistant") for part in message["parts"]]
    return value if any("hosted" in part for part in parts) else None


def _answer(value: object) -> object:
    """A provider's answer, else None."""
    is_one = isinstance(value, dict) and any(isinstance(value.get(key), list) for key in ("choices", "candidates"))
    return value if is_one else _response(value)


def _texts_of(items: object) -> list[str]:
    """The texts of embeddings, without their vectors."""
    if not isinstance(items, list):
        return []
    inner = [item.get("embedding") for item in items if isinstance(item, dict)]
    return [item["text"] for item in inner if isinstance(item, dict) and isinstance(item.get("text"), str)]
