"""Where a convention keeps a fact: the building blocks of the tables.

A source names what it reads (attribute keys, indexed key families, span events, the span's name) and reads it from a
span: a `SpanRecord` or a `Span` row. `read` returns the raw Python value, JSON text decoded where it is an object or
a list, and None where the fact is absent. A value that is there but falsy (0, "", []) is a value.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from spans.semconv.json_values import decode_json, unflatten, unquote_json, walk
from spans.timestamps import to_unix_nano

USER_ROLES = frozenset(("user", "human"))
# As the first part of a condition: the span's name instead of an attribute.
SPAN_NAME = ""


class SpanLike(Protocol):
    """What the conventions read of a span."""

    name: str
    attributes: dict[str, Any]
    events: list[dict[str, Any]]
    logs: Sequence[dict[str, Any]]
    start_time_unix_nano: int
    status_code: int
    status_message: str

    @property
    def scope_name(self) -> str: ...


@dataclass(slots=True)
class OfResource:
    """A resource's attributes as the conventions read a span's."""

    attributes: dict[str, Any]
    name: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    logs: Sequence[dict[str, Any]] = ()
    start_time_unix_nano: int = 0
    status_code: int = 0
    status_message: str = ""
    scope_name: str = ""


@contextmanager
def logs_as_events(span: SpanLike) -> Iterator[None]:
    """The span's events are followed by those that came as log records; afterwards they are its own again."""
    own = span.events
    span.events = [*own, *span.logs]
    try:
        yield
    finally:
        span.events = own


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute; the commonest source.

    path: into its value, which may be JSON text.  values: what its values mean (keys compared without case).
    pattern: a regular expression whose group 1 is the value.  constant: the value that its mere presence stands for.
    encoded: the SDK writes texts as quoted JSON.  scale: factor into our unit.  transform: the last step.
    when: another attribute and what it must match ("" where it is absent), for keys whose meaning depends on it.
    """

    key: str
    path: tuple[str | int, ...] = ()
    values: Mapping[str, Any] | None = None
    pattern: re.Pattern[str] | None = None
    constant: Any = None
    encoded: bool = False
    scale: float | None = None
    transform: Callable[[Any], Any] | None = None
    when: tuple[str, re.Pattern[str]] | None = None

    def keys(self) -> tuple[str, ...]:
        return (self.key,)

    def describe(self) -> str:
        text = self.key + "".join(f"[{step}]" if isinstance(step, int) else f" → {step}" for step in self.path)
        if self.pattern is not None:
            text += f" ~ {self.pattern.pattern}"
        return text + _condition(self.when)

    def read(self, span: SpanLike) -> Any:
        if self.when is not None and not _holds(self.when, span):
            return None
        value = span.attributes.get(self.key)
        return None if value is None else self.refine(value)

    def refine(self, value: Any) -> Any:
        """The fact in a raw value."""
        if value is None:
            return None
        if self.constant is not None:
            return self.constant
        if self.encoded:
            value = unquote_json(value)
        if self.path:
            value = walk(value, self.path)
        if self.pattern is not None:
            match = self.pattern.search(value) if isinstance(value, str) else None
            if match is None:
                return None
            value = match.group(1)
        if self.values is not None:
            value = self.values.get(value.lower()) if isinstance(value, str) else None
        if self.scale is not None and value is not None:
            value = float(value) * self.scale if isinstance(value, int | float) else None
        if self.transform is not None and value is not None:
            value = self.transform(decode_json(value))
        return value


@dataclass(frozen=True, slots=True)
class Family:
    """A family of keys below a prefix, as one nested value: `llm.input_messages.0.message.role`, `metadata.tier`.

    indexed: what follows the prefix is a number.  excluding: names below the prefix that mean something else.
    """

    prefix: str
    indexed: bool = True
    excluding: frozenset[str] = frozenset()
    transform: Callable[[Any], Any] | None = None

    def keys(self) -> tuple[str, ...]:
        return (self.prefix + ("#" if self.indexed else "*"),)

    def describe(self) -> str:
        return self.prefix + ("N…" if self.indexed else "…")

    def read(self, span: SpanLike) -> Any:
        start = len(self.prefix)
        prefix = self.prefix
        pairs = [
            (key[start:], value)
            for key, value in span.attributes.items()
            if key.startswith(prefix) and key[start:] not in self.excluding
        ]
        if self.indexed:
            pairs = [pair for pair in pairs if pair[0][:1].isdigit()]
        if not pairs:
            return None
        value = unflatten(pairs)
        return value if self.transform is None else self.transform(value)

    def read_last(self, span: SpanLike, output: bool) -> Any:
        """Of a family of messages what a preview needs: the last of a user going in; all of them coming out."""
        if self.transform is not None:
            return self.read(span)
        attributes = span.attributes
        prefix = self.prefix
        start = len(prefix)
        for key in reversed(attributes):
            if not key.startswith(prefix) or not key.endswith(".role") or "." not in key[start:]:
                continue
            role = attributes[key]
            if output:
                if key[start : start + 2] != "0." or f"{prefix}1.{key[start + 2 :]}" in attributes:
                    break  # more than one answer
            elif not isinstance(role, str) or role not in USER_ROLES:
                continue
            text = attributes.get(key[:-4] + "content")
            if isinstance(text, str) and text not in ("", '""'):  # an older SDK's missing text of a tool call
                return [{"role": role, "content": text}]
            prefix = key[: key.index(".", start) + 1]
            start = len(prefix)
            return [unflatten([(key[start:], attributes[key]) for key in attributes if key.startswith(prefix)])]
        return self.read(span)


@dataclass(frozen=True, slots=True)
class Combined:
    """One value from several attributes: {"content": "ai.response.text", "tool_calls": "ai.response.toolCalls"}.

    one_of: without any of these parts there is no value.  texts: parts that stay texts, even where they look like JSON.
    transform: the last step.
    """

    parts: Mapping[str, str]
    one_of: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    transform: Callable[[Any], Any] | None = None

    def keys(self) -> tuple[str, ...]:
        return tuple(self.parts.values())

    def describe(self) -> str:
        return ", ".join(self.parts.values())

    def read(self, span: SpanLike) -> Any:
        attributes = span.attributes
        value = {
            name: attributes[key] if name in self.texts else decode_json(attributes[key])
            for name, key in self.parts.items()
            if key in attributes
        }
        if not value or (self.one_of and self.one_of.isdisjoint(value)):
            return None
        return value if self.transform is None else self.transform(value)


@dataclass(frozen=True, slots=True)
class Events:
    """Span events as a list of messages: event name → role; the message is the event's attributes.

    body: the attribute that some SDKs put the whole message into, as JSON text.
    """

    roles: Mapping[str, str]
    body: str = ""

    def keys(self) -> tuple[str, ...]:
        return tuple(f"event:{name}" for name in self.roles)

    def describe(self) -> str:
        whole = f" (or whole in their {self.body})" if self.body else ""
        return "events " + ", ".join(self.roles) + whole

    def read(self, span: SpanLike) -> Any:
        found = []
        for event in span.events:
            role = self.roles.get(event.get("name", ""))
            if role is None:
                continue
            attributes = {key: decode_json(value) for key, value in (event.get("attributes") or {}).items()}
            message = attributes.get(self.body)
            found.append({"role": role, **attributes, **(message if isinstance(message, dict) else {})})
        return found or None


@dataclass(frozen=True, slots=True)
class EventAttribute:
    """One attribute of a span event: of the last such event that has it. Its condition is one on the span.

    An event whose name begins with a star stands for every event whose name ends like it.
    """

    event: str
    attribute: Attribute

    def keys(self) -> tuple[str, ...]:
        return (f"event:{self.event}",)

    def describe(self) -> str:
        return f"event {self.event}: {self.attribute.describe()}"

    def read(self, span: SpanLike) -> Any:
        if not _holds(self.attribute.when, span):
            return None
        ending = self.event[1:] if self.event[:1] == "*" else None
        for event in reversed(span.events):
            name = event.get("name", "")
            if name == self.event if ending is None else name.endswith(ending):
                value = self.attribute.refine((event.get("attributes") or {}).get(self.attribute.key))
                if value is not None:
                    return value
        return None


@dataclass(frozen=True, slots=True)
class WhereUnset:
    """A source that counts only where the span's status says nothing."""

    source: Attribute | EventAttribute

    def keys(self) -> tuple[str, ...]:
        return self.source.keys()

    def describe(self) -> str:
        return f"{self.source.describe()} (where the status is unset)"

    def read(self, span: SpanLike) -> Any:
        return None if span.status_code else self.source.read(span)


