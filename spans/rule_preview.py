"""What a mapping rule would change: the latest spans of its project, read without it and with it."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from spans.models import MappingRule, Span
from spans.project_tables import load_tables
from spans.semconv import SpanContent, content
from spans.semconv.tables import compile_tables

SPANS = 100
SHOWN_CHARACTERS = 160
# Fields of a span that differ beyond these are counted only.
FIELDS_SHOWN = 6
_NAMES = [item.name for item in dataclasses.fields(SpanContent) if item.name != "normalization"]


@dataclass(slots=True)
class Change:
    field: str
    before: str
    after: str


@dataclass(slots=True)
class ChangedSpan:
    span: Span
    changes: list[Change]
    more: int


@dataclass(slots=True)
class Preview:
    """looked_at: how many spans there were, at most 100. applied: in how many the rule found its value."""

    looked_at: int
    applied: int
    changed: list[ChangedSpan]


def preview(rule: MappingRule) -> Preview:
    """Try a rule that need not be saved, as if it were enabled. Five queries."""
    before = load_tables(rule.project_id)
    after = load_tables(rule.project_id, instead=rule)
    alone = compile_tables([rule])
    spans = Span.objects.filter(project=rule.project_id).order_by("-start_time_unix_nano", "-id")
    result = Preview(0, 0, [])
    label = f'rule "{rule.name}"'
    for span in spans.defer("links", "resource", "scope", "warnings")[:SPANS]:
        result.looked_at += 1
        found = alone.everything.values(span).get(rule.field)
        result.applied += found is not None and found[1].label == label
        changes = _changes(content(span, tables=before), content(span, tables=after))
        if changes:
            result.changed.append(ChangedSpan(span, changes[:FIELDS_SHOWN], max(0, len(changes) - FIELDS_SHOWN)))
    return result


def _changes(before: SpanContent, after: SpanContent) -> list[Change]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in _NAMES)
    return [Change(name, _text(old), _text(new)) for name, old, new in pairs if old != new]


def _text(value: Any) -> str:
    if value in (None, "", [], {}):
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
