"""Usage that a trace has more than once, apart from wrappers: sums beside their calls, and calls that two watched."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from traces.summaries.usage_row import CALL_CLASS, COUNTED_CALL, COUNTED_SUM, SUM, SUM_BESIDE, TWIN, Decision, UsageRow

# A sum is looked for among so many spans before it.
SUM_NEIGHBOURS = 500
# Its calls are below the span beside it at most so deep.
SUM_LEVELS = 20
# Two instrumentations of one call are looked for among so many neighbours in time.
TWIN_NEIGHBOURS = 20
# Of a stream some add the few output tokens that its first message reports.
TWIN_OUTPUT_DIFFERENCE = 10
# Of a stream some report the usage afterwards, by a span without a duration: a log record in another dress.
TWIN_REPORT_DELAY_NANOSECONDS = 1_000_000_000


@dataclass(slots=True)
class _Share:
    """What a span and the counted ones below it have used: `own` is the span, if it is counted itself."""

    own: UsageRow | None = None
    calls: list[UsageRow] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    end_time_unix_nano: int = 0

    def add(self, row: UsageRow) -> None:
        self.calls.append(row)
        self.input_tokens += row.input_tokens or 0
        self.output_tokens += row.output_tokens or 0
        self.end_time_unix_nano = max(self.end_time_unix_nano, row.end_time_unix_nano)

    @property
    def order(self) -> tuple[int, int, int, str]:
        """By end; of what ends together the larger one and the longer one comes last."""
        start = min(row.start_time_unix_nano for row in self.calls)
        return self.end_time_unix_nano, self.output_tokens, -start, min(row.span_id for row in self.calls)


def drop_sums_beside(carriers: Sequence[UsageRow], parent_of: dict[str, str], decisions: dict[str, Decision]) -> None:
    """What has the sum of others before it does not count, such as a turn that calls itself a call beside its calls.

    The others are beside it, or below what is beside it.
    """
    counted = [
        row
        for row in carriers
        if row.input_tokens and row.output_tokens and decisions[row.span_id][0] in (COUNTED_CALL, COUNTED_SUM)
    ]
    if len({row.name for row in counted}) < 2 or not _may_have_sums(counted):
        return
    shares: dict[str, dict[str, _Share]] = defaultdict(lambda: defaultdict(_Share))
    for row in counted:
        child = row.span_id
        for _ in range(SUM_LEVELS):
            parent = parent_of.get(child, "")
            shares[parent][child].add(row)
            if parent not in parent_of or parent == row.span_id:
                break
            child = parent
        shares[row.parent_span_id][row.span_id].own = row
    for group in shares.values():
        if len(group) < 2:
            continue
        ordered = sorted(group.values(), key=lambda share: share.order)
        for position, share in enumerate(ordered):
            if share.own is not None and len(share.calls) == 1:
                before = ordered[max(0, position - SUM_NEIGHBOURS) : position]
                if call := _summed_before(share.own, before, decisions):
                    decisions[share.own.span_id] = (SUM_BESIDE, SUM, call)


def _may_have_sums(counted: Sequence[UsageRow]) -> bool:
    """Whether the usage of one is as large as that of the two smallest, or as another's: cheap, and seldom so."""
    pairs = [(row.input_tokens or 0, row.output_tokens or 0) for row in counted]
    if len(set(pairs)) < len(pairs):
        return True
    least_input = sum(sorted([given for given, _ in pairs])[:2])
    least_output = sum(sorted([got for _, got in pairs])[:2])
    return any(given >= least_input and got >= least_output for given, got in pairs)


def _summed_before(row: UsageRow, before: Sequence[_Share], decisions: dict[str, Decision]) -> str:
    """The id of a call among the last ones before the row's end that make up its sum; "" if none do.

    It has another name than these; where it is only one, the same model and instrumentation, and it goes on around it.
    """
    given, got = row.input_tokens or 0, row.output_tokens or 0
    calls: list[UsageRow] = []
    for share in reversed(before):
        if share.own is not None and decisions[share.own.span_id][0] == SUM_BESIDE:
            continue
        given -= share.input_tokens
        got -= share.output_tokens
        calls += share.calls
        if given <= 0 or got <= 0:
            break
    if given or got or not calls or any(call.name == row.name for call in calls):
        return ""
    if len(calls) == 1 and not _goes_on_around(row, calls[0]):
        return ""
    return min(call.span_id for call in calls)


def _goes_on_around(row: UsageRow, call: UsageRow) -> bool:
    """Whether the row lasts longer than the call, all of which lies within it, and is of the same model and origin."""
    before = call.start_time_unix_nano - row.start_time_unix_nano
    after = row.end_time_unix_nano - call.end_time_unix_nano
    return (
        min(before, after) >= 0 and before + after > 0 and row.scope_name == call.scope_name and _same_model(row, call)
    )


def drop_twins(calls: Sequence[UsageRow], decisions: dict[str, Decision]) -> None:
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
