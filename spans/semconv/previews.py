"""One line of text for lists: what the user asked, what came back. At most 500 characters, never a vector."""

import re
from typing import Any

import orjson

from spans.semconv.json_values import LARGE_TEXT, as_text, decode_json, unquote_json
from spans.semconv.media import RUN, has_bytes, without_bytes_in_text
from spans.semconv.messages import ROLES, Message, messages_of
from spans.semconv.parts import parts_of_result, text_of_parts, text_of_result

PREVIEW_CHARACTERS = 500
# So short a text is shown even if it is base64.
FEW_CHARACTERS = 40
# Base64 that begins in a preview shows within so many characters, some of them spaces that the preview leaves out.
LOOKED_AT = PREVIEW_CHARACTERS + 100 + RUN
# Under these names requests and results keep the text that a person looks for, the likeliest first.
INPUT_KEYS = (
    "messages", "input", "new_message", "query", "question", "prompt", "task", "user_prompt", "text", "content",
    "inputs", "message", "contents", "kwargs", "args", "parts", "state", "str_or_query_bundle", "query_str", "value",
)  # fmt: skip
OUTPUT_KEYS = (
    "output", "outputs", "answer", "final_answer", "response", "result", "text", "content", "message", "messages",
    "choices", "generations", "candidates", "final_output", "final", "raw", "output_text", "replies", "chat_message",
    "blocks", "update",
    "parts", "data", "return_value", "value",
)  # fmt: skip
KNOWN_KEYS = frozenset(INPUT_KEYS + OUTPUT_KEYS)
VECTOR_KEYS = frozenset(("embedding", "embeddings", "vector", "vectors", "query_embedding"))
CALL_KEYS = {"args", "kwargs"}
TOOL_CALL_KEYS = frozenset(("tool_calls", "toolCalls"))
MESSAGE_KEYS = frozenset(("content", "parts", "text", "message", "blocks", "data"))
VECTOR_HINTS = ("embedding", "vector")
REPR = re.compile(r"[\[<]{0,2}(?:[A-Z]\w+\(|\w+='[^']*' \w+=)")
REPR_CHARACTERS = 20_000
# An SDK may have cut the repr off in its text.
TEXT_IN_REPR = re.compile(r"\b(?:text|content)=(['\"])((?:(?!\1)[^\\]|\\.)+)(?:\1|\\?$)")
UNREAD_STREAM = re.compile(r"<(?:(?:async_)?generator|[\w.]*Stream) object")
UNREAD_CHARACTERS = 200
SPACE = re.compile(r"\s+")
MAX_DEPTH = 6


def line(text: str) -> str:
    """The beginning of a text on one line."""
    text = text.lstrip()
    if len(text) > FEW_CHARACTERS and has_bytes(text, LOOKED_AT):
        text = without_bytes_in_text(text)
    cut = text[: PREVIEW_CHARACTERS + 1]
    # Where JSON has nothing to escape there is no control character; orjson sees that ten times faster than Python.
    if "  " in cut or (b"\\" in orjson.dumps(cut) and not cut.isprintable()):
        cut = SPACE.sub(" ", text[: PREVIEW_CHARACTERS + 100]).strip().replace("\x00", "\ufffd")
    return cut.rstrip() if len(cut) <= PREVIEW_CHARACTERS else cut[: PREVIEW_CHARACTERS - 1] + "…"


def preview(value: Any, *, output: bool) -> str:
    """A preview of any value."""
    return line(readable(value, output=output))


def messages_preview(value: Any, *, output: bool) -> str:
    """A preview of messages."""
    return line(readable_messages(value, output=output))


def readable(value: Any, *, output: bool) -> str:
    """The text that a person looks for in a value, uncut; the value as JSON where it has no obvious place."""
    if isinstance(value, str):
        value = unquote_json(value)
    original = value if isinstance(value, str) else None
    if original is not None:
        if output and UNREAD_STREAM.search(original, 0, UNREAD_CHARACTERS):
            return ""  # the answer was still to be read; the model's call has it
        if original[:1] in ("{", "[") and len(original) > LARGE_TEXT:
            original = without_bytes_in_text(original)  # a large request is mostly the bytes of its media
        if original[:1] not in ("{", "[") or len(original) > LARGE_TEXT:
            return text_of_repr(original)
        value = decode_json(original)
        if isinstance(value, str):
            return text_of_repr(value)
    if isinstance(value, dict) and value.keys() <= CALL_KEYS and not any(value.values()):
        return ""  # a function that was called without arguments
    if isinstance(value, dict) and value and all(item is None for item in value.values()):
        return ""  # {"output": null}
    text = _text(value, OUTPUT_KEYS if output else INPUT_KEYS, output, 0)
    if text is not None:
        return text
    if parts := parts_of_result(value):
        return text_of_result(parts)
    if original is not None and (_is_flat(value) or not any(hint in original for hint in VECTOR_HINTS)):
        return original
    return _json(value)


def text_of_repr(value: str) -> str:
    """The text in a Python repr of a message, which some SDKs send for their objects; other texts as they are."""
    if REPR.match(value) and (match := TEXT_IN_REPR.search(value, 0, REPR_CHARACTERS)):
        return match.group(2).replace("\\n", "\n").replace("\\'", "'")
    return value


def readable_messages(value: Any, *, output: bool) -> str:
    """The user's last message going in, the texts of the answers coming out, else the calls they make; uncut."""
    value = decode_json(value)
    items = value if isinstance(value, list) else messages_of(value, "assistant" if output else "user")
    text = _answers(items) if output else _last_message(items, output)
    if text:
        return text
    return _calls_in(messages_of(items, "assistant" if output else "user"))


