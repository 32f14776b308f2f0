"""The one lookup loop over all conventions.

Rules are numbered once: field by field, within a field by the order of the conventions and of their sources. An index
leads from an attribute's key to the numbers of its rules, so a span pays for the attributes that it has, not for the
rules that exist. The smallest number that yields a value wins.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from spans.semconv.convention import Convention
from spans.semconv.fields import FIELDS, TEXT_CHARACTERS, Field, text
from spans.semconv.sources import Attribute, Name, Source, SpanLike

# Keys and scopes are data from outside: what is remembered of them is bounded.
REMEMBERED_KEYS = 1_000
REMEMBERED_KEY_CHARACTERS = 200
REMEMBERED_SCOPES = 200
REMEMBERED_SHAPES = 1_000
REMEMBERED_SHAPE_KEYS = 60
REMEMBERED_SHAPE_CHARACTERS = 4_000
# Attributes that say what kind of span it is, by few and short values, each for sources of its own
KIND_KEYS = ("openinference.span.kind", "gen_ai.operation.name", "mlflow.spanType", "langsmith.span.kind")


@dataclass(frozen=True, slots=True)
class Rule:
    """One source of one field in one convention."""

    field: str
    convention: str
    source: Source
    coerce: Callable[[Any], Any]
    merged: bool = False
    key: str = ""  # of an attribute that is taken as it is
    label: str = ""  # what explanations call it

    def take(self, span: SpanLike) -> Any:
        value = self.source.read(span)
        return None if value is None else self.coerce(value)


class Plan(NamedTuple):
    """How to read spans of one shape: by field the attribute's key, if it is taken as it is, or the source, and how
    its value becomes the field's, best first; of the lazy fields only the sources.
    """

    eager: Sequence[tuple[str, Sequence[tuple[str, Source, Callable[[Any], Any]]]]]
    lazy: dict[str, list[Source]]


class Index:
    """The rules that hold for one instrumentation scope."""

    def __init__(self, rules: Sequence[Rule], numbers: Iterable[int]) -> None:
        self.exact: dict[str, tuple[int, ...]] = {}
        self.prefixes: list[tuple[str, int]] = []
        self.indexed: list[tuple[str, int]] = []
        self.event_endings: list[tuple[str, int]] = []
        self.named: tuple[int, ...] = ()
        for number in numbers:
            source = rules[number].source
            if isinstance(source, Name) and source.when is None:
                self.named += (number,)
                continue
            for key in source.keys():  # noqa: SIM118 - a method of sources
                if key.startswith("event:*"):
                    self.event_endings.append((key[7:], number))
                elif key.endswith("#"):
                    self.indexed.append((key[:-1], number))
                elif key.endswith("*"):
                    self.prefixes.append((key[:-1], number))
                else:
                    self.exact[key] = (*self.exact.get(key, ()), number)
        self.remembered: dict[str, tuple[int, ...]] = {}

    def resolve(self, key: str) -> tuple[int, ...]:
        """The rules that read a key; remembered, since spans repeat their keys."""
        numbers = self.exact.get(key, ()) + tuple(n for prefix, n in self.prefixes if key.startswith(prefix))
        numbers += tuple(n for prefix, n in self.indexed if key.startswith(prefix) and key[len(prefix) :][:1].isdigit())
        if key.startswith("event:"):
            numbers += tuple(n for ending, n in self.event_endings if key.endswith(ending))
        if len(self.remembered) < REMEMBERED_KEYS and len(key) <= REMEMBERED_KEY_CHARACTERS:
            self.remembered[key] = numbers
        return numbers


class Tables:
    """Conventions made ready for lookup. `fields`: only these are looked for."""

    def __init__(self, conventions: Sequence[Convention], fields: Sequence[Field] = FIELDS) -> None:
        rules: list[Rule] = []
        self._conventions: list[tuple[Convention, list[int]]] = [(convention, []) for convention in conventions]
        for field in fields:
            for convention, numbers in self._conventions:
                for source in convention.sources(field.name):
                    numbers.append(len(rules))
                    rules.append(_rule(field, convention, source))
        self.rules = tuple(rules)
        self._lazy = {field.name for field in fields if field.lazy}
        self._indexes: dict[str, Index] = {}
        self._plans: dict[tuple[str | None, ...], Plan] = {}

    def index(self, scope_name: str) -> Index:
        index = self._indexes.get(scope_name)
        if index is None:
            numbers = [n for convention, own in self._conventions if convention.applies_to(scope_name) for n in own]
            index = Index(self.rules, sorted(numbers))
            if len(self._indexes) < REMEMBERED_SCOPES:
                self._indexes[scope_name] = index
        return index

    def candidates(self, span: SpanLike) -> list[int]:
        """The numbers of the rules that have something to read in the span, best first."""
        index = self.index(span.scope_name)
        found: list[int] = [*index.named]
        get = index.remembered.get
        for key in span.attributes:
            numbers = get(key)
            if numbers is None:
                numbers = index.resolve(key)
            if numbers:
                found += numbers
        if span.events:
            for name in {event.get("name", "") for event in span.events}:
                numbers = get(f"event:{name}")
                found += index.resolve(f"event:{name}") if numbers is None else numbers
        return sorted(set(found))

    def plan(self, span: SpanLike) -> Plan:
        """How to read the span's fields.

        Spans of one kind carry the same keys in the same order, so the answer is remembered by them, and by what they
        say of their kind: many sources are for one kind alone.
        """
        if span.events or len(span.attributes) > REMEMBERED_SHAPE_KEYS:
            return self._make_plan(span)
        attributes = span.attributes
        shape: tuple[Any, ...] = (span.scope_name, *map(attributes.get, KIND_KEYS), *attributes)
        try:
            plan = self._plans.get(shape)
        except TypeError:  # a kind that is a list
            return self._make_plan(span)
        if plan is None:
            plan = self._make_plan(span)
            if len(self._plans) < REMEMBERED_SHAPES and _is_short(shape):
                self._plans[shape] = plan
        return plan

    def _make_plan(self, span: SpanLike) -> Plan:
        eager: dict[str, list[tuple[str, Source, Callable[[Any], Any]]]] = {}
        lazy: dict[str, list[Source]] = {}
        for number in self.candidates(span):
            rule = self.rules[number]
            if not _may_hold(rule.source, span):
                continue
            if rule.field in self._lazy:
                lazy.setdefault(rule.field, []).append(rule.source)
            else:
                eager.setdefault(rule.field, []).append((rule.key, rule.source, rule.coerce))
        return Plan(list(eager.items()), lazy)

    def first_values(self, span: SpanLike) -> tuple[dict[str, Any], dict[str, list[Source]]]:
        """Each field's value, without saying where from; of the lazy fields the sources, best first."""
        taken: dict[str, Any] = {}
        attributes = span.attributes
        plan = self.plan(span)
        for field, readers in plan.eager:
            for key, source, coerce in readers:
                value = attributes[key] if key else source.read(span)
                if value is None:
                    continue
                if not (
                    coerce is text
                    and value.__class__ is str
                    and 0 < len(value) <= TEXT_CHARACTERS
                    and "\x00" not in value
                ):  # else the commonest values, of which `text` answers themselves
                    value = coerce(value)
                    if value is None:
                        continue
                taken[field] = value
                break
        return taken, plan.lazy

    def values(self, span: SpanLike) -> dict[str, tuple[Any, Rule]]:
        """Each field's value and the rule that took it."""
        taken: dict[str, tuple[Any, Rule]] = {}
        for number in self.candidates(span):
            rule = self.rules[number]
            if rule.field in taken and not rule.merged:
                continue
            value = rule.take(span)
            if value is None:
                continue
            if rule.field in taken:
                first, winner = taken[rule.field]
                taken[rule.field] = ({**value, **first}, winner)
            else:
                taken[rule.field] = (value, rule)
        return taken


def _is_short(shape: Sequence[Any]) -> bool:
    """Whether a shape may be remembered: texts alone, and few characters."""
    texts = [part for part in shape if part is not None]
    return all(type(part) is str for part in texts) and len("".join(texts)) <= REMEMBERED_SHAPE_CHARACTERS


def _may_hold(source: Source, span: SpanLike) -> bool:
    """Whether the source is read in spans of this kind; where that depends on anything else, it may be."""
    when = source.when if isinstance(source, Attribute) else None
    if when is None or when[0] not in KIND_KEYS:
        return True
    value = span.attributes.get(when[0], "")
    return isinstance(value, str) and when[1].search(value) is not None


def _rule(field: Field, convention: Convention, source: Source) -> Rule:
    plain = isinstance(source, Attribute) and source == Attribute(source.key)
    key = source.key if plain and isinstance(source, Attribute) else ""
    label = convention.label or f"{convention.name}.{field.name}"
    return Rule(field.name, convention.name, source, field.coerce, field.merged, key, label)
