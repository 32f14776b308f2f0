import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute

SPAN_TYPES = {"usage": "CHAIN", "human_input": "CHAIN", "conversation": "WORKFLOW", "multi_conversation": "WORKFLOW"}
CONVERSATION = ("ag2.span.type", re.compile("conversation$"))

AG2 = Convention(
    name="ag2",
    title="AG2, its own tracing",
    source="https://github.com/ag2ai/ag2/blob/v1.2.1/ag2/middleware/builtin/telemetry.py",
    about=(
        "OpenTelemetry GenAI. The usage of a call comes once more in a span beside it, which is no call; so does "
        "usage that no other span has. The output of a conversation, which versions before 1.0 have, are all its "
        "messages; its answer is the last."
    ),
    scopes=("opentelemetry.instrumentation.ag2",),
    fields={
        "span_type": (Attribute("ag2.span.type", values=SPAN_TYPES),),
        "reasoning_tokens": ("gen_ai.usage.thinking_tokens",),
        "total_tokens": ("ag2.usage.total_tokens",),
        "input": ("ag2.human_input.prompt",),
        "output": (
            "ag2.human_input.response",
            Attribute("gen_ai.output.messages", path=(-1, "parts", 0, "content"), when=CONVERSATION),
        ),
    },
)
