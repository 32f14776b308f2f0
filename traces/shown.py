"""Values and messages made ready for pages: pure, no queries; nothing marked as safe."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Longer texts are cut on the page until the reader asks for the rest; the raw JSON has them whole.
MAX_CHARS = 20_000


@dataclass(slots=True)
class Text:
    """A value as text, and how much of it stands on the page at first. `is_code` wants a fixed-width face."""

    whole: str
    is_code: bool = False

    @property
    def text(self) -> str:
        return self.whole[:MAX_CHARS]

    @property
    def hidden_chars(self) -> int:
        return max(0, len(self.whole) - MAX_CHARS)


@dataclass(slots=True)
class Part:
    """A part of a message: text, reasoning, tool_call, tool_result or media."""

    type: str
    label: str
    body: Text


@dataclass(slots=True)
class Message:
    role: str
    name: str
    finish_reason: str
    parts: list[Part]


def shown(value: Any) -> Text:
    """Texts as they are, JSON (also JSON in a text) indented."""
    if isinstance(value, str):
        if value[:1] not in "{[" or not value:
            return Text(value)
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return Text(value)
    return Text(json.dumps(value, indent=2, ensure_ascii=False, default=str), is_code=True)


def _part(part: Mapping[str, Any]) -> Part:
    type_ = str(part.get("type", "text"))
    if type_ == "tool_call":
        return Part(type_, f"calls {part.get('name') or 'a tool'}", shown(part.get("arguments")))
    if type_ == "tool_result":
        return Part(type_, f"result of {part.get('name') or part.get('id') or 'a tool'}", shown(part.get("result")))
    if type_ == "media":
        uri = part.get("uri") or "held by the span itself, not at an address"
        return Part(type_, str(part.get("mime_type") or part.get("modality") or "file"), Text(str(uri)))
    text = part.get("text")
    return Part(type_, "reasoning" if type_ == "reasoning" else "", shown(text if text is not None else dict(part)))


def shown_messages(messages: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Messages of `spans.semconv.messages` as the pages show them."""
    return [
        Message(
            str(message.get("role", "")),
            str(message.get("name") or ""),
            str(message.get("finish_reason") or ""),
            [_part(part) for part in message.get("parts", [])],
        )
        for message in messages
    ]
