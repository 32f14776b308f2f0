"""Tokens and cost of a trace, each call counted once, with the reason for every span.

Pure: from the narrow columns of a trace's spans, in any order, complete or not. Instrumentations report the same usage
more than once: on a wrapper and on the call inside it, as sums on agents, and when two of them watch the same call.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter

from spans.columns import USAGE_PART_NAMES
from traces.summaries.usage_repeats import drop_sums_beside, drop_twins
from traces.summaries.usage_row import (
    CALL_CLASS,
    COUNTED_CALL,
    COUNTED_SUM,
    IN_TOOL,
    INSIDE_CALL,
    NO_USAGE,
    RECORD,
    SUM,
    SUM_OF_BELOW,
    WRAPPER,
    Decision,
    UsageRow,
)

_parts_of = attrgetter(*USAGE_PART_NAMES)


@dataclass(slots=True)
class Usage:
    """The usage of a trace. Totals are None where no counted span reports tokens, or a cost.

    Of a span that reports only one of its token counts the other is 0: an embedding has no output.
    parts: the sums of the parts of the tokens (`spans.columns.USAGE_PARTS`) that counted spans report, by name.
    unpriced_spans: counted ones that report tokens and whose cost is not known.
    decisions: span id → (template of the reason, class, other span's id), of the spans that report usage.
    """

    counted: frozenset[str] = frozenset()
    input_tokens: int | None = None
    output_tokens: int | None = None
    parts: dict[str, int] = field(default_factory=dict)
    cost_usd: Decimal | None = None
    priced_spans: int = 0
    unpriced_spans: int = 0
    decisions: dict[str, Decision] = field(default_factory=dict)

    def reason(self, span_id: str) -> str:
        """Why the span's usage is in the totals, or why not."""
        if span_id not in self.decisions:
            return NO_USAGE
        template, kind, other = self.decisions[span_id]
        return template.format(kind, other)


def count_usage(rows: Sequence[UsageRow]) -> Usage:
    """Decide for every span of a trace whether its tokens and cost enter the totals. Linear in the number of spans."""
    carriers = [
        row for row in rows if row.input_tokens is not None or row.output_tokens is not None or row.cost_usd is not None
    ]
    if not carriers:
        return Usage()
    decisions = {carriers[0].span_id: _alone(carriers[0])} if len(carriers) == 1 else _decide(rows, carriers)
    counted = [row for row in carriers if decisions[row.span_id][0] in (COUNTED_CALL, COUNTED_SUM)]
    tokens = [row for row in counted if row.input_tokens is not None or row.output_tokens is not None]
    costs = [row.cost_usd for row in counted if row.cost_usd is not None]
    return Usage(
        counted=frozenset([row.span_id for row in counted]),
        input_tokens=sum(row.input_tokens or 0 for row in tokens) if tokens else None,
        output_tokens=sum(row.output_tokens or 0 for row in tokens) if tokens else None,
        cost_usd=sum(costs, Decimal(0)) if costs else None,
        priced_spans=len(costs),
        unpriced_spans=sum(1 for row in tokens if row.cost_usd is None and (row.input_tokens or row.output_tokens)),
        parts=_part_totals(tokens),
        decisions=decisions,
    )


def _part_totals(counted: Sequence[UsageRow]) -> dict[str, int]:
    """The sum of each part that any of the spans reports."""
    totals: dict[str, int] = {}
    for row in counted:
        for name, number in zip(USAGE_PART_NAMES, _parts_of(row), strict=True):
            if number is not None:
                totals[name] = totals.get(name, 0) + number
    return totals


def _alone(row: UsageRow) -> Decision:
    kind = CALL_CLASS.get(row.span_type, SUM)
    return (COUNTED_SUM if kind is SUM else COUNTED_CALL, kind, "")


def _decide(rows: Sequence[UsageRow], carriers: Sequence[UsageRow]) -> dict[str, Decision]:
    parent_of = {row.span_id: row.parent_span_id for row in rows}
    below = _usage_below(parent_of, {row.span_id for row in rows if row.span_type == "TOOL"}, carriers)
    decisions: dict[str, Decision] = {}
    sums = []
    for row in carriers:
        kind = CALL_CLASS.get(row.span_type, SUM)
        inside = below.get(row.span_id, {})
        if kind is SUM:
            if inside:
                decisions[row.span_id] = (SUM_OF_BELOW, kind, next(iter(inside.values())))
            else:
                sums.append(row)
        elif kind in inside:
            decisions[row.span_id] = (WRAPPER, kind, inside[kind])
        else:
            decisions[row.span_id] = (COUNTED_CALL, kind, "")
    calls = {row.span_id for row in carriers if decisions.get(row.span_id, ("",))[0] == COUNTED_CALL}
    beside = {_place(row): row.span_id for row in carriers if row.span_id in calls} if sums else {}
    for row in sums:
        if around := _ancestor_in(calls, row.span_id, parent_of):
            decisions[row.span_id] = (INSIDE_CALL, SUM, around)
        elif call := beside.get(_place(row)):
            decisions[row.span_id] = (RECORD, SUM, call)
        else:
            decisions[row.span_id] = (COUNTED_SUM, SUM, "")
    drop_sums_beside(carriers, parent_of, decisions)
    drop_twins([row for row in carriers if decisions[row.span_id][0] == COUNTED_CALL], decisions)
    return decisions


def _place(row: UsageRow) -> tuple[str, int | None, int | None]:
    """Some SDKs record the usage of a call in a span beside it."""
    return row.parent_span_id, row.input_tokens, row.output_tokens


def _usage_below(
    parent_of: dict[str, str], tools: Collection[str], carriers: Sequence[UsageRow]
) -> dict[str, dict[str, str]]:
    """Span id → class → the id of a span below it that reports usage of that class (zeros are no report).

    Above a tool the class is another one: what a tool asked of a model is no part of the call that asked for the tool.
    A walk upwards ends where an earlier one of its class went along, so all walks together visit a span once a class.
    """
    below: dict[str, dict[str, str]] = {}
    for row in carriers:
        if not (row.input_tokens or row.output_tokens or row.cost_usd):
            continue
        kind = CALL_CLASS.get(row.span_type, SUM)
        above = parent_of.get(row.span_id, "")
        while above in parent_of and above != row.span_id:
            seen = below.setdefault(above, {})
            if kind in seen:
                break
            seen[kind] = row.span_id
            if above in tools:
                kind = IN_TOOL
            above = parent_of[above]
    return below


def _ancestor_in(wanted: set[str], span_id: str, parent_of: dict[str, str]) -> str:
    above = parent_of.get(span_id, "")
    visited = {span_id}
    while above in parent_of and above not in visited:
        if above in wanted:
            return above
        visited.add(above)
        above = parent_of[above]
    return ""
