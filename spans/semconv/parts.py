"""The parts of messages: text, reasoning, calls of tools and their results, media, and what is none of these.

`spans.semconv.messages` says what a part looks like, and whose forms are read.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from spans.semconv.hosted_tools import HostedTool, hosted_tool, is_call, is_result, kind_of
from spans.semconv.json_values import as_text, decode_json
from spans.semconv.media import MEDIA_TYPES, media_of, without_bytes

Part: TypeAlias = dict[str, Any]


def parts_of(content: Any) -> list[Part]:
    """The parts of a message's content."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content and not (parts := _blocks_in(content)) else parts
    if content is None:
        return []
    if isinstance(content, list):
        return [part for item in content for part in parts_in(item)]
    if isinstance(content, dict):
        if isinstance(inner := content.get("parts", content.get("content")), list) and "type" not in content:
            return parts_of(inner)
        return parts_in(content)
    return [{"type": "text", "text": str(content)}]


def _blocks_in(text: str) -> list[Part]:
    """The parts that a text consists of, which some SDKs write as JSON; none where it is a text, be it JSON of its own.

    Bytes in it would make it long beyond any text: it is read without them.
    """
    if text[:1] != "[":
        return []
    blocks = decode_json(text)
    if not (isinstance(blocks, list) and blocks and all(_is_block(block) for block in blocks)):
        return []
    return parts_of(blocks)


def _is_block(value: Any) -> bool:
    """Whether a value is a block of content, and not JSON that the text itself consists of."""
    if not isinstance(value, dict):
        return False
    kind = kind_of(value)
    if kind in TEXT_TYPES:
        return any(isinstance(value.get(key), str) for key in TEXT_KEYS)
    if kind:
        return kind in KNOWN_TYPES or is_call(kind) or is_result(kind, value)
    return not UNTYPED_BLOCKS.keys().isdisjoint(value) or (value.keys() <= TEXT_BLOCK and bool(value.get("text")))


def parts_in(block: Any) -> list[Part]:
    """What a block of content, or an item beside messages, consists of: one part; a hosted tool's call and result."""
    if isinstance(block, str):
        return [{"type": "text", "text": block}]
    if not isinstance(block, dict):
        return [] if block is None else [{"type": "text", "text": as_text(block)}]
    text = block.get("text", block.get("content")) if block.get("type") in PLAIN_TEXT_TYPES else None
    if type(text) is str and text[:1] != "[" and "annotations" not in block and "citations" not in block:
        return [{"type": "text", "text": text}] if text else []  # the commonest one
    for wrapper in ("server_tool_call", "server_tool_call_response"):
        if isinstance(held := decode_json(block.get(wrapper)), dict):
            ending = "_call" if wrapper == "server_tool_call" else "_tool_result"
            kind = f"{held.get('type') or block.get('name') or 'tool'}{ending}"
            return _hosted_parts(kind, {**held, **{key: block[key] for key in ("id", "name") if block.get(key)}})
    if isinstance(wrapped := block.get("tool_call"), dict):
        return _alone(tool_call_of(wrapped))
    if isinstance(wrapped := block.get("message_content"), dict):
        return parts_in(wrapped)
    kind = kind_of(block)
    if kind in TOOL_CALL_TYPES:
        return _alone(tool_call_of(block))
    if kind in TOOL_RESULT_TYPES:
        return [tool_result_of(block)]
    if kind in REASONING_TYPES:
        return [{"type": "reasoning", "text": _text(block) or text_of_parts(parts_of(block.get("summary")))}]
    if kind in MEDIA_TYPES:
        return [media_of(block, MEDIA_TYPES[kind])]
    if kind not in PART_TYPES and (hosted := _hosted_parts(kind, block)):
        return hosted
    for key, read in ALL_BLOCKS.items():
        if isinstance(inner := block.get(key), dict):
            return _alone(read(inner))
    for key, kind_of_code in CODE_BLOCKS.items():
        if isinstance(inner := block.get(key), dict):
            return _hosted_parts(kind_of_code, inner)
    if block.get("thought") is True and isinstance(block.get("text"), str):
        return [{"type": "reasoning", "text": block["text"]}]
    if kind == "unknown" and block.keys() == {"type", "name", "value"}:
        return [dict(block)]
    return _text_or_unknown(kind, block)


def _alone(part: Part | None) -> list[Part]:
    return [part] if part else []


