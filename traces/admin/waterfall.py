"""Where each span of a tree stands on the page: pure, iterative, linear in the number of spans."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

from spans.timestamps import YEAR_2000_UNIX_NANO, format_duration
from traces.summaries.tree import Node, TimedSpan, TraceTree, bounds

TICKS = 5


S = TypeVar("S", bound=TimedSpan)


@dataclass(slots=True)
class Row(Generic[S]):
    """One line of the waterfall. `offset` and `width` are percent of the trace's time and never pass 100 together.

    shift_ns: by how much its clock is wrong, whether it is drawn so or not (`traces.summaries.clock_skew`).
    is_first_of_clock: whether its parent's clock is another one.
    """

    node: Node[S]
    number: int
    offset: float
    width: float
    descendants: int = 0
    failed_below: int = 0
    outlives_parent: bool = False
    shift_ns: int = 0
    is_first_of_clock: bool = False

    @property
    def span(self) -> S:
        return self.node.span

    @property
    def depth(self) -> int:
        return self.node.depth

    @property
    def has_failed(self) -> bool:
        return bool(getattr(self.span, "is_error", False))

    @property
    def problem(self) -> str:
        return self.node.problem

    @property
    def position(self) -> str:
        """CSS custom properties, with a decimal point in every locale."""
        return f"--depth:{self.depth};--offset:{self.offset:.4f}%;--width:{self.width:.4f}%"


@dataclass(slots=True)
class Tick:
    """A mark of the time axis: percent from the left, and its label."""

    offset: float
    label: str

    @property
    def position(self) -> str:
        return f"--offset:{self.offset:.4f}%"

    @property
    def has_room(self) -> bool:
        """Whether the label fits between the mark and the end of the axis."""
        return self.offset < 85


@dataclass(slots=True)
class Waterfall(Generic[S]):
    """Rows in pre-order, and the time that they span."""

    rows: list[Row[S]]
    start_time_unix_nano: int = 0
    duration_ns: int = 0
    ticks: list[Tick] = field(default_factory=list)


def ticks(duration_ns: int) -> list[Tick]:
    """At most six marks from 0 on, at round distances (1, 2 or 5 times a power of ten)."""
    if duration_ns <= 0:
        return [Tick(0, "0")]
    steps = (factor * 10**power for power in count() for factor in (1, 2, 5))
    step = next(step for step in steps if step * TICKS >= duration_ns)
    marks = range(step, duration_ns + 1, step)
    return [Tick(0, "0"), *(Tick(100 * mark / duration_ns, format_duration(mark)) for mark in marks)]


def _count_descendants(rows: list[Row[S]]) -> None:
    by_node = {id(row.node): row for row in rows}
    for row in reversed(rows):
        below = [by_node[id(child)] for child in row.node.children]
        row.descendants = sum(1 + child.descendants for child in below)
        row.failed_below = sum(child.has_failed + child.failed_below for child in below)


def layout(tree: TraceTree[S], shifts: Mapping[str, int] | None = None, corrected: bool = False) -> Waterfall[S]:
    """A row for every span, each exactly once; drawn where the shifts of wrong clocks put it, if corrected."""
    nodes = list(tree.walk())
    shifts = shifts or {}
    times = {id(node): bounds(node.span, shifts.get(node.span.span_id, 0) if corrected else 0) for node in nodes}
    plausible = [pair for pair in times.values() if pair[1] >= YEAR_2000_UNIX_NANO] or list(times.values())
    if not plausible:
        return Waterfall([], ticks=ticks(0))
    first = min(start for start, _ in plausible)
    total = max(end for _, end in plausible) - first

    rows: list[Row[S]] = []
    ends: dict[int, int] = {}
    parent_shifts: dict[int, int] = {}
    for number, node in enumerate(nodes):
        start, end = (min(max(moment, first), first + total) for moment in times[id(node)])
        offset = 100 * (start - first) / total if total else 0.0
        width = 100 * (end - start) / total if total else 0.0
        row = Row(node, number, offset, min(width, 100 - offset), shift_ns=shifts.get(node.span.span_id, 0))
        row.is_first_of_clock = row.shift_ns != parent_shifts.get(id(node), 0)
        parent_shifts.update((id(child), row.shift_ns) for child in node.children)
        row.outlives_parent = end > ends.get(id(node), end)
        ends.update((id(child), end) for child in node.children)
        rows.append(row)
    _count_descendants(rows)
    return Waterfall(rows, first, total, ticks(total))


def narrow(rows: Sequence[Row[S]], matches: Callable[[S], bool]) -> list[Row[S]]:
    """The matching rows of a whole waterfall and their ancestors, in the same order."""
    kept: list[Row[S]] = []
    wanted_above = 0
    for row in reversed(rows):
        if row.depth < wanted_above or matches(row.span):
            kept.append(row)
            wanted_above = row.depth
    return kept[::-1]


def span_types(rows: Iterable[Row[S]]) -> list[str]:
    """The types that occur, sorted."""
    return sorted({getattr(row.span, "span_type", "") for row in rows} - {""})


def stops(rows: Iterable[Row[S]]) -> list[Row[S]]:
    """Spans that stopped on purpose, the innermost of each branch, in the same order: pauses, hand-overs."""
    found = [row for row in rows if getattr(row.span, "control_flow", "")]
    around = {row.span.parent_span_id for row in found}
    return [row for row in found if row.span.span_id not in around]


def failures(rows: Iterable[Row[S]]) -> list[Row[S]]:
    """Where errors began: failed spans with no failed span below them, in the same order."""
    return [row for row in rows if row.has_failed and not row.failed_below]
