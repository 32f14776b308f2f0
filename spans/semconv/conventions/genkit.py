import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.parts import parts_of, text_of_parts
from spans.semconv.sources import Attribute, Family

SUBTYPES = {
    "model": "CHAT_MODEL",
    "background-model": "LLM",
    "tool": "TOOL",
    "tool.v2": "TOOL",
    "embedder": "EMBEDDING",
    "retriever": "RETRIEVER",
    "reranker": "RERANKER",
    "evaluator": "EVALUATOR",
    "flow": "WORKFLOW",
    "agent": "AGENT",
    "prompt": "CHAIN",
    "executable-prompt": "CHAIN",
    "util": "CHAIN",
}
TYPES = {"flow": "WORKFLOW", "flowstep": "TASK", "util": "CHAIN", "dotprompt": "CHAIN", "prompttemplate": "CHAIN"}
SUBTYPE = "genkit:metadata:subtype"
INPUT = "genkit:input"
OUTPUT = "genkit:output"
MODEL = (SUBTYPE, re.compile("^(?:background-)?model$"))
NAMED_BY_PROVIDER = (SUBTYPE, re.compile("^(?:(?:background-)?model|embedder|reranker)$"))
TOOL = (SUBTYPE, re.compile("^tool"))
RETRIEVER = (SUBTYPE, re.compile("^re(?:triev|rank)er$"))
EMBEDDER = (SUBTYPE, re.compile("^embedder$"))
PROMPT = ("genkit:type", re.compile("^dotprompt$"))


def _output_tokens(usage: Any) -> Any:
    """Gemini counts thoughts beside the output; the total shows it."""
    if not isinstance(usage, dict):
        return None
    output, thoughts = usage.get("outputTokens"), usage.get("thoughtsTokens")
    if isinstance(output, int) and isinstance(thoughts, int):
        return (
            output + thoughts
            if usage.get("totalTokens") == (usage.get("inputTokens") or 0) + output + thoughts
            else output
        )
    return output


def _texts(documents: Any) -> Any:
    return [text_of_parts(parts_of(item)) for item in documents] if isinstance(documents, list) else None


GENKIT = Convention(
    name="genkit",
    title="Genkit",
    source="https://github.com/genkit-ai/genkit/blob/620defa7a5a3a59806b89b21246ecd8990311ec4/js/core/src/tracing/instrumentation.ts",
    about=(
        "No key of OpenTelemetry GenAI: a span has a type, an action's span the kind of action, and input and output "
        "are JSON. The name of a model begins with its plugin. The spans called generate repeat the answer and its "
        "usage around each model call and are read as chains without usage."
    ),
    fields={
        "span_type": (Attribute(SUBTYPE, values=SUBTYPES), Attribute("genkit:type", values=TYPES)),
        "provider_name": (Attribute("genkit:name", pattern=re.compile("^([^/]+)/"), when=NAMED_BY_PROVIDER),),
        "request_model": (Attribute("genkit:name", pattern=re.compile("^(?:[^/]+/)?(.+)$"), when=NAMED_BY_PROVIDER),),
        "response_model": (
            Attribute(OUTPUT, path=("raw", "model"), when=MODEL),
            Attribute(OUTPUT, path=("custom", "modelVersion"), when=MODEL),
            Attribute(OUTPUT, path=("custom", "model"), when=MODEL),
        ),
        "tool_name": (Attribute("genkit:name", when=TOOL),),
        "input_tokens": (Attribute(OUTPUT, path=("usage", "inputTokens"), when=MODEL),),
        "output_tokens": (Attribute(OUTPUT, path=("usage",), transform=_output_tokens, when=MODEL),),
        "total_tokens": (Attribute(OUTPUT, path=("usage", "totalTokens"), when=MODEL),),
        "cached_input_tokens": (
            Attribute(OUTPUT, path=("usage", "cachedContentTokens"), when=MODEL),
            Attribute(OUTPUT, path=("raw", "usage", "prompt_tokens_details", "cached_tokens"), when=MODEL),
            Attribute(OUTPUT, path=("custom", "usage", "cache_read_input_tokens"), when=MODEL),
        ),
        "reasoning_tokens": (
            Attribute(OUTPUT, path=("usage", "thoughtsTokens"), when=MODEL),
            Attribute(OUTPUT, path=("raw", "usage", "completion_tokens_details", "reasoning_tokens"), when=MODEL),
        ),
        "session_id": ("genkit:sessionId",),
        "input_messages": (Attribute(INPUT, when=MODEL),),
        "output_messages": (
            Attribute(OUTPUT, path=("message",), when=MODEL),
            Attribute(OUTPUT, path=("candidates", 0, "message"), when=MODEL),
        ),
        "input": (Attribute(INPUT, encoded=True),),
        "output": (Attribute(OUTPUT, encoded=True),),
        "tool_definitions": (Attribute(INPUT, path=("tools",), when=MODEL),),
        "documents": (Attribute(OUTPUT, path=("documents",), when=RETRIEVER),),
        "embedding_inputs": (Attribute(INPUT, path=("input",), transform=_texts, when=EMBEDDER),),
        "request_parameters": (Attribute(INPUT, path=("config",), when=MODEL),),
        "finish_reasons": (
            Attribute(OUTPUT, path=("finishReason",), when=MODEL),
            Attribute(OUTPUT, path=("candidates", 0, "finishReason"), when=MODEL),
        ),
        "response_id": (
            Attribute(OUTPUT, path=("raw", "id"), when=MODEL),
            Attribute(OUTPUT, path=("custom", "responseId"), when=MODEL),
        ),
        "prompt_name": ("genkit:metadata:promptName", Attribute("genkit:name", when=PROMPT)),
        "metadata": (Family("genkit:metadata:", indexed=False, excluding=frozenset(("subtype",))),),
    },
)
