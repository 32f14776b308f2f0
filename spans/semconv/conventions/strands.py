import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.parts import parts_of, text_of_parts
from spans.semconv.sources import Attribute, EventAttribute, Name


def _text_of_blocks(value: Any) -> Any:
    """The text of a tool's result, which is a list of blocks."""
    return (text_of_parts(parts_of(value)) or value) if isinstance(value, list) else value


TOOL = ("gen_ai.tool.name", re.compile("."))
TOOL_MESSAGE = EventAttribute("gen_ai.tool.message", Attribute("content", when=TOOL))

STRANDS = Convention(
    name="strands",
    title="Strands Agents",
    source="https://github.com/strands-agents/sdk-python/blob/v1.62.0/src/strands/telemetry/tracer.py",
    about=(
        "OpenTelemetry GenAI; messages are span events, in Bedrock's blocks or in OpenTelemetry's parts; the message "
        "of a tool's span is what it was called with. "
        "gen_ai.system names the framework, not who ran the model."
    ),
    scopes=("strands.", "strands-agents"),
    fields={
        "span_type": (
            Attribute("gen_ai.operation.name", values={"execute_event_loop_cycle": "CHAIN"}),
            Name(re.compile("^execute_agent_loop_cycle$"), constant="CHAIN"),
        ),
        "tool_arguments": (TOOL_MESSAGE,),
        "tool_result": (Attribute("gen_ai.tool.call.result", transform=_text_of_blocks),),
        "input": (TOOL_MESSAGE,),
        "tool_definitions": ("gen_ai.agent.tools",),
        "time_to_first_token_ms": (Attribute("gen_ai.server.time_to_first_token", scale=1),),
        "output": (EventAttribute("gen_ai.choice", Attribute("message", transform=_text_of_blocks)),),
        "tags": ("tags",),
    },
)
