"""The parts of messages: text, reasoning, calls of tools and their results, media.

`spans.semconv.messages` says what a part looks like, and whose forms are read.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from spans.semconv.json_values import as_text, decode_json

Part: TypeAlias = dict[str, Any]

TEXT_KEYS = ("text", "content", "thinking", "reasoning", "refusal", "transcript")


def parts_of(content: Any) -> list[Part]:
    """The parts of a message's content."""
    if isinstance(content, str):
        blocks = decode_json(content) if content[:1] == "[" else None
        if not (isinstance(blocks, list) and blocks and all(_is_block(block) for block in blocks)):
            return [{"type": "text", "text": content}] if content else []
        content = blocks
    if content is None:
        return []
    if isinstance(content, list):
        return [part for item in content if (part := part_of(item))]
    if isinstance(content, Mapping):
        if isinstance(inner := content.get("parts", content.get("content")), list) and "type" not in content:
            return parts_of(inner)
        part = part_of(content)
        return [part] if part else []
    return [{"type": "text", "text": str(content)}]


def _is_block(value: Any) -> bool:
    """Whether a value is a block of content, and not JSON that the text itself consists of."""
    return isinstance(value, Mapping) and (
        "type" in value or "text" in value or not UNTYPED_BLOCKS.keys().isdisjoint(value)
    )


def part_of(block: Any) -> Part | None:
    """One part, or None where there is nothing to show."""
    if isinstance(block, str):
        return {"type": "text", "text": block}
    if not isinstance(block, Mapping):
        return None
    if isinstance(wrapped := block.get("tool_call"), Mapping):
        return tool_call_of(wrapped)
    if isinstance(wrapped := block.get("message_content"), Mapping):
        return part_of(wrapped)
    kind = str(block.get("type") or block.get("block_type") or block.get("part_kind") or block.get("kind") or "")
    kind = kind.lower().replace("-", "_")
    if kind in TOOL_CALL_TYPES:
        return tool_call_of(block)
    if kind in TOOL_RESULT_TYPES:
        return tool_result_of(block)
    if kind in REASONING_TYPES:
        return {"type": "reasoning", "text": _text(block) or text_of_parts(parts_of(block.get("summary")))}
    if kind in MEDIA_TYPES:
        return media_of(block, MEDIA_TYPES[kind])
    for key, read in ALL_BLOCKS.items():
        if isinstance(inner := block.get(key), Mapping):
            return read(inner)
    if block.get("thought") is True and isinstance(block.get("text"), str):
        return {"type": "reasoning", "text": block["text"]}
    text = _text(block)
    if text.startswith('[{"type":"text"'):  # some SDKs write a message's blocks as the text of one
        text = text_of_parts(parts_of(text)) or text
    return {"type": "text", "text": text} if text else None


def _text(block: Mapping[str, Any]) -> str:
    for key in TEXT_KEYS:
        value = block.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list | Mapping):
            return text_of_parts(parts_of(value))
    return ""


def tool_call_of(call: Any) -> Part | None:
    if not isinstance(call, Mapping):
        return None
    if isinstance(wrapped := call.get("tool_call"), Mapping):
        call = wrapped
    function = call.get("function") if isinstance(call.get("function"), Mapping) else call
    name = function.get("name") or call.get("toolName") or call.get("tool_name") or call.get("tool") or ""
    arguments = next(
        (
            function[key]
            for key in ("arguments", "args", "input", "parameters", "tool_kwargs", "server_tool_call")
            if key in function
        ),
        None,
    )
    identity = next(
        (call[key] for key in ("call_id", "toolCallId", "tool_call_id", "toolUseId", "id", "ref") if call.get(key)), ""
    )
    return {"type": "tool_call", "id": str(identity), "name": as_text(name), "arguments": decode_json(arguments)}


def tool_result_of(block: Mapping[str, Any]) -> Part:
    identity = next(
        (
            block[key]
            for key in ("tool_use_id", "toolUseId", "toolCallId", "tool_call_id", "call_id", "id", "ref")
            if block.get(key)
        ),
        "",
    )
    keys = ("response", "result", "output", "content", "return_value", "server_tool_call_response")
    result = decode_json(next((block[key] for key in keys if key in block), None))
    if isinstance(result, Mapping) and set(result) == {"type", "value"}:
        result = result["value"]  # Vercel's {"type": "json", "value": …}
    if isinstance(result, list) and result and all(isinstance(item, Mapping) for item in result):
        result = text_of_parts(parts_of(result)) or result
    return {
        "type": "tool_result",
        "id": identity,
        "name": block.get("name") or block.get("toolName") or "",
        "result": result,
    }


def media_of(block: Mapping[str, Any], modality: str) -> Part:
    """A reference. Data URIs and bytes are left where they are."""
    mime = block.get("mime_type") or block.get("mimeType") or block.get("media_type") or block.get("mediaType") or ""
    uri: Any = ""
    inner: Any = block
    for _ in range(3):
        candidates = (
            inner.get(key)
            for key in ("url", "uri", "file_uri", "fileUri", "image_url", "image", "source", "file_id", "audio")
        )
        uri = next((item for item in candidates if item), "")
        if not isinstance(uri, Mapping):
            break
        inner = uri
        mime = mime or inner.get("media_type") or inner.get("mime_type") or inner.get("mimeType") or ""
    if isinstance(uri, str) and uri.startswith("data:"):
        mime = mime or uri[5:].split(";", 1)[0].split(",", 1)[0]
    text = uri if isinstance(uri, str) and len(uri) <= 2048 and "://" in uri else ""
    kind = str(mime).split("/", 1)[0]
    return {
        "type": "media",
        "modality": kind if kind in ("image", "audio", "video") else str(block.get("modality") or modality),
        "mime_type": str(mime),
        "uri": text,
    }


def _bedrock_reasoning(inner: Mapping[str, Any]) -> Part:
    block = inner.get("reasoningText")
    return {"type": "reasoning", "text": _text(block) if isinstance(block, Mapping) else _text(inner)}


def _haystack_result(inner: Mapping[str, Any]) -> Part:
    origin = inner.get("origin")
    call = tool_call_of(origin) if isinstance(origin, Mapping) else None
    named = {"id": call["id"], "name": call["name"]} if call else {}
    return {**tool_result_of(inner), **named}


TOOL_CALL_TYPES = {
    "tool_call", "tool_use", "function_call", "toolcall", "tooluse", "custom_tool_call", "server_tool_use",
    "server_tool_call",
}  # fmt: skip
TOOL_RESULT_TYPES = {
    "tool_result", "tool_call_response", "function_call_output", "tool_response", "tool_return", "toolresult",
    "custom_tool_call_output", "server_tool_call_response",
}  # fmt: skip
REASONING_TYPES = {"reasoning", "thinking", "redacted_thinking"}
MEDIA_TYPES = {
    "image": "image", "image_url": "image", "input_image": "image", "audio": "audio", "input_audio": "audio",
    "video": "video", "file": "file", "input_file": "file", "document": "file", "blob": "file", "uri": "file",
    "binary": "file", "file_data": "file",
}  # fmt: skip
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
    """The texts of parts, joined: what a person reads. Neither reasoning nor calls."""
    found = [part["text"] for part in parts if part["type"] == "text" and part["text"]]
    return "\n".join(found)
