"""Documents and tool definitions in one shape each."""

from collections.abc import Mapping
from typing import Any

from spans.semconv.json_values import decode_json
from spans.semconv.parts import parts_of, text_of_parts


def documents_of(value: Any) -> list[dict[str, Any]]:
    """[{"id", "score", "content", "metadata"}] of what a retriever found, None or {} where a part is not known."""
    value = decode_json(value)
    if isinstance(value, Mapping):
        inner = next((value[key] for key in ("documents", "nodes", "matches", "results", "hits") if key in value), None)
        value = decode_json(inner) if inner is not None else [value]
    if not isinstance(value, list):
        return []
    return [document for item in value if (document := _document(decode_json(item)))]


def _document(item: Any) -> dict[str, Any] | None:
    if isinstance(item, str):
        return {"id": None, "score": None, "content": item, "metadata": {}}
    if not isinstance(item, Mapping):
        return None
    score = item.get("score", item.get("similarity", item.get("relevance_score")))
    for wrapper in ("document", "node", "kwargs"):
        if isinstance(inner := item.get(wrapper), Mapping):
            item = {**{key: value for key, value in item.items() if key == "id" and isinstance(value, str)}, **inner}
            score = item.get("score", score)
    content = next(
        (item[key] for key in ("content", "page_content", "text", "body") if item.get(key) is not None), None
    )
    metadata = decode_json(item.get("metadata", item.get("meta", item.get("extra_info"))))
    identity = item.get("id", item.get("id_", item.get("node_id", item.get("doc_id"))))
    if isinstance(content, list):
        content = text_of_parts(parts_of(content))
    if content is None and identity is None:
        return None
    return {
        "id": identity if identity is None else str(identity),
        "score": score if isinstance(score, int | float) else None,
        "content": content if content is None or isinstance(content, str) else str(content),
        "metadata": dict(metadata) if isinstance(metadata, Mapping) else {},
    }


def tools_of(value: Any) -> list[dict[str, Any]]:
    """[{"name", "description", "parameters"}] of the tools that a model was offered."""
    value = decode_json(value)
    if isinstance(value, Mapping):
        value = value.get("function_declarations", value.get("functionDeclarations", [value]))
    if not isinstance(value, list):
        return []
    found: list[dict[str, Any]] = []
    for item in value:
        item = decode_json(item)
        if isinstance(item, str):
            found.append({"name": item, "description": "", "parameters": None})
            continue
        if isinstance(item, Mapping) and isinstance(inner := item.get("tool"), Mapping):
            item = decode_json(inner.get("json_schema", inner))
        if not isinstance(item, Mapping):
            continue
        declarations = item.get("function_declarations", item.get("functionDeclarations"))
        if isinstance(declarations, list):
            found += tools_of(declarations)
            continue
        function = next(
            (item[key] for key in ("function", "toolSpec", "data") if isinstance(item.get(key), Mapping)), item
        )
        keys = ("parameters", "input_schema", "inputSchema", "parameters_json_schema", "args_schema", "json_schema")
        parameters = next((function[key] for key in keys if key in function), None)
        found.append(
            {
                "name": str(function.get("name") or item.get("type") or ""),
                "description": function.get("description") or "",
                "parameters": decode_json(parameters),
            }
        )
    return found
