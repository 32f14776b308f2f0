import re

from spans.semconv.convention import Convention
from spans.semconv.messages import join_pieces
from spans.semconv.sources import Attribute

SPAN_TYPES = {
    "llm_call": "CHAT_MODEL",
    "tool_call": "TOOL",
    "agent_call": "AGENT",
    "schedule_tool_calls": "CHAIN",
    "user_prompt": "CHAIN",
    "system_prompt": "CHAIN",
}
OPERATION = "gen_ai.operation.name"
INPUT = "gen_ai.input.messages"
OUTPUT = "gen_ai.output.messages"
CALL = (OPERATION, re.compile("^llm_call$"))
TOOL = (OPERATION, re.compile("^tool_call$"))
OTHER = (OPERATION, re.compile("^(?!llm_call$)"))
RESPONSE = ("response", "responseParts", 0, "functionResponse", "response")

GEMINI_CLI = Convention(
    name="gemini_cli",
    title="Gemini CLI",
    source="https://github.com/google-gemini/gemini-cli/pull/20237",
    about=(
        "OpenTelemetry GenAI with operations of its own. What any span got and gave has the keys of messages; only "
        "those of a model's call are messages, in Gemini's form, a stream's answer in pieces."
    ),
    scopes=("gemini-cli",),
    fields={
        "span_type": (Attribute(OPERATION, values=SPAN_TYPES),),
        "operation_name": (
            Attribute(
                OPERATION, values={"llm_call": "chat", "tool_call": "execute_tool", "agent_call": "invoke_agent"}
            ),
        ),
        "provider_name": (Attribute("gen_ai.request.model", constant="gcp.gemini"),),
        "tool_call_id": ("gen_ai.tool.call_id",),
        "tool_arguments": (Attribute(INPUT, path=("args",), when=TOOL),),
        "tool_result": (
            Attribute(OUTPUT, path=(*RESPONSE, "output"), when=TOOL),
            Attribute(OUTPUT, path=RESPONSE, when=TOOL),
        ),
        "output_messages": (Attribute(OUTPUT, transform=join_pieces, when=CALL),),
        "input": (Attribute(INPUT, path=("args",), when=TOOL), Attribute(INPUT, when=OTHER)),
        "output": (
            Attribute(OUTPUT, path=(*RESPONSE, "output"), when=TOOL),
            Attribute(OUTPUT, path=("response", "resultDisplay"), when=TOOL),
            Attribute(OUTPUT, when=OTHER),
        ),
    },
)
