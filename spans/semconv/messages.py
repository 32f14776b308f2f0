"""One schema for what models read and write, whatever the provider or framework called it.

A message is {"role": "system" | "user" | "assistant" | "tool", "parts": [...]}, with "name" and "finish_reason" where
known; the role of what stands between messages and nobody said is "other". Its parts:
    {"type": "text", "text": ...}    "citations" as they were sent, where it has some
    {"type": "reasoning", "text": ...}
    {"type": "tool_call", "id": ..., "name": ..., "arguments": ...}
    {"type": "tool_result", "id": ..., "name": ..., "result": ...}
    {"type": "media", "modality": "image" | "audio" | "video" | "file", "mime_type": ..., "uri": ...}    never the bytes
    {"type": "unknown", "name": its own type, "value": ...}    any other
A call that the provider runs itself has "hosted", its own type, and "server" where it is an MCP server's; so has its
result. A result is a text, a JSON value, or a list of text and media parts. Media have "file_id", "name", "transcript"
and "text" where known.

Read are: OpenTelemetry's parts, OpenAI's chat and Responses items, Anthropic's blocks, Gemini's contents, Bedrock's
and Strands' blocks, LangChain's serialised messages, OpenInference's attributes, BeeAI's, LlamaIndex's, Vercel's and
pydantic-ai's messages.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from spans.semconv.hosted_tools import grounding_of, is_call, is_result, kind_of
from spans.semconv.json_values import decode_json
from spans.semconv.media import media_of
from spans.semconv.parts import (
    KNOWN_TYPES,
    Part,
    parts_in,
    parts_of,
    parts_of_hosted,
    result_of,
    text_of_parts,
    tool_call_of,
)

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
# Items that stand where messages do, and the roles that they have
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
# What tells a message, even one without content, from an item of another type
MESSAGE_SIGNS = frozenset(
    ("role", "content", "parts", "tool_calls", "toolCalls", "text", "blocks", "contents", "message")
)
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
    if not isinstance(value, dict):
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
        holder = config if isinstance(config, dict) else value
        system = holder.get("system_instruction", holder.get("systemInstruction"))
        before = messages_of(system, "system", depth + 1) if system else []
        return before + messages_of(value["contents"], role, depth + 1)
    return None


def _from_response(value: Mapping[str, Any], role: str, depth: int) -> list[Message] | None:
    if isinstance(choices := value.get("choices"), list):
        found = []
        for choice in choices:
            if not isinstance(choice, dict):
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
        return [message for item in candidates for message in _from_candidate(item, depth)]
    inner = value.get("message")
    whole = isinstance(inner, dict) and not WHOLE_MESSAGE_KEYS.isdisjoint(inner)
    if "content" not in value and (whole or (isinstance(inner, dict | str) and "role" not in value)):
        reason = value.get("finish_reason")
        found = messages_of(inner, role_of(value.get("role"), role), depth + 1)
        if found and isinstance(reason, str):
            found[-1]["finish_reason"] = reason
        return found
    return None


def _from_candidate(candidate: Any, depth: int) -> list[Message]:
    """Gemini's answer, with what was searched for it before its text."""
    if not isinstance(candidate, dict):
        return []
    found = messages_of(candidate.get("content"), "assistant", depth + 1)
    if searched := [part for tool in grounding_of(candidate) for part in parts_of_hosted(tool)]:
        if not found:
            return [{"role": "assistant", "parts": searched}]
        found[0]["parts"] = searched + found[0]["parts"]
    return found


