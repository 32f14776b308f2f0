"""Tools that the provider runs itself while a model answers: web search, code interpreters, MCP servers and so on.

Their items have one form per tool (OpenAI's `code_interpreter_call`, Anthropic's `web_search_tool_result`, Gemini's
`executableCode`). What they share is read here, so that a tool nobody has heard of is a call with a result, too.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from spans.semconv.json_values import decode_json

CALL_ENDINGS = ("_call", "_tool_use", "_list_tools", "_approval_request")
RESULT_ENDINGS = (
    "_tool_result", "_call_output", "_tool_return", "_tool_response", "_search_output", "_approval_response",
)  # fmt: skip
# Calls and results of the program's own tools end so, too.
OWN_TOOLS = frozenset((
    "tool_call", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
))  # fmt: skip
NAMES = ("name", "tool_name", "toolName")
IDS = ("call_id", "id", "tool_use_id", "toolCallId", "tool_call_id")
RESULT_IDS = ("tool_use_id", "call_id", "toolCallId", "tool_call_id", "approval_request_id", "id")
SERVERS = ("server_label", "server_name", "mcp_server_name", "serverName")
ARGUMENTS = ("arguments", "args", "input", "action", "operation")
RESULTS = ("output", "outputs", "results", "result", "response", "content", "tools")
ABOUT = frozenset((
    "type", "status", "error", "is_error", "cache_control", "caller", "execution", "created_by", "part_kind",
    "provider_name", "provider_details", "timestamp", "providerExecuted", "signature", "environment_id",
    *NAMES, *IDS, *RESULT_IDS, *SERVERS,
))  # fmt: skip


class HostedTool(NamedTuple):
    """What an item says: of a call, and of its result where it is known. `arguments` and `result` as they were sent."""

    kind: str
    id: str
    name: str
    server: str
    arguments: Any
    result: Any
    is_call: bool
    status: str = ""


def kind_of(block: Mapping[str, Any]) -> str:
    """The type of a block of content or an item, in snake case; empty where it names none."""
    kind = block.get("type") or block.get("block_type") or block.get("part_kind") or block.get("kind") or ""
    return kind.lower().replace("-", "_") if isinstance(kind, str) else ""


def is_call(kind: str) -> bool:
    return kind.endswith(CALL_ENDINGS) and kind not in OWN_TOOLS


def is_result(kind: str, block: Mapping[str, Any]) -> bool:
    if kind in OWN_TOOLS:
        return False
    return kind.endswith(RESULT_ENDINGS) or (
        kind.endswith("_result") and ("call_id" in block or "tool_use_id" in block)
    )


def hosted_tool(kind: str, block: Mapping[str, Any]) -> HostedTool | None:
    """The hosted tool that an item of this kind is about."""
    if is_call(kind):
        return _call(kind, block)
    if is_result(kind, block):
        return _result(kind, block)
    return None


def _call(kind: str, block: Mapping[str, Any]) -> HostedTool:
    rest = {key: value for key, value in block.items() if key not in ABOUT and value is not None}
    result = next((rest.pop(key) for key in RESULTS if key in rest), None)
    arguments = next((rest.pop(key) for key in ARGUMENTS if key in rest), None)
    arguments = decode_json(arguments)
    if isinstance(arguments, dict) and "sources" in arguments:  # what OpenAI's web search found
        result = arguments["sources"] if result is None else result
        arguments = {key: value for key, value in arguments.items() if key != "sources"}
    if rest:
        arguments = {**arguments, **rest} if isinstance(arguments, dict) else rest | _named("input", arguments)
    if (error := block.get("error")) is not None:
        result = {"error": error} if result is None else {"error": error, "output": result}
    status = block.get("status")
    return HostedTool(
        kind, _first(block, IDS), _first(block, NAMES) or _name(kind), _first(block, SERVERS), arguments, result,
        is_call=True, status=status if isinstance(status, str) and status != "completed" else "",
    )  # fmt: skip


def _result(kind: str, block: Mapping[str, Any]) -> HostedTool:
    rest = {key: value for key, value in block.items() if key not in ABOUT and value is not None}
    result = next((rest.pop(key) for key in RESULTS if key in rest), None)
    if result is None:
        result = rest or None
    if block.get("error") is not None:
        result = {"error": block["error"]} if result is None else {"error": block["error"], "output": result}
    elif block.get("is_error") is True:
        result = {"error": result}
    return HostedTool(
        kind, _first(block, RESULT_IDS), _first(block, NAMES) or _name(kind), _first(block, SERVERS), None, result,
        is_call=False,
    )  # fmt: skip


def _name(kind: str) -> str:
    """web_search of web_search_call and web_search_tool_result; mcp_list_tools is the name of what it does."""
    if kind.endswith(("_list_tools", "_approval_request", "_approval_response")):
        return kind
    for ending in (*CALL_ENDINGS, *RESULT_ENDINGS, "_result"):
        if kind.endswith(ending):
            return kind.removesuffix(ending)
    return kind


def _named(name: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {name: value}


def _first(block: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((block[key] for key in keys if isinstance(block.get(key), str) and block[key]), "")


def grounding_of(candidate: Mapping[str, Any]) -> list[HostedTool]:
    """What Gemini searched or read while it answered, which stands beside the answer."""
    found = []
    if isinstance(data := _either(candidate, "groundingMetadata", "grounding_metadata"), dict):
        queries = _either(data, "webSearchQueries", "web_search_queries") or _either(
            data, "retrievalQueries", "retrieval_queries"
        )
        chunks = _either(data, "groundingChunks", "grounding_chunks")
        if queries or chunks:
            arguments = {"queries": queries} if queries else None
            found.append(HostedTool("grounding_metadata", "", "google_search", "", arguments, chunks, is_call=True))
    if isinstance(data := _either(candidate, "urlContextMetadata", "url_context_metadata"), dict):
        pages = _either(data, "urlMetadata", "url_metadata")
        if pages:
            found.append(HostedTool("url_context_metadata", "", "url_context", "", None, pages, is_call=True))
    return found


def _either(value: Mapping[str, Any], camel: str, snake: str) -> Any:
    found = value.get(camel)
    return value.get(snake) if found is None else found
