"""What a failure is: the one rule that columns, lists, counts, filters, panels and exports follow.

A span failed if its status is ERROR, if a convention says so (the field `is_error`), or if the result of its tool does.
What ended by control flow did not fail, whatever its status: a pause that waits for a person, a hand-over, a
cancellation. When a trace failed is said in `traces.summaries.outcome`, all of it in words in docs/failures.md.
"""

import re
from collections.abc import Mapping
from typing import Any

from spans.semconv.json_values import decode_json
from spans.values import TaggedMap

STATUS_UNSET = 0
STATUS_ERROR = 2

WAITS = "waits for a person"
PAUSED = "paused"
HANDED_OVER = "handed over"
SKIPPED = "skipped on purpose"
STOPPED = "stopped on purpose"
CANCELLED = "cancelled"

# The last part of an exception's class, as its framework calls it, and what it stands for.
CONTROL_FLOW = {
    # LangGraph
    "GraphInterrupt": WAITS,
    "NodeInterrupt": WAITS,
    "GraphBubbleUp": HANDED_OVER,
    "GraphDelegate": HANDED_OVER,
    "ParentCommand": HANDED_OVER,
    "GraphDrained": PAUSED,
    "NodeCancelledError": CANCELLED,
    # Pydantic AI
    "ApprovalRequired": WAITS,
    "CallDeferred": PAUSED,
    "SkipModelRequest": SKIPPED,
    "SkipToolExecution": SKIPPED,
    "SkipToolValidation": SKIPPED,
    "RunCancelled": CANCELLED,
    # Strands, Google ADK, Agent Framework, Genkit, CrewAI, MCP, Haystack
    "InterruptException": WAITS,
    "NodeInterruptedError": WAITS,
    "WorkflowInterrupted": WAITS,
    "UserInputRequiredException": WAITS,
    "ToolInterruptError": WAITS,
    "HumanFeedbackPending": WAITS,
    "UrlElicitationRequiredError": WAITS,
    "HITLBreakpointException": WAITS,
    "BreakpointException": PAUSED,
    # Agno, LiveKit, LlamaIndex, OpenAI Agents, Temporal
    "StopAgentRun": STOPPED,
    "StopResponse": STOPPED,
    "WorkflowDone": STOPPED,
    "RunCancelledException": CANCELLED,
    "WorkflowCancelledByUser": CANCELLED,
    "MCPToolCancellationError": CANCELLED,
    "ContinueAsNewError": HANDED_OVER,
    # Python, JavaScript, .NET, Java and Kotlin
    "StopIteration": STOPPED,
    "StopAsyncIteration": STOPPED,
    "GeneratorExit": STOPPED,
    "CancelledError": CANCELLED,
    "KeyboardInterrupt": CANCELLED,
    "AbortError": CANCELLED,
    "OperationCanceledException": CANCELLED,
    "TaskCanceledException": CANCELLED,
    "CancellationException": CANCELLED,
    "JobCancellationException": CANCELLED,
}
# Classes that say nothing: SDKs put them where all they have is a text that begins with the real one.
VAGUE_TYPES = frozenset(("", "Exception", "BaseException", "Error", "error", "unknown", "_OTHER"))
_CLASS_REPR = re.compile(r"^<class '([^']+)'>$")
_BEGINNING = re.compile(rf"^(?:\w+\.)*({'|'.join(CONTROL_FLOW)})(?=[(:]|\s*$)")
_TIMEOUT = re.compile(r"time[d ]*-?out", re.IGNORECASE)
_WRAPPERS = ("output", "result", "response", "kwargs", "toolResult")


def class_name(error_type: str) -> str:
    """The class in an error's type: `<class 'app.Lost'>`, as Python prints it, is `app.Lost`."""
    match = _CLASS_REPR.match(error_type)
    return match[1] if match else error_type


def control_flow(error_type: str, message: str = "") -> str:
    """How something ended that did not fail: "waits for a person"; "" for any other end.

    A cancellation that speaks of a timeout is none: some clients cancel what takes too long.
    """
    meaning = CONTROL_FLOW.get(error_type.rpartition(".")[2], "")
    return "" if meaning is CANCELLED and message and _TIMEOUT.search(message) else meaning


def judge(status_code: int, is_told: bool, error_type: str, message: str, result: Any) -> tuple[bool, str]:
    """Whether a span failed, and the class of its error.

    is_told: what its conventions say of failure.  message: what its error says.  result: a tool's, else None.
    """
    error_type = class_name(error_type)
    if error_type in VAGUE_TYPES and (match := _BEGINNING.match(message)):
        error_type = match[1]
    if not (status_code == STATUS_ERROR or is_told or (result is not None and result_failed(result))):
        return False, error_type
    return not control_flow(error_type, message), error_type


def result_failed(result: Any) -> bool:
    """Whether a tool's result says of itself that the tool failed.

    MCP's `isError`, Anthropic's `is_error`, and status "error" of a message that answers a call, as LangChain and
    Bedrock have it; a tool's own data may have a status, too.
    """
    if isinstance(result, str):
        if "error" not in result and "isError" not in result:
            return False
        result = decode_json(result)
    for _depth in range(3):
        result = result.items if isinstance(result, TaggedMap) else result
        if isinstance(result, list) and len(result) == 1:
            result = result[0]
        if not isinstance(result, Mapping):
            return False
        if result.get("isError") is True or result.get("is_error") is True:
            return True
        if result.get("status") == "error" and ("tool_call_id" in result or "toolUseId" in result):
            return True
        result = next((decode_json(result[key]) for key in _WRAPPERS if key in result), None)
    return False