@dataclass(frozen=True, slots=True)
class Name:
    """The span's name: what its pattern captures, or what a match stands for."""

    pattern: re.Pattern[str]
    constant: Any = None
    when: tuple[str, re.Pattern[str]] | None = None

    def keys(self) -> tuple[str, ...]:
        return (self.when[0],) if self.when else ("name",)

    def describe(self) -> str:
        return f"span name ~ {self.pattern.pattern}" + _condition(self.when)

    def read(self, span: SpanLike) -> Any:
        match = self.pattern.search(span.name)
        if match is None or not _holds(self.when, span):
            return None
        if self.constant is not None:
            return self.constant
        return match.group(1)


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Milliseconds from the span's start to the first event of a name."""

    event: str

    def keys(self) -> tuple[str, ...]:
        return (f"event:{self.event}",)

    def describe(self) -> str:
        return f"time of event {self.event}"

    def read(self, span: SpanLike) -> Any:
        for event in span.events:
            if event.get("name") == self.event:
                elapsed = (event.get("time_unix_nano") or 0) - span.start_time_unix_nano
                return elapsed / 1e6 if elapsed >= 0 else None
        return None


@dataclass(frozen=True, slots=True)
class ElapsedUntil:
    """Milliseconds from the span's start to an ISO 8601 time in an attribute."""

    key: str

    def keys(self) -> tuple[str, ...]:
        return (self.key,)

    def describe(self) -> str:
        return f"time in {self.key}"

    def read(self, span: SpanLike) -> Any:
        try:
            moment = datetime.fromisoformat(str(span.attributes.get(self.key, "")).strip('"'))
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        elapsed = to_unix_nano(moment) - span.start_time_unix_nano
        return elapsed / 1e6 if elapsed >= 0 else None


def _holds(when: tuple[str, re.Pattern[str]] | None, span: SpanLike) -> bool:
    if when is None:
        return True
    value = span.attributes.get(when[0], "") if when[0] else span.name
    return isinstance(value, str) and when[1].search(value) is not None


def _condition(when: tuple[str, re.Pattern[str]] | None) -> str:
    return f" (where {when[0] or 'span name'} ~ {when[1].pattern})" if when else ""


Source = Attribute | WhereUnset | Family | Combined | Events | EventAttribute | Name | Elapsed | ElapsedUntil
