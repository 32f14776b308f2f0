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
REMEMBERED_KINDS = 20
REMEMBERED_SHAPE_CHARACTERS = 4_000
# Attributes that say what kind of span it is, by few and short values, each for sources of its own
KIND_KEYS = ("openinference.span.kind", "gen_ai.operation.name", "mlflow.spanType", "langsmith.span.kind")
KIND_CHARACTERS = 40
NO_TEXT = "\0"


@dataclass(frozen=True, slots=True)
class Rule:
    """One source of one field in one convention."""

    field: str
    convention: str
    source: Source
    coerce: Callable[[Any], Any]
    merged: bool = False
    label: str = ""  # what explanations call it

    def take(self, span: SpanLike) -> Any:
        value = self.source.read(span)
        return None if value is None else self.coerce(value)


class Reader(NamedTuple):
    """How a plan reads a source: an attribute that all spans of the shape have by its key, everything else by `read`.
    Then how the raw value becomes the fact, where it is not it, and the fact the field's value.
    """

    key: str
    read: Callable[[SpanLike], Any]
    refine: Callable[[Any], Any] | None
    coerce: Callable[[Any], Any]


class Plan(NamedTuple):
    """How to read spans of one shape: by field the readers, best first; of the lazy fields only the sources."""

    eager: Sequence[tuple[str, Sequence[Reader]]]
    lazy: dict[str, list[Source]]


class Shape(NamedTuple):
    """Spans with the same scope and keys: those of their keys that say their kind, and the plans by what these say."""

    kind_keys: Sequence[str]
    plans: dict[str, Plan]


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
        self._shapes: dict[tuple[str, ...], Shape] = {}

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
        shape = (span.scope_name, *attributes)
        known = self._shapes.get(shape)
        if known is None:
            if len(self._shapes) >= REMEMBERED_SHAPES or len("".join(shape)) > REMEMBERED_SHAPE_CHARACTERS:
                return self._make_plan(span)
            known = self._shapes[shape] = Shape([key for key in KIND_KEYS if key in attributes], {})
        kinds = "\n".join([_kind(attributes[key]) for key in known.kind_keys])
        plan = known.plans.get(kinds)
        if plan is None:
            plan = self._make_plan(span)
            if len(known.plans) < REMEMBERED_KINDS:
                known.plans[kinds] = plan
        return plan

    def _make_plan(self, span: SpanLike) -> Plan:
        eager: dict[str, list[Reader]] = {}
        lazy: dict[str, list[Source]] = {}
        for number in self.candidates(span):
            rule = self.rules[number]
            holds = _holds_for_kind(rule.source, span)
            if holds is False:
                continue
            if rule.field in self._lazy:
                lazy.setdefault(rule.field, []).append(rule.source)
            else:
                eager.setdefault(rule.field, []).append(_reader(rule, bool(holds)))
        return Plan(list(eager.items()), lazy)

    def first_values(self, span: SpanLike) -> tuple[dict[str, Any], dict[str, list[Source]]]:
        """Each field's value, without saying where from; of the lazy fields the sources, best first."""
        taken: dict[str, Any] = {}
        attributes = span.attributes
        plan = self.plan(span)
        for field, readers in plan.eager:
            for key, read, refine, coerce in readers:
                value = attributes[key] if key else read(span)
                if value is not None and refine is not None:
                    value = refine(value)
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


def _kind(value: Any) -> str:
    """What tells a span's kind, for the shape that its plan is remembered by."""
    return value[:KIND_CHARACTERS] if isinstance(value, str) else NO_TEXT


def _holds_for_kind(source: Source, span: SpanLike) -> bool | None:
    """Whether the source is read in spans of this kind; None where that depends on anything else."""
    if type(source) is not Attribute:  # others may read other keys
        return None
    if source.when is None:
        return True
    key, pattern = source.when
    if key not in KIND_KEYS:
        return None
    value = span.attributes.get(key, "")
    if not isinstance(value, str):
        return False
    return None if len(value) >= KIND_CHARACTERS else pattern.search(value) is not None


def _reader(rule: Rule, holds: bool) -> Reader:
    """`holds`: whether the source is an attribute that is read in all spans of the shape."""
    source = rule.source
    if holds and isinstance(source, Attribute):
        return Reader(source.key, source.read, source.refiner, rule.coerce)
    return Reader("", source.read, None, rule.coerce)


def _rule(field: Field, convention: Convention, source: Source) -> Rule:
    label = convention.label or f"{convention.name}.{field.name}"
    return Rule(field.name, convention.name, source, field.coerce, field.merged, label)
