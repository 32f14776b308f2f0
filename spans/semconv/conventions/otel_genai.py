import re

from spans.semconv.convention import Convention
from spans.semconv.messages import without_pieces
from spans.semconv.sources import Attribute, EventAttribute, Events, Family

OPERATIONS = {
    "chat": "CHAT_MODEL",
    "generate_content": "LLM",
    "text_completion": "LLM",
    "completion": "LLM",
    "response": "LLM",
    "responses": "LLM",
    "embeddings": "EMBEDDING",
    "embedding": "EMBEDDING",
    "execute_tool": "TOOL",
    "create_agent": "AGENT",
    "invoke_agent": "AGENT",
    "invoke_workflow": "WORKFLOW",
    "execute_task": "TASK",
    "plan": "CHAIN",
    "orchestrate_tools": "CHAIN",
    "retrieval": "RETRIEVER",
    "retrieve": "RETRIEVER",
    "vector_db_retrieve": "RETRIEVER",
    "rerank": "RERANKER",
    "search_memory": "MEMORY",
    "update_memory": "MEMORY",
    "upsert_memory": "MEMORY",
    "create_memory": "MEMORY",
    "delete_memory": "MEMORY",
    "evaluate": "EVALUATOR",
    # SDKs that put their own span type here
    "agent": "AGENT",
    "chain": "CHAIN",
    "chat_model": "CHAT_MODEL",
    "llm": "LLM",
    "tool": "TOOL",
    "retriever": "RETRIEVER",
    "reranker": "RERANKER",
    "parser": "PARSER",
    "memory": "MEMORY",
    "workflow": "WORKFLOW",
    "framework": "CHAIN",
    "task": "TASK",
    "guardrail": "GUARDRAIL",
    "evaluator": "EVALUATOR",
    "unknown": "UNKNOWN",
}
# What CloudWeGo's Eino calls its parts.
COMPONENTS = {
    "chatmodel": "CHAT_MODEL",
    "agenticmodel": "CHAT_MODEL",
    "toolsnode": "CHAIN",
    "chattemplate": "CHAIN",
    "lambda": "CHAIN",
    "passthrough": "CHAIN",
    "graph": "WORKFLOW",
    "indexer": "CHAIN",
    "loader": "CHAIN",
    "documenttransformer": "PARSER",
}
CHAT = ("gen_ai.operation.name", re.compile("^chat$"))

# On a chat some SDKs name the tool that the model asked for.
NO_CHAT = ("gen_ai.operation.name", re.compile("^(?!chat$)"))
# OpenLIT's cost needs a table of its own.
PRICED = ("telemetry.sdk.name", re.compile("^(?!openlit$)"))
# Azure's SDKs put an event's message there.
EVENT_BODY = "gen_ai.event.content"


def _modality(modality: str, direction: str) -> tuple[str, ...]:
    """Tokens of audio or images: OpenTelemetry's key, then LiveKit's and Langfuse's, then pydantic-ai's."""
    return (
        f"gen_ai.usage.{modality}.{direction}_tokens",
        f"gen_ai.usage.{direction}_{modality}_tokens",
        f"gen_ai.usage.details.{direction}_{modality}_tokens",
    )


