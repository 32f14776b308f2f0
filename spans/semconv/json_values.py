"""Values that attributes hold as JSON text or as families of dotted keys."""

import json
from collections.abc import Iterable
from typing import Any

import orjson

# JSON text beyond this is not parsed while a span is being received; previews then show its beginning.
LARGE_TEXT = 1_000_000


def decode_json(value: Any) -> Any:
    """The object or list that a text holds as JSON, else the value as it is. A quoted string stays quoted."""
    if isinstance(value, str):
        start = value[:1]
        if start in "{[" or start.isspace():
            try:
                return orjson.loads(value)
            except orjson.JSONDecodeError:
                return value
    return value


def unquote_json(value: Any) -> Any:
    """The text that a quoted JSON text holds: for SDKs that encode every attribute. Other JSON stays text."""
    if isinstance(value, str) and value[:1] == '"':
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def as_text(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def walk(value: Any, path: tuple[str | int, ...]) -> Any:
    """The value at a path of keys and list positions, JSON texts on the way decoded; None where the path ends early.

    A text that does not hold the key has no such key, unless it spells it with escapes: it is not decoded.
    """
    for step in path:
        if isinstance(value, str) and isinstance(step, str) and step not in value and "\\u" not in value:
            return None
        value = decode_json(value)
        if isinstance(step, int):
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return None
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
        if value is None:
            return None
    return value


def unflatten(pairs: Iterable[tuple[str, Any]]) -> Any:
    """Nested dicts and lists from dotted keys: ("0.message.role", "user") → [{"message": {"role": "user"}}].

    A step of digits is a list position; lists are in the order of the numbers, gaps closed.
    """
    root: dict[str, Any] = {}
    for key, value in pairs:
        node = root
        *steps, last = key.split(".")
        for step in steps:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                below = node[step] = {"value": below}
            node = below
        if isinstance(value, dict):
            value = _copied(value)
        if isinstance(node.get(last), dict):
            node[last]["value"] = value
        else:
            node[last] = value
    return _close_lists(root)


def _copied(value: dict[str, Any]) -> dict[str, Any]:
    """A dict whose dicts, at any depth, may be changed without changing those of an attribute; without recursion."""
    root = dict(value)
    stack = [root]
    while stack:
        node = stack.pop()
        for key, child in node.items():
            if isinstance(child, dict):
                node[key] = dict(child)
                stack.append(node[key])
    return root


def _close_lists(root: dict[str, Any]) -> Any:
    """Turns dicts keyed by digits only into lists, bottom up, without recursion."""
    holder = {"": root}
    stack: list[tuple[dict[str, Any], str]] = [(holder, "")]
    order = []
    while stack:
        parent, key = stack.pop()
        order.append((parent, key))
        node = parent[key]
        stack.extend((node, name) for name, child in node.items() if isinstance(child, dict))
    for parent, key in reversed(order):
        node = parent[key]
        if node and all(name.isascii() and name.isdigit() and len(name) < 10 for name in node):
            parent[key] = [node[name] for name in sorted(node, key=int)]
    return holder[""]
