import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.json_values import decode_json
from spans.semconv.sources import Attribute, Combined, EventAttribute, Family
from spans.semconv.token_counts import PROVIDER_CACHE

OPERATIONS = {
    "ai.generatetext": "LLM",
    "ai.generatetext.dogenerate": "CHAT_MODEL",
    "ai.streamtext": "LLM",
    "ai.streamtext.dostream": "CHAT_MODEL",
    "ai.generateobject": "LLM",
    "ai.generateobject.dogenerate": "CHAT_MODEL",
    "ai.streamobject": "LLM",
    "ai.streamobject.dostream": "CHAT_MODEL",
    "ai.embed": "EMBEDDING",
    "ai.embed.doembed": "EMBEDDING",
    "ai.embedmany": "EMBEDDING",
    "ai.embedmany.doembed": "EMBEDDING",
    "ai.rerank": "RERANKER",
    "ai.rerank.dorerank": "RERANKER",
    "ai.toolcall": "TOOL",
}
OPERATION_NAMES = {
    name: {
        "LLM": "chat",
        "CHAT_MODEL": "chat",
        "EMBEDDING": "embeddings",
        "RERANKER": "rerank",
        "TOOL": "execute_tool",
    }[kind]
    for name, kind in OPERATIONS.items()
}
PROVIDER_METADATA = "ai.response.providerMetadata"
# A call, not a wrapper, which has the last call's metadata.
CALL = ("ai.operationId", re.compile(r"\.do(?:Generate|Stream)$"))
ANTHROPIC_USAGE = ("anthropic", "usage")
GOOGLE_USAGE = ("google", "usageMetadata")
# From version 6 on the SDK adds up what the provider counts; then it also sends these.
DETAILS = ("inputTokenDetails.noCacheTokens", "inputTokenDetails.cacheReadTokens", "outputTokenDetails.textTokens")
SDK = "sdk"


def _decoded_items(items: Any) -> Any:
    """A list whose items are JSON texts, or one such item."""
    items = items if isinstance(items, list) else [items]
    return [_unquoted(item) for item in items]


def _unquoted(item: Any) -> Any:
    return item[1:-1] if isinstance(item, str) and len(item) > 1 and item[0] == item[-1] == '"' else decode_json(item)


def _anthropic_input(usage: Any) -> int | None:
    """Anthropic's own count of the input, and beside it what a cache gave and took."""
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    counts = [usage[name] for name in names if isinstance(usage.get(name), int)] if isinstance(usage, dict) else []
    return sum(counts) if counts else None


