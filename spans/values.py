"""Attribute values as JSON text that keeps every OTLP type.

Strings, booleans, integers, doubles, arrays and the empty value are what JSON has for them (an integer has no decimal
point, a double always has one). What JSON lacks is an object with one key that starts with "$":

    {"$bytes": "<base64>"}      bytes
    {"$double": "NaN"}          NaN, Infinity, -Infinity
    {"$map": {...}}             a key-value list that itself has a key starting with "$"

In Python the same values are str, bool, int, float, list, None, bytes, NonFinite and dict.
Source: opentelemetry-proto common.proto, AnyValue.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import orjson

Value: TypeAlias = (
    "str | bool | int | float | bytes | NonFinite | Sequence[Value] | Mapping[str, Value] | TaggedMap | None"
)
Attributes: TypeAlias = dict[str, Any]


class NonFinite(float):
    """A double that JSON has no number for; a float subclass, so that orjson asks `_tag` instead of writing null."""

    __slots__ = ()


class TaggedMap:
    """A key-value list one of whose keys starts with "$"; apart from dict, so that no value is taken for a tag."""

    __slots__ = ("items",)

    def __init__(self, items: dict[str, Any]) -> None:
        self.items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaggedMap) and self.items == other.items

    __hash__ = None  # type: ignore[assignment]


NON_FINITE_NAMES = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def non_finite_name(value: float) -> str:
    """ "NaN", "Infinity" or "-Infinity", as the proto3 JSON mapping writes them."""
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _tag(value: object) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, NonFinite):
        return {"$double": non_finite_name(value)}
    if isinstance(value, TaggedMap):
        return {"$map": value.items}
    raise TypeError(f"no JSON for {type(value).__name__}")


def dumps(value: object) -> bytes:
    """The JSON text of a value, an attribute map or a list of them, as UTF-8, in one pass."""
    return orjson.dumps(value, _tag)


def loads(text: str | bytes) -> Any:
    """JSON text as plain JSON values, tags left as they stand: what people and the read API see."""
    return orjson.loads(text)


def untag(value: Any) -> Any:
    """A loaded value with its tags turned back into bytes, NonFinite and TaggedMap: what OTLP needs."""
    if isinstance(value, dict):
        if len(value) == 1:
            key, inner = next(iter(value.items()))
            if key == "$bytes" and isinstance(inner, str):
                return base64.b64decode(inner)
            if key == "$double" and inner in NON_FINITE_NAMES:
                return NonFinite(NON_FINITE_NAMES[inner])
            if key == "$map" and isinstance(inner, dict):
                return TaggedMap({name: untag(item) for name, item in inner.items()})
        return {key: untag(item) for key, item in value.items()}
    if isinstance(value, list):
        return [untag(item) for item in value]
    return value
