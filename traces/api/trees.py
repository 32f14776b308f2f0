"""A trace's spans as nested tree items: bee-observe's keys and the platform's. Pure, and iterative."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spans.models import Span
from traces.api import bee
from traces.summaries.tree import Node, TraceTree, assemble

# Deeper spans stand beside their ancestor of the last level, because JSON readers have limits of about this size. Their
# `parent_span_id` says where they belong.
MAX_LEVELS = 50


@dataclass(frozen=True, slots=True)
class _Placed:
    """A span with the parent that it has in the view of a run."""

    span: Span
    parent_span_id: str

    @property
    def span_id(self) -> str:
        return self.span.span_id

    @property
    def start_time_unix_nano(self) -> int:
        return self.span.start_time_unix_nano


def tree_of_run(run: bee.Run, spans: Sequence[Span]) -> list[dict[str, Any]]:
    """The tree of a run's members alone."""
    parent_ids = run.parent_ids(spans)
    return _items(assemble([_Placed(span, parent_ids[span.span_id]) for span in run.members]))


def tree_of_all(spans: Sequence[Span]) -> list[dict[str, Any]]:
    """The tree of all spans of a trace; roots first, then the spans whose parent is missing."""
    return _items(assemble([_Placed(span, span.parent_span_id) for span in spans]))


def _items(tree: TraceTree[_Placed]) -> list[dict[str, Any]]:
    nodes = list(tree.walk())
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for node in reversed(nodes):  # children before their parents
        children = [id(child) for child in node.children]
        own = node.span.span
        starts[id(node)] = min([own.start_time_unix_nano, *(starts[child] for child in children)])
        ends[id(node)] = max([own.end_time_unix_nano, *(ends[child] for child in children)])
    roots: list[dict[str, Any]] = []
    holders: list[list[dict[str, Any]]] = [roots]  # by level: where an item of that level goes
    for node in nodes:
        level = min(node.depth, MAX_LEVELS - 1)
        item = _item(node, starts[id(node)], ends[id(node)])
        holders[level].append(item)
        del holders[level + 1 :]
        holders.append(item["children"])
    return roots


def _item(node: Node[_Placed], start: int, end: int) -> dict[str, Any]:
    span = node.span.span
    return {
        "id": span.span_id,
        "target": bee.target(span),
        "start_time": bee.utc_milliseconds(start),
        "end_time": bee.utc_milliseconds(end),
        "status_code": bee.status_code(span),
        "name": span.name,
        "parent_span_id": span.parent_span_id,
        "span_type": span.span_type,
        "duration_ms": span.duration_ns / 1_000_000,
        "problem": node.problem,
        "events": [bee.tree_event(span)],
        "children": [],
    }
