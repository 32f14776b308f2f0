"""Messages and documents in the shapes that MLflow's pages draw: OpenAI's chat format, LangChain's documents. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from spans.semconv.parts import text_of_result

Message = Mapping[str, Any]


def chat_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Normalized messages (`spans.semconv.messages`) as OpenAI chat messages, each tool result as one of its own.

    The result of a tool that the provider ran stands in the message that calls it, and comes after it.
    """
    result: list[dict[str, Any]] = []
    for message in messages:
        parts = message.get("parts", [])
        results = [
            {"role": "tool", "tool_call_id": part.get("id") or "", "content": text_of_result(part.get("result") or "")}
            for part in parts
            if part["type"] == "tool_result"
        ]
        said = [part for part in parts if part["type"] != "tool_result"]
        own = [_chat_message(message.get("role", "user"), said)] if said or not parts else []
        result += own + results if any(part["type"] == "tool_call" for part in said) else results + own
    return result


def _chat_message(role: str, parts: Iterable[Message]) -> dict[str, Any]:
    texts: list[str] = []
    reasoning: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in parts:
        match part["type"]:
            case "text":
                texts.append(as_text(part.get("text")))
            case "reasoning":
                reasoning.append(as_text(part.get("text")))
            case "tool_call":
                function = {"name": part.get("name") or "", "arguments": as_text(part.get("arguments"))}
                calls.append({"id": part.get("id") or "", "type": "function", "function": function})
            case "media":
                named = next(
                    (part[key] for key in ("uri", "name", "file_id", "mime_type") if part.get(key)), "no address"
                )
                texts.append(part.get("transcript") or f"[{part.get('modality', 'file')}: {named}]")
            case "unknown":
                texts.append(f"[{part.get('name')}] {as_text(part.get('value'))}")
    chat: dict[str, Any] = {"role": "system" if role == "other" else role, "content": "\n".join(texts)}
    if reasoning:
        chat["reasoning_content"] = "\n".join(reasoning)
    if calls:
        chat["tool_calls"] = calls
    return chat


def chat_response(messages: Iterable[Message]) -> dict[str, Any]:
    """Normalized output messages as an OpenAI chat completion."""
    return {"choices": [{"index": index, "message": chat} for index, chat in enumerate(chat_messages(messages))]}


def documents(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Retrieved documents as MLflow's retriever view shows them."""
    return [
        {
            "page_content": as_text(document.get("content")),
            "metadata": (document.get("metadata") or {})
            | ({"score": document["score"]} if document.get("score") is not None else {}),
            "id": document.get("id"),
        }
        for document in found
    ]


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
