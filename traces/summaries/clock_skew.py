"""Clocks of services that differ: noticed where a span began before the one that called it. Pure.

The correction is that of Jaeger's clock skew adjuster: the spans of a service move together, so that the first of them
lies in the middle of the span that called it, or begins with it where it does not fit inside.
Source: jaegertracing/jaeger, internal/adjuster ("ClockSkew").
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from spans.span_types import SpanKind
from traces.summaries.tree import TimedSpan, TraceTree, assemble, bounds

# What two clocks that are kept in step may differ by: nothing to tell anybody about.
IN_STEP_NS = 1_000_000


class SkewSpan(TimedSpan, Protocol):
    """What is looked at of a span."""

    @property
    def service_name(self) -> str: ...
    @property
    def kind(self) -> int: ...
    @property
    def is_error(self) -> bool: ...


S = TypeVar("S", bound=SkewSpan)


def shifts_of(spans: Sequence[S]) -> dict[str, int]:
    """By span id, the nanoseconds that the span would move by in a corrected picture; {} where no clock is wrong.

    Linear. A tree is made only if some span lies where its caller can't have been waiting for it.
    """
    if SpanKind.SERVER not in {span.kind for span in spans} and len({span.service_name for span in spans}) < 2:
        return {}
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        caller = by_id.get(span.parent_span_id)
        if caller is not None and _own_clock(caller, span) and _shift_ns(caller, 0, span):
            return shifts(assemble(spans))
    return {}


def shifts(tree: TraceTree[S]) -> dict[str, int]:
    """As `shifts_of`, for a tree."""
    found: dict[str, int] = {}
    for caller in tree.walk():
        shift_ns = found.get(caller.span.span_id, 0)
        for child in caller.children:
            own = _shift_ns(caller.span, shift_ns, child.span) if _own_clock(caller.span, child.span) else shift_ns
            if own:
                found[child.span.span_id] = own
    return found


def _own_clock(caller: SkewSpan, span: SkewSpan) -> bool:
    """Whether the span may have been timed by another clock: that of another service, or of a called server."""
    return caller.service_name != span.service_name or _is_call(caller, span)


def _is_call(caller: SkewSpan, span: SkewSpan) -> bool:
    return caller.kind == SpanKind.CLIENT and span.kind == SpanKind.SERVER


def _shift_ns(caller: SkewSpan, caller_shift_ns: int, span: SkewSpan) -> int:
    """What moves the span into its caller's time; 0 where it may stay.

    A span may outlast its caller, which perhaps did not wait; but nothing begins before it is called, and no server
    begins after a client has its answer.
    """
    caller_start, caller_end = bounds(caller, caller_shift_ns)
    start, end = bounds(span)
    is_early = start < caller_start - IN_STEP_NS
    is_late = start > caller_end + IN_STEP_NS and _is_call(caller, span) and not caller.is_error
    if not is_early and not is_late:
        return 0
    spare = (caller_end - caller_start) - (end - start)
    return caller_start - start + max(0, spare) // 2
