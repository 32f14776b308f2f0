import re

from spans.semconv.convention import Convention
from spans.semconv.messages import join_pieces
from spans.semconv.sources import SPAN_NAME, Attribute, Family

CHAT = ("target", re.compile(r"^backend\..+\.chat\."))
TOOL = ("target", re.compile(r"^tool\."))
EMBEDDING = ("target", re.compile(r"^backend\..+\.embedding\."))

BEEAI_OPENINFERENCE = Convention(
    name="beeai_openinference",
    title="BeeAI framework through OpenInference (TypeScript and Python)",
    source="https://github.com/Arize-ai/openinference/blob/1fe497f1d9f45a07eee55d97fe185e020560f9c7/js/packages/openinference-instrumentation-beeai/src/middleware.ts",
    about=(
        "OpenInference with habits of its own: an answer has one output message a streamed token, and the "
        "main span of the TypeScript framework carries the framework's id of the run. Of the TypeScript "
        "framework's events the target says which tool or provider it was; its indexed messages lack the calls of "
        "tools and their results, which the values have; the calls of embedding models are only raw data."
    ),
    scopes=("@arizeai/openinference-instrumentation-beeai", "openinference.instrumentation.beeai"),
    fields={
        "span_type": (
            Attribute(
                "target",
                pattern=re.compile(r"^(backend)\.[^.]+\.embedding\.(?:success|error)$"),
                values={"backend": "EMBEDDING"},
            ),
        ),
        "provider_name": (Attribute("target", pattern=re.compile(r"^backend\.([^.]+)\.")),),
        "tool_name": (
            "tool.name",
            Attribute("target", pattern=re.compile(r"^tool\.(?:[^.]+\.)*([^.]+)\.(?:start|success|error|finish)$")),
        ),
        "tool_arguments": (Attribute("tool.parameters", when=TOOL),),
        "tool_result": (Attribute("output.value", path=("result",), when=TOOL),),
        "input_tokens": (Attribute("data", path=("value", "usage", "tokens"), when=EMBEDDING),),
        "embedding_inputs": (
            Attribute("data", path=("value", "values"), when=EMBEDDING),
            Attribute("data", path=("input", "values"), when=EMBEDDING),
        ),
        "input_messages": (Attribute("input.value", when=CHAT),),
        "output_messages": (
            Attribute("output.value", transform=join_pieces, when=CHAT),
            Family("llm.output_messages.", transform=join_pieces),
        ),
        "input": (Attribute("tool.parameters", when=TOOL),),
        "framework_trace_id": (
            Attribute("traceId", when=(SPAN_NAME, re.compile(r"^(?:beeai|bee-agent)-framework-main"))),
        ),
        "cached_input_tokens": ("metadata.usage.cached_prompt_tokens",),
        "cache_creation_input_tokens": ("metadata.usage.cached_creation_tokens",),
        "request_parameters": ("llm.invocation_parameters",),
    },
)
