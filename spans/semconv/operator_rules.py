"""Operators' mapping rules as sources of the lookup: patterns, JSON paths and value maps, nothing that runs code.

All work is bounded: patterns have a handful of stars and are matched in one pass, paths a handful of steps.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from spans.semconv.convention import Convention
from spans.semconv.fields import FIELDS
from spans.semconv.json_values import LARGE_TEXT, as_text, walk
from spans.semconv.sources import Attribute, SpanLike
from spans.span_types import SpanType

FIELDS_BY_NAME = {field.name: field for field in FIELDS}
MAX_PATTERN = 255
MAX_STARS = 3
MAX_STEPS = 16
MAX_VALUES = 200
OTHERWISE = "*"
SPAN_TYPES = frozenset(SpanType.values)
_STEP = re.compile(r'\.?([^.\[\]"\s][^.\[\]]*)|\[(-?\d{1,6})\]|\["([^"\]]*)"\]')


class OperatorRule(Protocol):
    """What a rule is made of; `value_map` is None or {} for none."""

    @property
    def name(self) -> str: ...
    @property
    def pattern(self) -> str: ...
    @property
    def json_path(self) -> str: ...
    @property
    def field(self) -> str: ...
    @property
    def value_map(self) -> Mapping[str, Any] | None: ...
    @property
    def priority(self) -> int: ...


def check_pattern(pattern: str) -> None:
    """Raises ValueError, saying what is wrong, for a pattern that is no attribute key or too wide."""
    if not pattern or pattern != pattern.strip():
        raise ValueError("Name an attribute key, without spaces around it.")
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"At most {MAX_PATTERN} characters.")
    if pattern.count("*") > MAX_STARS:
        raise ValueError(f"At most {MAX_STARS} stars.")
    if "*" in pattern and not pattern.split("*")[0]:
        raise ValueError("Begin with at least one character of the key before the first star.")
    if pattern.endswith("#") or pattern.startswith("event:"):
        raise ValueError("Keys that end in # or begin with event: can't be mapped.")


def parse_path(path: str) -> tuple[str | int, ...]:
    """Steps of a JSON path: `$.usage.prompt`, `choices[0].message`, `a["b.c"]`. Raises ValueError."""
    rest = path.strip().removeprefix("$")
    steps: list[str | int] = []
    position = 0
    while position < len(rest):
        found = _STEP.match(rest, position)
        if found is None:
            raise ValueError(f'Not a step: {rest[position : position + 20]!r}. Steps look like .name, [0] or ["name"].')
        name, number, quoted = found.groups()
        steps.append(int(number) if number is not None else quoted if quoted is not None else name)
        position = found.end()
    if len(steps) > MAX_STEPS:
        raise ValueError(f"At most {MAX_STEPS} steps.")
    return tuple(steps)


def check_values(field: str, values: Any) -> None:
    """Raises ValueError for a value map that the field can't use."""
    if not isinstance(values, dict):
        raise ValueError('A JSON object: {"value in the span": "value of the field"}.')
    if len(values) > MAX_VALUES:
        raise ValueError(f"At most {MAX_VALUES} values.")
    coerce = FIELDS_BY_NAME[field].coerce if field in FIELDS_BY_NAME else None
    for key, value in values.items():
        if not isinstance(value, str | int | float | bool):
            raise ValueError(f"The value for {key!r} must be a text, a number or a boolean.")
        if field == "span_type" and str(value).upper() not in SPAN_TYPES:
            raise ValueError(f"{value!r} is no span type: {', '.join(sorted(SPAN_TYPES))}.")
        if coerce is not None and coerce(value) is None:
            raise ValueError(f"{value!r} can't be a value of {field}.")


def matches(parts: list[str], key: str) -> bool:
    """Whether a key has these parts in order, the first at its start and the last at its end. One pass."""
    if not key.startswith(parts[0]):
        return False
    position = len(parts[0])
    for part in parts[1:-1]:
        position = key.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return len(key) - len(parts[-1]) >= position and key.endswith(parts[-1])


@dataclass(frozen=True, slots=True)
class OperatorSource(Attribute):
    """The attribute that a rule names; of several that a pattern matches the first, by key, that has a value.

    mapping: values by the text in the span; what it does not name is no value, unless it names "*".
    """

    mapping: Mapping[str, Any] | None = None
    is_span_type: bool = False

    def keys(self) -> tuple[str, ...]:
        head, star, _ = self.key.partition("*")
        return (head + star,)

    def describe(self) -> str:
        return self.key + "".join(f"[{step}]" if isinstance(step, int) else f" → {step}" for step in self.path)

    def read(self, span: SpanLike) -> Any:
        attributes = span.attributes
        if "*" not in self.key:
            return self.refine(attributes.get(self.key))
        parts = self.key.split("*")
        for key in sorted(key for key in attributes if matches(parts, key)):
            value = self.refine(attributes[key])
            if value is not None:
                return value
        return None

    def refine(self, value: Any) -> Any:
        if value is None:
            return None
        if self.path:
            if isinstance(value, str) and len(value) > LARGE_TEXT:
                return None
            value = walk(value, self.path)
            if value is None:
                return None
        if self.mapping is not None:
            text = str(value).lower() if isinstance(value, bool) else as_text(value)
            value = self.mapping.get(text, self.mapping.get(OTHERWISE))
        if self.is_span_type:
            value = str(value).upper() if str(value).upper() in SPAN_TYPES else None
        return value


def as_conventions(rules: Iterable[OperatorRule]) -> tuple[list[Convention], list[Convention]]:
    """The rules as conventions: those before the built-in ones (priority 0 and up), those after; highest first."""
    before: list[Convention] = []
    after: list[Convention] = []
    for rule in sorted(rules, key=lambda rule: (-rule.priority, rule.name)):
        source = OperatorSource(
            rule.pattern,
            path=parse_path(rule.json_path),
            mapping=dict(rule.value_map) if rule.value_map else None,
            is_span_type=rule.field == "span_type",
        )
        label = f'rule "{rule.name}"'
        found = Convention(label, label, "", "", {rule.field: (source,)}, label=label)
        (before if rule.priority >= 0 else after).append(found)
    return before, after
