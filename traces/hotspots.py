"""Where the time of a trace went: pure, n log n in the number of spans."""

from collections.abc import Iterable

from traces.waterfall import Row, S, bounds


def own_time_ns(row: Row[S]) -> int:
    """Nanoseconds of the span in which no child of it ran; children may overlap and outlive it."""
    start, end = bounds(row.span)
    own, reached = 0, start
    for begins, ends in sorted(bounds(child.span) for child in row.node.children):
        own += max(0, min(begins, end) - reached)
        reached = max(reached, min(ends, end))
    return own + end - reached


def slowest(rows: Iterable[Row[S]], limit: int) -> list[tuple[Row[S], int]]:
    """The rows with the most time of their own, and that time, longest first; none without any."""
    timed = sorted(((row, own_time_ns(row)) for row in rows), key=lambda pair: pair[1], reverse=True)
    return [(row, own) for row, own in timed[:limit] if own]
