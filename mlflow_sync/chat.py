"""Messages and documents in the shapes that MLflow's pages draw: OpenAI's chat format, LangChain's documents. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Message = Mapping[str, Any]


def chat_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Normalized messages (`spans.semconv.messages`) as OpenAI chat messages, each tool result as one of its own."""
    result: list[dict[str, Any]] = []
    for message in messages:
        parts = message.get("parts", [])
        results = [part for part in parts if part["type"] == "tool_result"]
        result += [
            {"role": "tool", "tool_call_id": part.get("id") or "", "content": as_text(part.get("result"))}
            for part in results
        ]
        if len(results) < len(parts) or not parts:
            result.append(_chat_message(message.get("role", "user"), parts))
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
                texts.append(
                    f"[{part.get('modality', 'file')}: {part.get('uri') or part.get('mime_type') or 'no address'}]"
                )
    chat: dict[str, Any] = {"role": role, "content": "\n".join(texts)}
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
