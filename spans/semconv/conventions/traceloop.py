import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.json_values import decode_json
from spans.semconv.sources import Attribute, Elapsed, Family

SPAN_KINDS = {"workflow": "WORKFLOW", "task": "TASK", "agent": "AGENT", "tool": "TOOL"}
REQUEST_TYPES = {
    "chat": "CHAT_MODEL",
    "completion": "LLM",
    "embedding": "EMBEDDING",
    "rerank": "RERANKER",
}
# A step of a framework that is itself the call of a model or a tool.
CALLS = {
    "chat": "CHAT_MODEL",
    "text_completion": "LLM",
    "embeddings": "EMBEDDING",
    "rerank": "RERANKER",
    "execute_tool": "TOOL",
}
PROPERTIES = "traceloop.association.properties."
TOOL = ("traceloop.span.kind", re.compile("^tool$"))
TOOL_STEP = ("gen_ai.operation.name", re.compile("^execute_tool$"))
STEP = ("traceloop.span.kind", re.compile("^(?:task|workflow)$"))
AGENT = ("traceloop.span.kind", re.compile("^agent$"))


def _arguments(value: Any) -> Any:
    """What a function was called with, by name or by position, or what LangChain's handler says of a tool."""
    if not isinstance(value, dict):
        return value
    if "input_str" in value:
        return value.get("inputs") or value["input_str"]
    if value.keys() > {"args", "kwargs"} or not (positional := value.get("args")):
        return value.get("kwargs") or value
    if value.get("kwargs"):
        return value
    only = decode_json(positional[0]) if isinstance(positional, list) and len(positional) == 1 else None
    return only if isinstance(only, dict) else positional


TRACELOOP = Convention(
    name="traceloop",
    title="OpenLLMetry (Traceloop), old and new",
    source="https://github.com/traceloop/openllmetry/blob/0.62.4/packages/opentelemetry-semantic-conventions-ai/opentelemetry/semconv_ai/__init__.py",
    about=(
        "Before OpenTelemetry GenAI, because the kind of a decorated or framework span is the program's own "
        "word, while its gen_ai.operation.name is derived from it. Old versions number their messages: "
        "gen_ai.prompt.N, gen_ai.completion.N; the one for Go writes llm.prompts.N, llm.vendor and llm.request.model. "
        "Tools of LangChain have their arguments and their message in a wrapper."
    ),
    fields={
        "span_type": (
            Attribute("gen_ai.operation.name", values=CALLS, when=STEP),
            Attribute("traceloop.span.kind", values=SPAN_KINDS),
            Attribute("llm.request.type", values=REQUEST_TYPES),
            Attribute("gen_ai.operation.name", values={"execute_task": "TASK"}),
        ),
        "operation_name": ("gen_ai.operation.name", "llm.request.type"),
        "provider_name": ("llm.vendor",),
        "request_model": ("llm.request.model",),
        "response_model": ("llm.response.model",),
        "tool_arguments": (
            Attribute("traceloop.entity.input", encoded=True, transform=_arguments, when=TOOL),
            Attribute("traceloop.entity.input", encoded=True, transform=_arguments, when=TOOL_STEP),
        ),
        "tool_result": (
            Attribute("traceloop.entity.output", encoded=True, path=("output", "kwargs", "content"), when=TOOL),
        ),
        "tool_call_id": (
            Attribute("traceloop.entity.output", encoded=True, path=("output", "kwargs", "tool_call_id"), when=TOOL),
        ),
        "tool_name": (
            Attribute("gen_ai.tool.name", when=TOOL),
            Attribute("traceloop.entity.name", when=TOOL),
            Attribute("traceloop.entity.output", path=("kwargs", "name"), when=TOOL_STEP),
        ),
        "agent_name": ("gen_ai.agent.name", Attribute("traceloop.entity.name", when=AGENT)),
        "input_tokens": ("llm.usage.prompt_tokens",),
        "output_tokens": ("llm.usage.completion_tokens",),
        "total_tokens": ("llm.usage.total_tokens",),
        "session_id": (
            PROPERTIES + "session_id", PROPERTIES + "conversation_id", PROPERTIES + "chat_id", PROPERTIES + "thread_id",
            PROPERTIES + "session.id",
        ),
        "user_id": (PROPERTIES + "user_id", PROPERTIES + "user.id", PROPERTIES + "userId", "llm.user"),
        "trace_name": (PROPERTIES + "trace_name", PROPERTIES + "langfuse_trace_name"),
        "input_messages": (Family("gen_ai.prompt."), Family("llm.prompts.")),
        "output_messages": (Family("gen_ai.completion."), Family("llm.completions.")),
        "tool_definitions": (Family("llm.request.functions."),),
        "input": (
            Attribute("traceloop.entity.input", encoded=True, path=("inputs",), when=TOOL),
            Attribute("traceloop.entity.input", encoded=True),
            Attribute("gen_ai.task.input", encoded=True),
        ),
        "output": (
            Attribute("traceloop.entity.output", encoded=True),
            Attribute("gen_ai.task.output", encoded=True),
        ),
        "documents": (
            Attribute("traceloop.entity.output", encoded=True, path=("documents",)),
            Attribute("gen_ai.task.output", encoded=True, path=("documents",)),
        ),
        "finish_reasons": ("llm.response.finish_reason",),
        "time_to_first_token_ms": (Elapsed("gen_ai.content.completion.chunk"), Elapsed("llm.content.completion.chunk")),
        "prompt_name": ("traceloop.prompt.key", "traceloop.prompt.managed_prompt_name"),
        "prompt_version": ("traceloop.prompt.version",),
        "prompt_variables": (Family("traceloop.prompt.template_variables.", indexed=False),),
        "metadata": (Family(PROPERTIES, indexed=False),),
    },
)  # fmt: skip
