"""Where the time of a trace went: pure, n log n in the number of spans."""

from collections.abc import Iterable, Mapping

from traces.admin.waterfall import Row, S
from traces.summaries.tree import bounds


def own_time_ns(row: Row[S], shifts: Mapping[str, int]) -> int:
    """Nanoseconds of the span in which no child of it ran; children may overlap and outlive it.

    Spans count where the shifts of wrong clocks put them.
    """
    start, end = bounds(row.span, row.shift_ns)
    own, reached = 0, start
    for begins, ends in sorted(bounds(child.span, shifts.get(child.span.span_id, 0)) for child in row.node.children):
        own += max(0, min(begins, end) - reached)
        reached = max(reached, min(ends, end))
    return own + end - reached


def slowest(rows: Iterable[Row[S]], limit: int) -> list[tuple[Row[S], int]]:
    """The rows with the most time of their own, and that time, longest first; none without any."""
    rows = list(rows)
    shifts = {row.span.span_id: row.shift_ns for row in rows if row.shift_ns}
    timed = sorted(((row, own_time_ns(row, shifts)) for row in rows), key=lambda pair: pair[1], reverse=True)
    return [(row, own) for row, own in timed[:limit] if own]
