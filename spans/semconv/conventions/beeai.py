import re

from spans.semconv.convention import Convention
from spans.semconv.messages import join_pieces
from spans.semconv.sources import SPAN_NAME, Attribute, Name

# The last newToken event carries the same usage as the success event of its call.
CALL_DONE = ("target", re.compile(r"^backend\..+\.(?:success|error)$"))
MAIN_SPAN = (SPAN_NAME, re.compile("beeai-framework|bee-agent-framework"))
FAILED = ("target", re.compile(r"[eE]rror$"))
TOOL_NAME = re.compile(r"^tool\.(?:[^.]+\.)*([^.]+)\.(?:start|success|error|finish)$")
CHAT_DONE = re.compile(r"^(backend)\.[^.]+\.(?:chat|text|completion)\.(?:success|error)$")
EMBEDDING_DONE = re.compile(r"^(backend)\.[^.]+\.embedding\.(?:success|error)$")
TOOL_DONE = re.compile(r"^(tool)\..+\.(?:success|error)$")

BEEAI = Convention(
    name="beeai",
    title="BeeAI framework for TypeScript, built-in instrumentation",
    source="https://github.com/i-am-bee/beeai-framework/blob/typescript_v0.1.8/typescript/src/instrumentation/create-telemetry-middleware.ts",
    about=(
        "First, and only for its two scopes, because its keys are plain words. Every span but the main one is "
        "an event: of the start, newToken, success, error and finish of one call, only success or error "
        "stands for the call, so that a call has one span with a type and its tokens once. The main span's "
        "traceId is the framework's id of the run."
    ),
    scopes=("beeai-framework", "bee-agent-framework"),
    fields={
        "span_type": (
            Attribute("target", pattern=CHAT_DONE, values={"backend": "CHAT_MODEL"}),
            Attribute("target", pattern=EMBEDDING_DONE, values={"backend": "EMBEDDING"}),
            Attribute("target", pattern=TOOL_DONE, values={"tool": "TOOL"}),
            Attribute("target", values={"groupid": "CHAIN"}),
            Name(re.compile(r"^bee(?:ai|-agent)-framework-\w*Tool-\w+$"), constant="TOOL"),
            Name(re.compile(r"^bee(?:ai|-agent)-framework-\w*(?:Model|LLM|Workflow)-\w+$"), constant="CHAIN"),
            Name(re.compile(r"^bee(?:ai|-agent)-framework-\w+-\w+$"), constant="AGENT"),
        ),
        "operation_name": ("name",),
        "provider_name": (Attribute("target", pattern=re.compile(r"^backend\.([^.]+)\.")),),
        "request_model": (
            Attribute("data", path=("creator", "modelId")),
            Attribute("data", path=("input", "model")),
        ),
        "tool_name": (Attribute("target", pattern=TOOL_NAME),),
        "input_tokens": (
            Attribute("data", path=("value", "usage", "promptTokens"), when=CALL_DONE),
            Attribute("data", path=("value", "usage", "tokens"), when=CALL_DONE),
        ),
        "output_tokens": (Attribute("data", path=("value", "usage", "completionTokens"), when=CALL_DONE),),
        "total_tokens": (Attribute("data", path=("value", "usage", "totalTokens"), when=CALL_DONE),),
        "framework_trace_id": (Attribute("traceId", when=MAIN_SPAN),),
        "error_type": (Attribute("data", path=("error", "name")), Attribute("data", path=("name",), when=FAILED)),
        "error_message": (
            Attribute("data", path=("error", "message")),
            Attribute("data", path=("error", "errors", -1, "data", "error", "message")),
            Attribute("data", path=("message",), when=FAILED),
        ),
        "input_messages": (Attribute("data", path=("input", "messages")), "history"),
        "output_messages": (Attribute("data", path=("value", "messages"), transform=join_pieces), "response"),
        "input": ("prompt", Attribute("data", path=("input",))),
        "output": (
            Attribute("data", path=("output", "result")),
            Attribute("data", path=("output",)),
            Attribute("data", path=("final_answer",)),
            Attribute("data", path=("value",)),
        ),
        "metadata": ("ctx",),
    },
)