def message_of(value: Mapping[str, Any], role: str) -> Message | None:
    """One message, or None where a mapping is none."""
    kind = value.get("type")
    if not isinstance(kind, str):
        kind = ""
    if isinstance(kwargs := value.get("kwargs"), dict) and isinstance(path := value.get("id"), list) and path:
        return message_of({"role": path[-1], **kwargs, "type": None}, role)  # LangChain's serialised form
    if kind and (own_role := _role_of_item(kind, value, role)):
        found = parts_in(value)
        return {"role": own_role, "parts": found} if found else None
    for wrapper in ("completion", "prompt"):
        if isinstance(inner := value.get(wrapper), dict):
            return message_of(inner, role)  # OpenInference's text completions
    if isinstance(nested := value.get("data"), dict) and kind in ROLES:
        return message_of({"role": kind, **nested}, role)  # LangChain's messages_to_dict
    named_role = value.get("role", value.get("kind", kind if kind in ROLES else value.get("source")))
    speaker = role_of(named_role, role) if not value.get("tool_call_id") else "tool"
    parts: list[Part] = []
    if reasoning := value.get("reasoning_content", value.get("reasoning")):
        parts += [{"type": "reasoning", "text": text_of_parts(parts_of(reasoning))}]
    content = next(
        (value[key] for key in ("content", "parts", "blocks", "text", "contents", "message") if value.get(key)), None
    )
    if isinstance(audio := value.get("audio"), dict):  # OpenAI's spoken answer
        parts.append(media_of({"type": "audio", **audio}, "audio"))
    calls = [part for call in _calls(value) if (part := tool_call_of(call))]
    if speaker == "tool" and (value.get("tool_call_id") or value.get("id")):
        result = {
            "type": "tool_result",
            "id": value.get("tool_call_id") or value.get("id"),
            "name": value.get("name") or "",
        }
        inner = parts_of(content)
        if inner and all(part["type"] == "tool_result" for part in inner):
            parts += inner
        else:
            only_text = isinstance(content, str) and all(part["type"] == "text" for part in inner)
            parts.append({**result, "result": content if only_text else result_of(content)})
    elif not (calls and content in ('""', "")):  # an older SDK writes the missing text of a tool call as '""'
        parts += parts_of(content)
    seen = {part["id"] for part in parts if part["type"] == "tool_call"} - {""}
    parts += [call for call in calls if not call["id"] or call["id"] not in seen]
    if not parts and named_role is None:
        return None
    message: Message = {"role": speaker, "parts": parts}
    if isinstance(name := value.get("name"), str) and speaker != "tool":
        message["name"] = name
    if isinstance(reason := value.get("finish_reason"), str) and reason:
        message["finish_reason"] = reason
    return message


def _role_of_item(kind: str, value: Mapping[str, Any], role: str) -> str:
    """The role of an item that stands where messages do and is none; empty for a message."""
    if kind in STANDALONE_ITEMS:
        return STANDALONE_ITEMS[kind]
    snake = kind_of(value)
    if is_call(snake) or snake.endswith("_tool_result"):
        return "assistant"
    if is_result(snake, value):
        return "tool"
    if snake in KNOWN_TYPES:
        return role
    if kind in ROLES or not MESSAGE_SIGNS.isdisjoint(value):
        return ""
    return "other" if role == "user" else role


def _calls(value: Mapping[str, Any]) -> list[Any]:
    calls = decode_json(value.get("tool_calls", value.get("toolCalls")))
    found = list(calls) if isinstance(calls, list) else [calls] if isinstance(calls, dict) else []
    extra = value.get("additional_kwargs")
    if not found and isinstance(extra, dict) and isinstance(extra.get("tool_calls"), list):
        found = list(extra["tool_calls"])
    if isinstance(call := decode_json(value.get("function_call")), dict):
        found.append(call)
    elif name := value.get("function_call_name"):
        found.append({"name": name, "arguments": value.get("function_call_arguments_json")})
    return found


def tool_result_in(value: Any) -> Part | None:
    """The result in a message of a tool (LangChain's), which may stand alone below "output"."""
    if isinstance(value, dict) and value.keys() == {"output"}:
        value = decode_json(value["output"])
    if not isinstance(value, dict):
        return None
    if not ("lc" in value or "tool_call_id" in value or (value.get("type") == "tool" and "data" in value)):
        return None
    parts = [part for message in messages_of(value, "tool") for part in message["parts"]]
    return parts[0] if len(parts) == 1 and parts[0]["type"] == "tool_result" else None


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
    whole = [item for item in messages if not isinstance(item, dict) or item.get("finish_reason") != ""]
    return whole or messages