def _calls_in(messages: list[Message]) -> str:
    """The last calls of tools that messages ask for."""
    parts = [part for message in messages for part in message["parts"] if part["type"] == "tool_call"]
    return ", ".join(f"{part['name']}({as_text(part['arguments'])})" for part in parts[-3:])


def _said(message: Message) -> str:
    """What a message says: its text, else the results of tools that it brings, else the calls that it asks for."""
    if text := text_of_parts(message["parts"]):
        return text
    results = [part["result"] for part in message["parts"] if part["type"] == "tool_result"]
    return "\n".join(text_of_result(result) for result in results if result not in (None, "")) or _calls_in([message])


def _answers(items: list[Any]) -> str:
    """The texts of all answers: a model may give several choices."""
    if len(items) == 1 and (text := _plain_text(items[0])):
        return text
    texts = [text_of_parts(message["parts"]) for message in messages_of(items, "assistant")]
    return "\n".join(text for text in texts if text)


def _plain_text(item: Any) -> str:
    """The text of a message of the two commonest forms: a text as content, or one part that is a text."""
    if type(item) is not dict or "role" not in item:
        return ""
    content = item.get("content")
    if type(content) is str:
        return "" if content[:1] in ("[", '"') else content
    parts = item.get("parts")
    if type(parts) is list and len(parts) == 1 and type(parts[0]) is dict and parts[0].get("type") == "text":
        content = parts[0].get("content")
        return content if type(content) is str else ""
    return ""


def _last_message(items: list[Any], output: bool) -> str:
    """The text of the last message of the wanted role, else of the last message with a text."""
    fallback = ""
    for item in reversed(items):
        if (text := _plain_text(item)) and (output or item["role"] == "user"):
            return text
        item = decode_json(item)
        if isinstance(item, list):
            found = _last_message(item, output)
            if found:
                return found
            continue
        messages = messages_of(item, "assistant" if output else "user")
        for message in reversed(messages):
            text = _said(message) if output else text_of_parts(message["parts"])
            if not text:
                continue
            if output or message["role"] == "user":
                return text
            if not fallback and message["role"] != "system":
                fallback = text
    return fallback


def _text(value: Any, keys: tuple[str, ...], output: bool, depth: int) -> str | None:
    """The text that a person would look for in a value, None if it has no obvious place."""
    if isinstance(value, str):
        decoded = decode_json(value) if len(value) <= LARGE_TEXT else value
        return text_of_repr(value) if isinstance(decoded, str) else _text(decoded, keys, output, depth + 1) or value
    if isinstance(value, bool | int | float):
        return _json(value)
    if depth > MAX_DEPTH or not value:
        return None
    if isinstance(value, list):
        if _is_vector(value):
            return f"[vector of {len(value)} numbers]"
        if any(_is_message(item) for item in value):
            return _last_message(value, output) or None
        if all(isinstance(item, dict) and isinstance(item.get("text"), str) for item in value):
            return "\n".join(item["text"] for item in value)
        if len(value) == 2 and all(isinstance(item, str) for item in value) and value[0].lower() in ROLES:
            return _text(value[1], keys, output, depth + 1)  # LangChain's ("user", "hello")
        if all(isinstance(item, str) for item in value):
            return "\n".join(_text(item, keys, output, depth + 1) or "" for item in value)
        if len(value) == 1 or all(isinstance(item, list) for item in value):
            return _text(value[0], keys, output, depth + 1)
        return None
    if not isinstance(value, dict):
        return None
    if _is_message(value) and (text := _last_message([value], output)):
        return text
    for key in () if KNOWN_KEYS.isdisjoint(value) else keys:
        inner = value.get(key)
        if inner is None or inner in ("", [], {}):
            continue
        if found := _text(inner, keys, output, depth + 1):
            return found
    if output and not TOOL_CALL_KEYS.isdisjoint(value):
        return _last_message([value], output) or None
    if all(isinstance(item, dict) for item in value.values()):  # a pipeline: component → its input, or its output
        items = list(value.values())
        for item in reversed(items) if output else items:
            if any(key in item for key in keys) and (found := _text(item, keys, output, depth + 1)):
                return found
    return None


def _is_message(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    if item.get("lc") and isinstance(item.get("kwargs"), dict):
        return "content" in item["kwargs"]
    role = item.get("role", item.get("type"))
    if isinstance(role, str) and role.lower() in ROLES:
        return not MESSAGE_KEYS.isdisjoint(item)
    return isinstance(item.get("source"), str) and isinstance(item.get("content"), str)


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and not any(isinstance(item, list | dict) for item in value.values())


def _is_vector(value: list[Any]) -> bool:
    return len(value) > 8 and all(isinstance(item, int | float) and not isinstance(item, bool) for item in value[:8])


def _json(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(_without_vectors(value, 0), str).decode()
    except (TypeError, orjson.JSONEncodeError):
        return str(value)


def _without_vectors(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, list):
        if _is_vector(value):
            return f"[vector of {len(value)} numbers]"
        return [_without_vectors(item, depth + 1) for item in value[:50]]
    if isinstance(value, dict):
        return {
            str(key): "[vector]"
            if key in VECTOR_KEYS and item is not None and not isinstance(item, str)
            else _without_vectors(item, depth + 1)
            for key, item in list(value.items())[:50]
        }
    return value
