"""Tokens and cost of a trace, each call counted once, with the reason for every span.

Pure: from the narrow columns of a trace's spans, in any order, complete or not. Instrumentations report the same usage
more than once: on a wrapper and on the call inside it, as sums on agents, and when two of them watch the same call.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol


class UsageRow(Protocol):
    """What counting needs to know of a span."""

    @property
    def span_id(self) -> str: ...
    @property
    def parent_span_id(self) -> str: ...
    @property
    def start_time_unix_nano(self) -> int: ...
    @property
    def end_time_unix_nano(self) -> int: ...
    @property
    def scope_name(self) -> str: ...
    @property
    def span_type(self) -> str: ...
    @property
    def request_model(self) -> str: ...
    @property
    def response_model(self) -> str: ...
    @property
    def input_tokens(self) -> int | None: ...
    @property
    def output_tokens(self) -> int | None: ...
    @property
    def cost_usd(self) -> Decimal | None: ...


# Calls of one class inside each other are the same call; a chat call and an embedding are not.
CALL_CLASS = {"LLM": "model call", "CHAT_MODEL": "model call", "EMBEDDING": "embedding", "RERANKER": "reranking"}
SUM = "sum"
IN_TOOL = "in a tool"

COUNTED_CALL = "counted: the innermost span of its {0} that reports usage"
COUNTED_SUM = "counted: no span below it reports usage"
WRAPPER = "not counted: span {1} inside it reports the usage of the same {0}"
SUM_OF_BELOW = "not counted: its sum is made of spans below it, such as {1}"
INSIDE_CALL = "not counted: span {1} around it is a counted call"
TWIN = "not counted: span {1} of another instrumentation reports the same {0}"
RECORD = "not counted: span {1} beside it is the call that it records"
NO_USAGE = "nothing to count: the span reports no usage"

# Two instrumentations of one call are looked for among so many neighbours in time.
TWIN_NEIGHBOURS = 20
# Of a stream some add the few output tokens that its first message reports.
TWIN_OUTPUT_DIFFERENCE = 10
# Of a stream some report the usage afterwards, by a span without a duration: a log record in another dress.
TWIN_REPORT_DELAY_NANOSECONDS = 1_000_000_000


@dataclass(slots=True)
class Usage:
    """The usage of a trace. Totals are None where no counted span reports tokens, or a cost.

    Of a span that reports only one of its token counts the other is 0: an embedding has no output.
    decisions: span id → (template of the reason, class, other span's id), of the spans that report usage.
    """

    counted: frozenset[str] = frozenset()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    priced_spans: int = 0
    decisions: dict[str, tuple[str, str, str]] = field(default_factory=dict)

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
        decisions=decisions,
    )


def _alone(row: UsageRow) -> tuple[str, str, str]:
    kind = CALL_CLASS.get(row.span_type, SUM)
    return (COUNTED_SUM if kind is SUM else COUNTED_CALL, kind, "")


def _decide(rows: Sequence[UsageRow], carriers: Sequence[UsageRow]) -> dict[str, tuple[str, str, str]]:
    parent_of = {row.span_id: row.parent_span_id for row in rows}
    below = _usage_below(parent_of, {row.span_id for row in rows if row.span_type == "TOOL"}, carriers)
    decisions: dict[str, tuple[str, str, str]] = {}
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
    _drop_twins([row for row in carriers if row.span_id in calls], decisions)
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


def _drop_twins(calls: Sequence[UsageRow], decisions: dict[str, tuple[str, str, str]]) -> None:
    """Of two calls that only differ in who watched them, the inner one in time stays.

    They have the same input tokens; their output tokens may differ by what a stream began with.
    """
    if len({row.scope_name for row in calls}) < 2:
        return
    alike: dict[tuple[str, int | None], list[UsageRow]] = defaultdict(list)
    for row in calls:
        if row.input_tokens or row.output_tokens:
            alike[CALL_CLASS[row.span_type], row.input_tokens].append(row)
    for (kind, _), group in alike.items():
        if len({row.scope_name for row in group}) < 2:
            continue
        group.sort(key=lambda row: (row.start_time_unix_nano, -row.end_time_unix_nano, row.span_id))
        for position, outer in enumerate(group):
            for inner in group[position + 1 : position + 1 + TWIN_NEIGHBOURS]:
                until = outer.end_time_unix_nano
                if inner.start_time_unix_nano > until + TWIN_REPORT_DELAY_NANOSECONDS:
                    break
                if inner.start_time_unix_nano == inner.end_time_unix_nano:
                    until += TWIN_REPORT_DELAY_NANOSECONDS
                if (
                    inner.scope_name != outer.scope_name
                    and inner.end_time_unix_nano <= until
                    and decisions[inner.span_id][0] == COUNTED_CALL
                    and _same_output(outer, inner)
                    and _same_model(outer, inner)
                ):
                    decisions[outer.span_id] = (TWIN, kind, inner.span_id)
                    break


def _same_output(one: UsageRow, other: UsageRow) -> bool:
    if one.input_tokens and one.output_tokens and other.output_tokens:
        return abs(one.output_tokens - other.output_tokens) <= TWIN_OUTPUT_DIFFERENCE
    return one.output_tokens == other.output_tokens


def _same_model(one: UsageRow, other: UsageRow) -> bool:
    first = {name.rsplit("/", 1)[-1] for name in (one.request_model, one.response_model) if name}
    second = {name.rsplit("/", 1)[-1] for name in (other.request_model, other.response_model) if name}
    return not first or not second or any(a.startswith(b) or b.startswith(a) for a in first for b in second)
