"""One schema for what models read and write, whatever the provider or framework called it.

A message is {"role": "system" | "user" | "assistant" | "tool", "parts": [...]}, with "name" and "finish_reason" where
known. Its parts:
    {"type": "text", "text": ...}
    {"type": "reasoning", "text": ...}
    {"type": "tool_call", "id": ..., "name": ..., "arguments": ...}
    {"type": "tool_result", "id": ..., "name": ..., "result": ...}
    {"type": "media", "modality": "image" | "audio" | "video" | "file", "mime_type": ..., "uri": ...}    never the bytes

Read are: OpenTelemetry's parts, OpenAI's chat and Responses items, Anthropic's blocks, Gemini's contents, Bedrock's
and Strands' blocks, LangChain's serialised messages, OpenInference's attributes, BeeAI's, LlamaIndex's, Vercel's and
pydantic-ai's messages.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from spans.semconv.json_values import as_text, decode_json

Part: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]

ROLES = {
    "human": "user",
    "user": "user",
    "userproxy": "user",
    "tool-call": "assistant",
    "tool-response": "tool",
    "request": "user",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "humanmessage": "user",
    "systemmessage": "system",
    "toolmessage": "tool",
    "assistant": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "response": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
    "ipython": "tool",
}
TEXT_KEYS = ("text", "content", "thinking", "reasoning", "refusal", "transcript")
# Beside "input" they tell a request of OpenAI's Responses API from other values.
REQUEST_KEYS = frozenset(("model", "instructions", "tools"))
# They tell a whole message, held by a choice, from a block of content.
WHOLE_MESSAGE_KEYS = frozenset(("content", "tool_calls"))
MAX_DEPTH = 8


def role_of(value: Any, default: str) -> str:
    """The role by its usual name; an unknown one stays as it is."""
    if not isinstance(value, str) or not value:
        return default
    return ROLES.get(value.lower().rsplit(".", 1)[-1], value)


def messages_of(value: Any, role: str = "user", depth: int = 0) -> list[Message]:
    """The messages in a value: a list of them, one, or a request or response that holds them."""
    value = decode_json(value)
    if value is None or depth > MAX_DEPTH:
        return []
    if isinstance(value, str):
        return [{"role": role, "parts": [{"type": "text", "text": value}]}] if value else []
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], str) and value[0].lower() in ROLES:
            return [{"role": role_of(value[0], role), "parts": parts_of(value[1])}]
        return [message for item in value for message in messages_of(item, role, depth + 1)]
    if not isinstance(value, Mapping):
        return [{"role": role, "parts": [{"type": "text", "text": str(value)}]}]
    for unwrap in (_from_request, _from_response):
        found = unwrap(value, role, depth)
        if found is not None:
            return found
    message = message_of(value, role)
    return [message] if message else []


def _from_request(value: Mapping[str, Any], role: str, depth: int) -> list[Message] | None:
    if isinstance(value.get("messages"), list | str):
        system = value.get("system")
        before = messages_of(system, "system", depth + 1) if isinstance(system, str | list) and system else []
        return before + messages_of(value["messages"], role, depth + 1)
    if isinstance(value.get("prompt"), list | str) and "role" not in value and "content" not in value:
        before = messages_of(value.get("system"), "system", depth + 1)
        return before + messages_of(value["prompt"], role, depth + 1)
    if isinstance(value.get("input"), list | str) and not REQUEST_KEYS.isdisjoint(value):
        before = messages_of(value.get("instructions"), "system", depth + 1)
        return before + messages_of(value["input"], role, depth + 1)
    if isinstance(value.get("contents"), list) and "role" not in value:
        config = value.get("config")
        holder = config if isinstance(config, Mapping) else value
        system = holder.get("system_instruction", holder.get("systemInstruction"))
        before = messages_of(system, "system", depth + 1) if system else []
        return before + messages_of(value["contents"], role, depth + 1)
    return None


def _from_response(value: Mapping[str, Any], role: str, depth: int) -> list[Message] | None:
    if isinstance(choices := value.get("choices"), list):
        found = []
        for choice in choices:
            if not isinstance(choice, Mapping):
                continue
            inner = choice.get("message", choice.get("delta", choice.get("text")))
            for message in messages_of(inner, "assistant", depth + 1):
                if isinstance(reason := choice.get("finish_reason"), str):
                    message["finish_reason"] = reason
                found.append(message)
        return found
    if isinstance(output := value.get("output"), list) and ("object" in value or "model" in value):
        return messages_of(output, "assistant", depth + 1)
    if isinstance(generations := value.get("generations"), list):
        return messages_of(generations, "assistant", depth + 1)
    if isinstance(candidates := value.get("candidates"), list):
        contents = [item.get("content") for item in candidates if isinstance(item, Mapping)]
        return messages_of(contents, "assistant", depth + 1)
    inner = value.get("message")
    whole = isinstance(inner, Mapping) and not WHOLE_MESSAGE_KEYS.isdisjoint(inner)
    if "content" not in value and (whole or (isinstance(inner, Mapping | str) and "role" not in value)):
        reason = value.get("finish_reason")
        found = messages_of(inner, role_of(value.get("role"), role), depth + 1)
        if found and isinstance(reason, str):
            found[-1]["finish_reason"] = reason
        return found
    return None


def message_of(value: Mapping[str, Any], role: str) -> Message | None:
    """One message, or None where a mapping is none."""
    kind = value.get("type")
    if not isinstance(kind, str):
        kind = ""
    if isinstance(kwargs := value.get("kwargs"), Mapping) and isinstance(path := value.get("id"), list) and path:
        return message_of({"role": path[-1], **kwargs, "type": None}, role)  # LangChain's serialised form
    if kind in STANDALONE_ITEMS:
        part = part_of(value)
        return {"role": STANDALONE_ITEMS[kind], "parts": [part]} if part else None
    for wrapper in ("completion", "prompt"):
        if isinstance(inner := value.get(wrapper), Mapping):
            return message_of(inner, role)  # OpenInference's text completions
    if isinstance(nested := value.get("data"), Mapping) and kind in ROLES:
        return message_of({"role": kind, **nested}, role)  # LangChain's messages_to_dict
    named_role = value.get("role", value.get("kind", kind if kind in ROLES else value.get("source")))
    found = role_of(named_role, role) if not value.get("tool_call_id") else "tool"
    parts: list[Part] = []
    if reasoning := value.get("reasoning_content", value.get("reasoning")):
        parts += [{"type": "reasoning", "text": text_of_parts(parts_of(reasoning))}]
    content = next(
        (value[key] for key in ("content", "parts", "blocks", "text", "contents", "message") if value.get(key)), None
    )
    calls = [part for call in _calls(value) if (part := tool_call_of(call))]
    if found == "tool" and (value.get("tool_call_id") or value.get("id")):
        result = {
            "type": "tool_result",
            "id": value.get("tool_call_id") or value.get("id"),
            "name": value.get("name") or "",
        }
        inner = parts_of(content)
        if inner and all(part["type"] == "tool_result" for part in inner):
            parts += inner
        else:
            text = text_of_parts(inner)
            parts.append({**result, "result": text if text else content})
    elif not (calls and content in ('""', "")):  # an older SDK writes the missing text of a tool call as '""'
        parts += parts_of(content)
    seen = {part["id"] for part in parts if part["type"] == "tool_call"} - {""}
    parts += [call for call in calls if not call["id"] or call["id"] not in seen]
    if not parts and named_role is None:
        return None
    message: Message = {"role": found, "parts": parts}
    if isinstance(name := value.get("name"), str) and found != "tool":
        message["name"] = name
    if isinstance(reason := value.get("finish_reason"), str) and reason:
        message["finish_reason"] = reason
    return message


def _calls(value: Mapping[str, Any]) -> list[Any]:
    calls = decode_json(value.get("tool_calls", value.get("toolCalls")))
    found = list(calls) if isinstance(calls, list) else []
    extra = value.get("additional_kwargs")
    if not found and isinstance(extra, Mapping) and isinstance(extra.get("tool_calls"), list):
        found = list(extra["tool_calls"])
    if isinstance(call := decode_json(value.get("function_call")), Mapping):
        found.append(call)
    elif name := value.get("function_call_name"):
        found.append({"name": name, "arguments": value.get("function_call_arguments_json")})
    return found


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


def tool_result_in(value: Any) -> Part | None:
    """The result in a message of a tool (LangChain's), which may stand alone below "output"."""
    if isinstance(value, Mapping) and value.keys() == {"output"}:
        value = decode_json(value["output"])
    if not isinstance(value, Mapping):
        return None
    if not ("lc" in value or "tool_call_id" in value or (value.get("type") == "tool" and "data" in value)):
        return None
    parts = [part for message in messages_of(value, "tool") for part in message["parts"]]
    return parts[0] if len(parts) == 1 and parts[0]["type"] == "tool_result" else None


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


STANDALONE_ITEMS = {
    "function_call": "assistant",
    "custom_tool_call": "assistant",
    "reasoning": "assistant",
    "tool_call": "assistant",
    "tool_use": "assistant",
    "tool-call": "assistant",
    "function_call_output": "tool",
    "custom_tool_call_output": "tool",
    "tool_result": "tool",
    "tool-result": "tool",
}
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


def joined(messages: list[Message]) -> list[Message]:
    """Streamed pieces put together: neighbours of one role become one message, their texts joined without a break."""
    result: list[Message] = []
    for message in messages:
        if not result or result[-1]["role"] != message["role"]:
            result.append({**message, "parts": []})
        last = result[-1]
        for part in message["parts"]:
            tail = last["parts"][-1] if last["parts"] else None
            if tail is not None and part["type"] == tail["type"] and part["type"] in ("text", "reasoning"):
                last["parts"][-1] = {**tail, "text": tail["text"] + part["text"]}
            else:
                last["parts"].append(part)
        if "finish_reason" in message:
            last["finish_reason"] = message["finish_reason"]
    return result


def join_pieces(value: Any) -> list[Message]:
    """The assistant's message whose streamed pieces a value lists."""
    return joined(messages_of(value, "assistant"))


def without_pieces(messages: Any) -> Any:
    """Answers without the pieces of their streams, which some SDKs list before the whole: pieces have not finished."""
    if not isinstance(messages, list) or len(messages) < 2:
        return messages
    whole = [item for item in messages if not isinstance(item, Mapping) or item.get("finish_reason") != ""]
    return whole or messages