VERCEL_AI = Convention(
    name="vercel_ai",
    title="Vercel AI SDK 4 to 7",
    source="https://github.com/vercel/ai/blob/ed857f50f112e23930b0c2dd8d532cc8bebbc911/packages/otel/src/legacy-open-telemetry.ts",
    about=(
        "Up to version 6 each call is two spans, ai.generateText and its ai.generateText.doGenerate, with the same "
        "usage on both; up to version 5 it passes on how the provider counts. The inner ones also carry gen_ai keys "
        "of an older kind, whose provider has the API's name attached (openai.chat). From version 7 on OpenTelemetry "
        "GenAI with steps between the agent and its model calls; ai.* keys then only add details."
    ),
    fields={
        "span_type": (
            Attribute("ai.operationId", values=OPERATIONS),
            Attribute("gen_ai.operation.name", values={"agent_step": "CHAIN"}),
        ),
        "operation_name": (Attribute("ai.operationId", values=OPERATION_NAMES),),
        "provider_name": ("ai.model.provider",),
        "request_model": ("ai.model.id",),
        "response_model": ("ai.response.model",),
        "tool_name": ("ai.toolCall.name",),
        "tool_call_id": ("ai.toolCall.id",),
        "tool_arguments": ("ai.toolCall.args",),
        "tool_result": ("ai.toolCall.result",),
        "input_tokens": (
            Attribute(PROVIDER_METADATA, path=ANTHROPIC_USAGE, transform=_anthropic_input, when=CALL),
            "ai.usage.inputTokens",
            "ai.usage.promptTokens",
            "ai.usage.tokens",
        ),
        "output_tokens": ("ai.usage.outputTokens", "ai.usage.completionTokens"),
        "total_tokens": (
            "ai.usage.totalTokens",
            Attribute(PROVIDER_METADATA, path=(*GOOGLE_USAGE, "totalTokenCount"), when=CALL),
        ),
        "counts_of": (
            Attribute(PROVIDER_METADATA, path=ANTHROPIC_USAGE, transform=lambda usage: SDK, when=CALL),
            *(Attribute(f"ai.usage.{key}", constant=SDK) for key in DETAILS),
            Attribute("ai.usage.cachedInputTokens", constant=PROVIDER_CACHE),
            Attribute(PROVIDER_METADATA, constant=PROVIDER_CACHE, when=CALL),
        ),
        "cached_input_tokens": (
            "ai.usage.cachedInputTokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            Attribute(PROVIDER_METADATA, path=("anthropic", "usage", "cache_read_input_tokens")),
            Attribute(PROVIDER_METADATA, path=("anthropic", "cacheReadInputTokens")),
            Attribute(PROVIDER_METADATA, path=("openai", "cachedPromptTokens")),
            Attribute(PROVIDER_METADATA, path=(*GOOGLE_USAGE, "cachedContentTokenCount"), when=CALL),
        ),
        "cache_creation_input_tokens": (
            "ai.usage.inputTokenDetails.cacheWriteTokens",
            Attribute(PROVIDER_METADATA, path=("anthropic", "cacheCreationInputTokens")),
            Attribute(PROVIDER_METADATA, path=("bedrock", "usage", "cacheWriteInputTokens")),
        ),
        "cache_creation_1h_input_tokens": (
            Attribute(PROVIDER_METADATA, path=(*ANTHROPIC_USAGE, "cache_creation", "ephemeral_1h_input_tokens")),
        ),
        "reasoning_tokens": (
            "ai.usage.reasoningTokens",
            "ai.usage.outputTokenDetails.reasoningTokens",
            Attribute(PROVIDER_METADATA, path=("openai", "reasoningTokens")),
            Attribute(PROVIDER_METADATA, path=(*GOOGLE_USAGE, "thoughtsTokenCount"), when=CALL),
        ),
        "service_tier": (
            Attribute(PROVIDER_METADATA, path=("openai", "serviceTier")),
            Attribute(PROVIDER_METADATA, path=(*ANTHROPIC_USAGE, "service_tier")),
        ),
        "session_id": (
            "ai.telemetry.metadata.sessionId",
            "ai.telemetry.metadata.session_id",
            "ai.telemetry.metadata.session.id",
            "ai.telemetry.metadata.threadId",
            "ai.telemetry.metadata.conversationId",
            "ai.telemetry.metadata.langfuseSessionId",
            "ai.settings.context.sessionId",
            "ai.settings.context.session_id",
            "ai.settings.context.session.id",
        ),
        "user_id": (
            "ai.telemetry.metadata.userId",
            "ai.telemetry.metadata.user_id",
            "ai.telemetry.metadata.user.id",
            "ai.telemetry.metadata.langfuseUserId",
            "ai.settings.context.userId",
            "ai.settings.context.user_id",
            "ai.settings.context.user.id",
        ),
        "input_messages": ("ai.prompt.messages", "ai.prompt"),
        "output_messages": (
            Combined(
                {
                    "content": "ai.response.text",
                    "tool_calls": "ai.response.toolCalls",
                    "reasoning": "ai.response.reasoning",
                    "finish_reason": "ai.response.finishReason",
                },
                one_of=frozenset(("content", "tool_calls")),
                texts=frozenset(("content", "reasoning")),
            ),
            Combined({"content": "ai.response.object"}, texts=frozenset(("content",))),
            Combined({"content": "ai.result.text", "tool_calls": "ai.result.toolCalls"}, texts=frozenset(("content",))),
            Combined({"content": "ai.result.object"}, texts=frozenset(("content",))),
        ),
        "input": (
            "ai.toolCall.args",
            Attribute("ai.value", encoded=True),
            Attribute("ai.values", transform=_decoded_items),
            "ai.documents",
        ),
        "output": ("ai.toolCall.result", "ai.response.object", "ai.result.object", "ai.ranking"),
        "embedding_inputs": (
            Attribute("ai.value", transform=_decoded_items),
            Attribute("ai.values", transform=_decoded_items),
        ),
        "tool_definitions": (Attribute("ai.prompt.tools", transform=_decoded_items),),
        "request_parameters": (Family("ai.settings.", indexed=False),),
        "finish_reasons": ("ai.response.finishReason", "ai.finishReason"),
        "response_id": ("ai.response.id",),
        "time_to_first_token_ms": (
            "ai.response.msToFirstChunk",
            "ai.stream.msToFirstChunk",
            EventAttribute("ai.stream.firstChunk", Attribute("ai.response.msToFirstChunk")),
        ),
        "agent_name": ("ai.telemetry.functionId",),
        "metadata": (
            Family("ai.telemetry.metadata.", indexed=False),
            Family("ai.settings.context.", indexed=False),
        ),
        "tags": ("ai.telemetry.metadata.tags",),
        "release": ("ai.telemetry.metadata.release",),
        "environment": ("ai.telemetry.metadata.environment",),
    },
)
