import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Name

METHOD = "mcp.method.name"

MCP = Convention(
    name="mcp",
    title="OpenTelemetry MCP",
    source="https://github.com/open-telemetry/semantic-conventions/blob/v1.39.0/docs/gen-ai/mcp.md",
    about=(
        "After OpenTelemetry GenAI, whose keys the spans of a server have for calls of tools. The spans of the Python "
        "SDK's client have only the method, and the tool in their name."
    ),
    fields={
        "span_type": (Attribute(METHOD, values={"tools/call": "TOOL"}),),
        "operation_name": (METHOD,),
        "tool_name": (Name(re.compile(r"tools/call (\S+)$"), when=(METHOD, re.compile("^tools/call$"))),),
    },
)
