"""The reference page of the conventions, written from the tables."""

from spans.semconv.convention import Convention
from spans.semconv.conventions import CONVENTIONS
from spans.semconv.fields import FIELDS
from spans.semconv.sources import Attribute, Name, Source

INTRODUCTION = """\
# Semantic conventions

Written from the tables in `spans/semconv/conventions/` by `manage.py semconvdocs`; do not edit.

A span's normalized fields are looked up in these tables. The conventions stand in their order of precedence: where
several find a field in one span, the first one wins, and within a convention the first source of the field. A span
pays for the attributes it has, not for the rules that exist. Raw attributes are never changed. For every field,
`normalization` in the API names the rule and the attribute that it came from.

OpenInference needs no rules of their own for LlamaIndex, Agno, DSPy, Haystack, openai-agents, LangChain and LangGraph.

To add a convention, write one file with one table, put it in its place in `CONVENTIONS`, and add a capture or a test
of what its SDK sends.
"""


def render() -> str:
    """The whole page as Markdown."""
    lines = [INTRODUCTION, "## Fields", "", "| Field | Meaning | Read while receiving |", "|---|---|---|"]
    for field in FIELDS:
        lines.append(f"| `{field.name}` | {field.about} | {'yes' if field.stored else ''} |")
    lines += ["", "## Conventions in order of precedence", ""]
    for number, convention in enumerate(CONVENTIONS, 1):
        lines += _section(number, convention)
    return "\n".join(lines).rstrip() + "\n"


def _section(number: int, convention: Convention) -> list[str]:
    lines = [f"### {number}. {convention.title}", "", convention.about, "", f"Source: <{convention.source}>", ""]
    if convention.scopes:
        scopes = ", ".join(f"`{scope}`" for scope in convention.scopes)
        lines += [f"Only for instrumentation scopes that begin with {scopes}.", ""]
    lines += ["| Field | Sources, best first |", "|---|---|"]
    for name in convention.fields:
        sources = "<br>".join(_source(source) for source in convention.sources(name))
        lines.append(f"| `{name}` | {sources} |")
    values = [
        line for name in convention.fields for source in convention.sources(name) for line in _values(name, source)
    ]
    return [*lines, "", *values, *([""] if values else [])]


def _source(source: Source) -> str:
    text = source.describe().replace("|", "\\|")
    if isinstance(source, Attribute | Name) and source.constant is not None:
        return f"`{text}`: {source.constant}"
    if isinstance(source, Attribute) and source.pattern is not None and source.values:
        return f"`{text}`: {', '.join(source.values.values())}"
    return f"`{text}`"


def _values(name: str, source: Source) -> list[str]:
    if not isinstance(source, Attribute) or not source.values or source.pattern is not None:
        return []
    pairs = ", ".join(f"`{key}` → {value}" for key, value in source.values.items())
    return [f"Values of `{source.key}` as `{name}`: {pairs}.", ""]
