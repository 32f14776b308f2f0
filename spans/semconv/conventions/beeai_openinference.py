import re

from spans.semconv.convention import Convention
from spans.semconv.messages import join_pieces
from spans.semconv.sources import SPAN_NAME, Attribute, Family

BEEAI_OPENINFERENCE = Convention(
    name="beeai_openinference",
    title="BeeAI framework through OpenInference (TypeScript and Python)",
    source="https://github.com/Arize-ai/openinference/blob/1fe497f1d9f45a07eee55d97fe185e020560f9c7/js/packages/openinference-instrumentation-beeai/src/middleware.ts",
    about=(
        "OpenInference with two habits of its own: an answer has one output message a streamed token, and the "
        "main span of the TypeScript framework carries the framework's id of the run."
    ),
    scopes=("@arizeai/openinference-instrumentation-beeai", "openinference.instrumentation.beeai"),
    fields={
        "output_messages": (Family("llm.output_messages.", transform=join_pieces),),
        "framework_trace_id": (
            Attribute("traceId", when=(SPAN_NAME, re.compile(r"^(?:beeai|bee-agent)-framework-main"))),
        ),
        "cached_input_tokens": ("metadata.usage.cached_prompt_tokens",),
        "cache_creation_input_tokens": ("metadata.usage.cached_creation_tokens",),
        "request_parameters": ("llm.invocation_parameters",),
    },
)
