import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, ElapsedUntil, Family

SPAN_TYPES = {
    "agent_run": "AGENT",
    "workflow_run": "WORKFLOW",
    "workflow_step": "TASK",
    "workflow_conditional": "CHAIN",
    "workflow_conditional_eval": "CHAIN",
    "workflow_parallel": "CHAIN",
    "workflow_loop": "CHAIN",
    "workflow_sleep": "CHAIN",
    "workflow_wait_event": "CHAIN",
    "model_step": "CHAIN",
    "tool_call": "TOOL",
    "mcp_tool_call": "TOOL",
    "client_tool_call": "TOOL",
    "provider_tool_call": "TOOL",
    "processor_run": "CHAIN",
    "scorer_run": "EVALUATOR",
    "scorer_step": "EVALUATOR",
    "classifier_evaluation": "EVALUATOR",
    "memory_operation": "MEMORY",
    "rag_embedding": "EMBEDDING",
    "rag_vector_operation": "RETRIEVER",
    "rag_ingestion": "CHAIN",
    "mapping": "CHAIN",
    "generic": "CHAIN",
}
# What the exporter keeps below mastra.<type of the span>; of its other types OpenTelemetry's keys have it.
WITH_IO = (*SPAN_TYPES, "model_generation", "model_chunk")
METADATA = "mastra.metadata."
# Of several spans of one call in current versions the inner one is the call; in older ones this span is.
LOOP = {"model_generation": "CHAIN"}
RETRIEVAL = ("mastra.span.type", re.compile("^rag_vector_operation$"))

MASTRA = Convention(
    name="mastra",
    title="Mastra's OpenTelemetry exporter",
    source="https://github.com/mastra-ai/mastra/blob/28da725994f5d6356cfea38901aceb3fc3503d0f/observability/otel-exporter/src/gen-ai-semantics.ts",
    about=(
        "OpenTelemetry GenAI on agents, tools and model calls. What went into and out of any other span has a key "
        "with the type of the span in it; the messages of a model call are those of the loop (model_generation) and "
        "of its steps, the call itself only has the text of its answer. Version 0.3 wrote plain input and output."
    ),
    scopes=("@mastra/",),
    fields={
        "span_type": (
            Attribute("mastra.span.type", values=SPAN_TYPES),
            Attribute("gen_ai.operation.name", values=LOOP),
        ),
        "tool_arguments": ("gen_ai.tool.input",),
        "tool_result": ("gen_ai.tool.output",),
        "session_id": (METADATA + "sessionId", METADATA + "threadId", "sessionId", "threadId"),
        "user_id": (METADATA + "userId", METADATA + "resourceId", "userId", "resourceId"),
        "cached_input_tokens": ("gen_ai.usage.cached_input_tokens",),
        "audio_input_tokens": ("gen_ai.usage.audio_input_tokens",),
        "audio_output_tokens": ("gen_ai.usage.audio_output_tokens",),
        "input_messages": ("mastra.model_generation.input", "mastra.model_step.input"),
        "output_messages": ("mastra.model_generation.output", "mastra.model_step.output"),
        "input": (*(f"mastra.{name}.input" for name in WITH_IO), "input"),
        "output": (*(f"mastra.{name}.output" for name in WITH_IO), "output"),
        "documents": (Attribute("mastra.rag_vector_operation.output", when=RETRIEVAL),),
        "tool_definitions": ("agent.available_tools",),
        "time_to_first_token_ms": (ElapsedUntil("mastra.completion_start_time"),),
        "tags": ("mastra.tags",),
        "metadata": (Family(METADATA, indexed=False),),
    },
)
