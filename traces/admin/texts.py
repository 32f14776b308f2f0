"""Values and messages made ready for pages: pure, no queries; nothing marked as safe."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spans.semconv.parts import text_of_result

CITED_AS = ("title", "document_title", "filename", "file_id")
MAX_SOURCES = 50
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
    """A part of a message (`spans.semconv.messages`); media that hold speech are of the type speech.

    sources: title and address of what a text cites.
    """

    type: str
    label: str
    body: Text
    sources: list[tuple[str, str]] = field(default_factory=list)


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
        return Part(type_, _of_tool("calls", part), shown(part.get("arguments")))
    if type_ == "tool_result":
        return Part(type_, _of_tool("result of", part), shown(text_of_result(part.get("result"))))
    if type_ == "media":
        return _media(part)
    if type_ == "unknown":
        return Part(type_, str(part.get("name") or "unknown"), shown(part.get("value")))
    text = part.get("text")
    body = shown(text if text is not None else dict(part))
    return Part(type_, "reasoning" if type_ == "reasoning" else "", body, sources_of(part.get("citations")))


def _of_tool(what: str, part: Mapping[str, Any]) -> str:
    """calls web_search (hosted): who runs it, and what kept it from completing."""
    name = part.get("name") or (part.get("id") if what != "calls" else "") or "a tool"
    about = [f"of {part['server']}"] if part.get("server") else ["hosted"] if part.get("hosted") else []
    about += [str(part["status"])] if part.get("status") else []
    return f"{what} {name}" + (f" ({', '.join(about)})" if about else "")


def _media(part: Mapping[str, Any]) -> Part:
    """A file by its names and address; of speech what was said, of a document of plain text the text."""
    kind = str(part.get("mime_type") or part.get("modality") or "file")
    names = [str(part[key]) for key in ("name", "file_id", "uri") if part.get(key)]
    if part.get("transcript"):
        return Part("speech", " · ".join([f"{kind}: what was said", *names]), Text(str(part["transcript"])))
    if part.get("text"):
        return Part("media", " · ".join([kind, *names]), Text(str(part["text"])))
    return Part("media", kind, Text(" · ".join(names) or "held by the span itself, not at an address"))


def sources_of(citations: Any) -> list[tuple[str, str]]:
    """(title, address) of what a text cites, each once; addresses that are no web pages are left empty."""
    found: dict[tuple[str, str], None] = {}
    for item in citations if isinstance(citations, list) else ():
        if isinstance(item, Mapping):
            cited = inner if isinstance(inner := item.get("url_citation"), Mapping) else item
            url = str(cited.get("url") or cited.get("uri") or "")
            title = next((cited[key] for key in CITED_AS if cited.get(key)), url)
            if title:
                found[str(title), url if url.startswith(("https://", "http://")) else ""] = None
    return list(found)[:MAX_SOURCES]


def shown_messages(messages: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Messages of `spans.semconv.messages` as the pages show them; a result is named after the call that it answers."""
    messages = list(messages)
    calls = {
        part.get("id"): part.get("name")
        for message in messages
        for part in message.get("parts", [])
        if part.get("type") == "tool_call"
    }
    return [
        Message(
            str(message.get("role", "")),
            str(message.get("name") or ""),
            str(message.get("finish_reason") or ""),
            [_part(_named(part, calls)) for part in message.get("parts", [])],
        )
        for message in messages
    ]


def _named(part: Mapping[str, Any], calls: Mapping[Any, Any]) -> Mapping[str, Any]:
    """The part, with the name of the call that it is the result of, if it has no name of its own."""
    if part.get("type") != "tool_result" or part.get("name") or not calls.get(part.get("id")):
        return part
    return {**part, "name": calls[part.get("id")]}