def _text_or_unknown(kind: str, block: Mapping[str, Any]) -> list[Part]:
    """A text with its sources, if it has some; a block of another type as what it is, so that nothing vanishes."""
    is_text = kind in TEXT_TYPES or (block.keys() <= TEXT_BLOCK and (not kind or "text" in block))
    text = _text(block) if is_text else ""
    if parts := _blocks_in(text):
        return parts
    if text:
        cited = block.get("annotations") or block.get("citations")
        return [{"type": "text", "text": text} | ({"citations": cited} if cited else {})]
    if kind in TEXT_TYPES:
        return []
    told = {key: value for key, value in block.items() if value is not None and key not in SEALED}
    if kind:
        return [{"type": "unknown", "name": kind, "value": without_bytes(told)}]
    if text := _text(block):
        return _blocks_in(text) or [{"type": "text", "text": text}]
    return [{"type": "text", "text": as_text(told)}] if any(value != "" for value in told.values()) else []


def _hosted_parts(kind: str, block: Mapping[str, Any]) -> list[Part]:
    """The call of a tool that the provider runs, and its result where it is known."""
    tool = hosted_tool(kind, block)
    return [] if tool is None else parts_of_hosted(tool)


def parts_of_hosted(tool: HostedTool) -> list[Part]:
    """`hosted` is the item's own type, `server` the MCP server, `status` what kept it from completing."""
    about = {"id": tool.id, "name": tool.name}
    extra = {"hosted": tool.kind} | ({"server": tool.server} if tool.server else {})
    parts: list[Part] = []
    if tool.is_call:
        status = {"status": tool.status} if tool.status else {}
        parts.append({"type": "tool_call", **about, "arguments": without_bytes(tool.arguments), **extra, **status})
    if not tool.is_call or tool.result is not None:
        result = tool.result
        if tool.kind == "image_generation_call" and isinstance(result, str):
            result = [media_of({"type": "image"}, "image")]
        parts.append({"type": "tool_result", **about, "result": result_of(result), **extra})
    return parts


def _text(block: Mapping[str, Any]) -> str:
    for key in TEXT_KEYS:
        value = block.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list | Mapping):
            return text_of_parts(parts_of(value))
    return ""


def tool_call_of(call: Any) -> Part | None:
    call = decode_json(call)
    if not isinstance(call, dict):
        return None
    if isinstance(wrapped := call.get("tool_call"), dict):
        call = wrapped
    function = decode_json(call.get("function"))
    function = function if isinstance(function, dict) else call
    name = function.get("name") or call.get("toolName") or call.get("tool_name") or call.get("tool") or ""
    arguments = next(
        (function[key] for key in ("arguments", "args", "input", "parameters", "tool_kwargs") if key in function), None
    )
    identity = next(
        (call[key] for key in ("call_id", "toolCallId", "tool_call_id", "toolUseId", "id", "ref") if call.get(key)), ""
    )
    arguments = without_bytes(decode_json(arguments))
    return {"type": "tool_call", "id": str(identity), "name": as_text(name), "arguments": arguments}


def tool_result_of(block: Mapping[str, Any]) -> Part:
    identity = next(
        (
            block[key]
            for key in ("tool_use_id", "toolUseId", "toolCallId", "tool_call_id", "call_id", "id", "ref")
            if block.get(key)
        ),
        "",
    )
    keys = ("response", "result", "output", "content", "return_value")
    return {
        "type": "tool_result",
        "id": identity,
        "name": block.get("name") or block.get("toolName") or "",
        "result": result_of(next((block[key] for key in keys if key in block), None)),
    }


def result_of(value: Any) -> Any:
    """What a tool gave back: a text, parts where media are among it, else the value; never bytes."""
    value = decode_json(value)
    if isinstance(value, dict) and value.keys() == {"type", "value"}:
        return result_of(value["value"])  # Vercel's {"type": "json", "value": …}
    parts = parts_of_result(value)
    if any(part["type"] == "media" for part in parts):
        return parts
    return without_bytes(text_of_parts(parts) if parts and isinstance(value, list) else value)


def parts_of_result(value: Any) -> list[Part]:
    """The texts and media that a result consists of, MCP's among them; none where it is anything else."""
    if isinstance(value, dict) and isinstance(value.get("content"), list) and "isError" in value:
        value = value["content"]
    blocks = value if isinstance(value, list) else [value]
    if not blocks or not all(_is_block(block) for block in blocks):
        return []
    parts = parts_of(blocks)
    return parts if all(part["type"] in SAID for part in parts) else []


def text_of_result(result: Any) -> str:
    """What a tool gave back, for a person: media by their names."""
    parts = result if isinstance(result, list) else []
    if not any(isinstance(part, dict) and part.get("type") == "media" for part in parts):
        return as_text(result)
    return "\n".join(part["text"] if part["type"] == "text" else name_of_media(part) for part in parts)


