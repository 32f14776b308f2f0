from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.messages import parts_of, text_of_parts
from spans.semconv.sources import Attribute, EventAttribute


def _text_of_blocks(value: Any) -> Any:
    """The text of a tool's result, which is a list of blocks."""
    return (text_of_parts(parts_of(value)) or value) if isinstance(value, list) else value


STRANDS = Convention(
    name="strands",
    title="Strands Agents",
    source="https://github.com/strands-agents/sdk-python/blob/v1.62.0/src/strands/telemetry/tracer.py",
    about=(
        "OpenTelemetry GenAI; messages are span events, in Bedrock's blocks or in OpenTelemetry's parts. "
        "gen_ai.system names the framework, not who ran the model."
    ),
    scopes=("strands.",),
    fields={
        "span_type": (Attribute("gen_ai.operation.name", values={"execute_event_loop_cycle": "CHAIN"}),),
        "tool_definitions": ("gen_ai.agent.tools",),
        "time_to_first_token_ms": (Attribute("gen_ai.server.time_to_first_token", scale=1),),
        "output": (EventAttribute("gen_ai.choice", Attribute("message", transform=_text_of_blocks)),),
        "tags": ("tags",),
    },
)