OTEL_GENAI = Convention(
    name="otel_genai",
    title="OpenTelemetry GenAI",
    source="https://github.com/open-telemetry/semantic-conventions/blob/v1.38.0/docs/gen-ai/gen-ai-spans.md",
    about=(
        "After the conventions of single SDKs, which often send these keys as well and say more beside them. "
        "Within a field the current key comes first, then the names it had before (v1.27 to v1.36: "
        "gen_ai.system, prompt_tokens, message events), then those of single SDKs: gen_ai.span.kind, gen_ai.session.id "
        "and gen_ai.input of Eino's APMPlus handler, input_tokens of LangChain4j's observations."
    ),
    fields={
        "span_type": (
            Attribute("gen_ai.operation.name", values=OPERATIONS),
            Attribute("gen_ai.span.kind", values=OPERATIONS | COMPONENTS),
        ),
        "operation_name": ("gen_ai.operation.name",),
        "provider_name": ("gen_ai.provider.name", "gen_ai.system"),
        "request_model": ("gen_ai.request.model",),
        "response_model": ("gen_ai.response.model",),
        "tool_name": (Attribute("gen_ai.tool.name", when=NO_CHAT),),
        "tool_arguments": ("gen_ai.tool.call.arguments", Attribute("gen_ai.tool.args", when=NO_CHAT)),
        "tool_result": ("gen_ai.tool.call.result",),
        "tool_call_id": (Attribute("gen_ai.tool.call.id", when=NO_CHAT),),
        "tool_description": ("gen_ai.tool.description",),
        "tool_definitions": ("gen_ai.tool.definitions",),
        "input_tokens": (
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            Attribute("input_tokens", when=CHAT),
        ),
        "output_tokens": (
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            Attribute("output_tokens", when=CHAT),
        ),
        "total_tokens": ("gen_ai.usage.total_tokens",),
        "cached_input_tokens": (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cached_tokens",
            "gen_ai.usage.cached_input_tokens",
            "gen_ai.usage.input_cached_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
        ),
        "cache_creation_input_tokens": (
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.cache_creation_input_tokens",
        ),
        "cache_creation_1h_input_tokens": (
            "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
            "gen_ai.usage.details.ephemeral_1h_input_tokens",
            "gen_ai.usage.details.cache_write_1h_tokens",
        ),
        "reasoning_tokens": (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.output_reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
        ),
        "audio_input_tokens": _modality("audio", "input"),
        "audio_output_tokens": _modality("audio", "output"),
        "image_input_tokens": _modality("image", "input"),
        "image_output_tokens": _modality("image", "output"),
        "cached_audio_input_tokens": (
            "gen_ai.usage.audio.cache_read.input_tokens",
            "gen_ai.usage.details.cache_audio_read_tokens",
        ),
        "cached_image_input_tokens": (
            "gen_ai.usage.image.cache_read.input_tokens",
            "gen_ai.usage.details.cache_image_read_tokens",
        ),
        "service_tier": (
            "openai.response.service_tier",
            "anthropic.response.service_tier",
            "gen_ai.openai.response.service_tier",
            "gen_ai.response.service_tier",
            "openai.request.service_tier",
            "gen_ai.openai.request.service_tier",
            "gen_ai.request.service_tier",
        ),
        "cost_usd": (Attribute("gen_ai.usage.cost", when=PRICED), "gen_ai.cost.total_cost", "operation.cost"),
        "session_id": ("session.id", "gen_ai.conversation.id", "gen_ai.session.id"),
        "user_id": ("user.id", "enduser.id", "gen_ai.request.user", "gen_ai.user.id"),
        "system_instructions": (
            "gen_ai.system_instructions",
            EventAttribute("gen_ai.client.inference.operation.details", Attribute("gen_ai.system_instructions")),
        ),
        "input_messages": (
            "gen_ai.input.messages",
            EventAttribute("gen_ai.client.inference.operation.details", Attribute("gen_ai.input.messages")),
            EventAttribute("gen_ai.content.prompt", Attribute("gen_ai.prompt")),
            Events(
                {
                    "gen_ai.system.message": "system",
                    "gen_ai.user.message": "user",
                    "gen_ai.assistant.message": "assistant",
                    "gen_ai.tool.message": "tool",
                },
                body=EVENT_BODY,
            ),
        ),
        "output_messages": (
            Attribute("gen_ai.output.messages", transform=without_pieces),
            EventAttribute("gen_ai.client.inference.operation.details", Attribute("gen_ai.output.messages")),
            EventAttribute("gen_ai.content.completion", Attribute("gen_ai.completion")),
            Events({"gen_ai.choice": "assistant"}, body=EVENT_BODY),
        ),
        "input": ("gen_ai.tool.call.arguments", "gen_ai.retrieval.query.text", "gen_ai.input", "gen_ai.prompt"),
        "output": ("gen_ai.tool.call.result", "gen_ai.output", "gen_ai.completion", "gen_ai.retrieval.documents"),
        "documents": ("gen_ai.retrieval.documents",),
        "request_parameters": (Family("gen_ai.request.", indexed=False, excluding=frozenset(("model",))),),
        "finish_reasons": ("gen_ai.response.finish_reasons", "gen_ai.response.finish_reason"),
        "response_id": ("gen_ai.response.id",),
        "time_to_first_token_ms": (
            Attribute("gen_ai.response.time_to_first_chunk", scale=1000),
            Attribute("gen_ai.client.operation.time_to_first_chunk", scale=1000),
            Attribute("gen_ai.server.time_to_first_token", scale=1000),
            "copilot_chat.time_to_first_token",
        ),
        "agent_name": ("gen_ai.agent.name", "gen_ai.workflow.name"),
        "prompt_name": ("gen_ai.prompt.name",),
        "prompt_version": ("gen_ai.prompt.version",),
    },
)