def _bedrock_reasoning(inner: Mapping[str, Any]) -> Part:
    block = inner.get("reasoningText")
    return {"type": "reasoning", "text": _text(block) if isinstance(block, dict) else _text(inner)}


def _haystack_result(inner: Mapping[str, Any]) -> Part:
    origin = inner.get("origin")
    call = tool_call_of(origin) if isinstance(origin, dict) else None
    named = {"id": call["id"], "name": call["name"]} if call else {}
    return {**tool_result_of(inner), **named}


PLAIN_TEXT_TYPES = frozenset(("text", "input_text", "output_text"))
TEXT_TYPES = {"text", "input_text", "output_text", "summary_text", "reasoning_text", "refusal", "markdown"}
TEXT_KEYS = ("text", "content", "thinking", "reasoning", "refusal", "transcript")
# A text, and what stands beside one without saying more of the answer.
TEXT_BLOCK = frozenset((
    *TEXT_KEYS, "type", "block_type", "part_kind", "kind", "id", "role", "annotations", "citations", "cache_control",
    "index", "status", "phase", "logprobs", "finish_reason", "lc", "state", "timestamp", "provider_details",
    "providerOptions", "providerMetadata", "provider_metadata",
))  # fmt: skip
# Ciphertext of the provider, for itself
SEALED = frozenset(("signature", "thought_signature", "thoughtSignature", "encrypted_content", "encrypted_index"))
TOOL_CALL_TYPES = {"tool_call", "tool_use", "function_call", "toolcall", "tooluse", "custom_tool_call"}
TOOL_RESULT_TYPES = {
    "tool_result", "tool_call_response", "function_call_output", "tool_response", "tool_return", "toolresult",
    "custom_tool_call_output",
}  # fmt: skip
REASONING_TYPES = {"reasoning", "thinking", "redacted_thinking"}
KNOWN_TYPES = TOOL_CALL_TYPES | TOOL_RESULT_TYPES | REASONING_TYPES | MEDIA_TYPES.keys()
# Those of our own schema, in which messages may come again.
PART_TYPES = frozenset(("text", "reasoning", "tool_call", "tool_result", "media", "unknown"))
# Gemini's, which have no name
CODE_BLOCKS = {
    "executableCode": "code_execution_call",
    "executable_code": "code_execution_call",
    "codeExecutionResult": "code_execution_tool_result",
    "code_execution_result": "code_execution_tool_result",
}
UNTYPED_BLOCKS: dict[str, Callable[[Mapping[str, Any]], Part | None]] = {
    "toolUse": tool_call_of,
    "toolResult": tool_result_of,
    "toolRequest": tool_call_of,
    "toolResponse": tool_result_of,
    "functionCall": tool_call_of,
    "function_call": tool_call_of,
    "functionResponse": tool_result_of,
    "function_response": tool_result_of,
    "tool_call_result": _haystack_result,
    "reasoningContent": _bedrock_reasoning,
    "inlineData": lambda inner: media_of(inner, "file"),
    "inline_data": lambda inner: media_of(inner, "file"),
    "fileData": lambda inner: media_of(inner, "file"),
    "file_data": lambda inner: media_of(inner, "file"),
    "image": lambda inner: media_of(inner, "image"),
    "image_url": lambda inner: media_of(inner, "image"),
}
# So common as names that a text with them may as well be JSON of its own: read only where blocks are expected.
NESTED_BLOCKS: dict[str, Callable[[Mapping[str, Any]], Part | None]] = {
    "media": lambda inner: media_of(inner, "file"),
    "json": lambda inner: {"type": "text", "text": as_text(inner)},
    "data": lambda inner: {"type": "text", "text": as_text(inner)},
}
ALL_BLOCKS = UNTYPED_BLOCKS | NESTED_BLOCKS


def text_of_parts(parts: Iterable[Part]) -> str:
    """The texts of parts, joined: what a person reads, or hears. Neither reasoning nor calls."""
    found = [
        part["text"] if part["type"] == "text" else part.get("transcript") for part in parts if part["type"] in SAID
    ]
    return "\n".join(text for text in found if text)


def name_of_media(part: Part) -> str:
    """[image/png photo.png]"""
    named = part.get("name") or part.get("file_id") or part.get("uri") or ""
    return f"[{' '.join(filter(None, (part.get('mime_type') or part.get('modality') or 'file', named)))}]"


SAID = frozenset(("text", "media"))
