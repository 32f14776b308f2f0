"""The span tree of a trace: pure, iterative, and every span is in it exactly once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from spans.keys import INVALID_SPAN_ID
from spans.timestamps import YEAR_2000_UNIX_NANO

MISSING_PARENT = "missing parent"
OWN_PARENT = "own parent"
PARENT_CYCLE = "parent cycle"


class TreeSpan(Protocol):
    """What the tree needs to know of a span."""

    @property
    def span_id(self) -> str: ...
    @property
    def parent_span_id(self) -> str: ...
    @property
    def start_time_unix_nano(self) -> int: ...


class TimedSpan(TreeSpan, Protocol):
    @property
    def end_time_unix_nano(self) -> int: ...


S = TypeVar("S", bound=TreeSpan)


def start_of(span: TimedSpan) -> int:
    """The start, or the end where the start lies decades before it."""
    start = span.start_time_unix_nano
    return span.end_time_unix_nano if start < YEAR_2000_UNIX_NANO <= span.end_time_unix_nano else start


def bounds(span: TimedSpan, shift_ns: int = 0) -> tuple[int, int]:
    """Start and end: a start before 2000 moves to the end, an end before the start moves to the start."""
    start = start_of(span)
    return start + shift_ns, max(start, span.end_time_unix_nano) + shift_ns


@dataclass(slots=True, eq=False)
class Node(Generic[S]):
    """A span, its children by start and span id, its depth (a root has 0), and what is wrong with its parent."""

    span: S
    children: "list[Node[S]]" = field(default_factory=list)
    depth: int = 0
    problem: str = ""


@dataclass(slots=True)
class TraceTree(Generic[S]):
    """A forest: real roots first, then spans that stand at the top because their parent is unusable, each by start."""

    roots: list[Node[S]]

    def walk(self) -> Iterator[Node[S]]:
        """Every node, parents before children."""
        stack = list(reversed(self.roots))
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


def _order(node: Node[S]) -> tuple[int, str]:
    return node.span.start_time_unix_nano, node.span.span_id


def _break_cycles(nodes: list[Node[S]], parent_of: dict[int, Node[S]]) -> None:
    """In each parent cycle, cut the link above its earliest span, which becomes a root."""
    done: set[int] = set()
    for start in nodes:
        path: list[Node[S]] = []
        on_path: dict[int, int] = {}
        node: Node[S] | None = start
        while node is not None and id(node) not in done and id(node) not in on_path:
            on_path[id(node)] = len(path)
            path.append(node)
            node = parent_of.get(id(node))
        if node is not None and id(node) in on_path:
            first = min(path[on_path[id(node)] :], key=_order)
            first.problem = PARENT_CYCLE
            del parent_of[id(first)]
        done.update(on_path)


def assemble(spans: Sequence[S]) -> TraceTree[S]:
    """The tree of any spans of one trace, in any order, with any parents. Linear but for the sorting of siblings.

    Of spans with the same id, which only a caller that merges sources can have, all are kept; children hang on one.
    """
    nodes = sorted((Node(span) for span in spans), key=_order)
    by_id: dict[str, Node[S]] = {}
    for node in nodes:
        by_id.setdefault(node.span.span_id, node)

    parent_of: dict[int, Node[S]] = {}
    for node in nodes:
        parent_id = node.span.parent_span_id
        if not parent_id or parent_id == INVALID_SPAN_ID:
            continue
        if parent_id == node.span.span_id:
            node.problem = OWN_PARENT
        elif parent_id in by_id:
            parent_of[id(node)] = by_id[parent_id]
        else:
            node.problem = MISSING_PARENT
    _break_cycles(nodes, parent_of)

    tops: list[Node[S]] = []
    for node in nodes:
        parent = parent_of.get(id(node))
        if parent is None:
            tops.append(node)
        else:
            parent.children.append(node)
    tree = TraceTree(sorted(tops, key=lambda top: (top.problem != "", *_order(top))))
    for node in tree.walk():
        for child in node.children:
            child.depth = node.depth + 1
    return tree
