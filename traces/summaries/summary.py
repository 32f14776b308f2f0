"""The summary of a trace from the narrow columns of its spans: pure, the same in any order of arrival."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Protocol, TypeVar

from spans.keys import INVALID_SPAN_ID
from traces.summaries.clock_skew import shifts_of
from traces.summaries.outcome import OutcomeRow, trace_failed
from traces.summaries.tree import bounds, start_of
from traces.summaries.usage import count_usage
from traces.summaries.usage_row import CALL_CLASS, PartTotals, UsageRow

# What a trace's output may be taken from, where the root has none.
ANSWERING_TYPES = frozenset(("AGENT", "CHAIN", "WORKFLOW", "TASK", "LLM", "CHAT_MODEL"))
# A voice agent's words on their way to and from sound: of its traces neither what was asked nor what was answered.
SPEECH = frozenset(("speech_to_text", "text_to_speech"))
CUT_OFF = "..."
# The models of a trace beyond these are not in its summary.
MAX_MODELS = 50
# More does not fit into a trace's column.
MAX_TRACE_COST_USD = Decimal(10**10 - 1)


class SummaryRow(UsageRow, OutcomeRow, Protocol):
    """What a summary needs to know of a span beside its usage and its end."""

    @property
    def name(self) -> str: ...
    @property
    def service_name(self) -> str: ...
    @property
    def operation_name(self) -> str: ...
    @property
    def kind(self) -> int: ...
    @property
    def session_id(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def input_preview(self) -> str: ...
    @property
    def framework_trace_id(self) -> str: ...
    @property
    def labels(self) -> dict[str, str] | None: ...


R = TypeVar("R", bound=SummaryRow)


@dataclass(slots=True, kw_only=True)
class TraceSummary(PartTotals):
    """The columns of a trace, and the ids of the spans whose usage its totals count."""

    name: str
    root_span_id: str
    service_name: str
    start_time_unix_nano: int
    end_time_unix_nano: int
    duration_ns: int
    span_count: int
    error_count: int
    status: str
    model_names: list[str]
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    unpriced_calls: int
    session_id: str
    user_id: str
    input_preview: str
    output_preview: str
    framework_trace_id: str
    clock_skew_ns: int
    counted: frozenset[str]


# What the trace's row takes from it
SUMMARY_COLUMNS = tuple(item.name for item in fields(TraceSummary) if item.name != "counted")


def summarize(rows: Sequence[R]) -> TraceSummary:
    """The summary of at least one span of a trace.

    A trace without its root takes name and service from the earliest span whose parent is not known. Where the clocks
    of services differ, start, end and duration are the corrected ones.
    """
    ordered = sorted(rows, key=lambda row: (start_of(row), row.span_id)) if len(rows) > 1 else list(rows)
    roots = [row for row in ordered if not row.parent_span_id or row.parent_span_id == INVALID_SPAN_ID]
    top = roots[0] if roots else _topmost(ordered)
    shifts = shifts_of(ordered) if len(ordered) > 1 else {}
    if shifts:
        times = [bounds(row, shifts.get(row.span_id, 0)) for row in ordered]
        start, end = min(first for first, _ in times), max(last for _, last in times)
    else:
        start = start_of(ordered[0])
        end = max(start, max(row.end_time_unix_nano for row in ordered))
    errors = sum(1 for row in ordered if row.is_error)
    usage = count_usage(ordered)
    labelled = [row for row in ordered if row.labels]
    by_end = sorted(labelled, key=lambda row: (row.end_time_unix_nano, row.span_id), reverse=True)
    return TraceSummary(
        name=_label("trace_name", top, labelled) or (top.labels or {}).get("title") or top.name,
        root_span_id=top.span_id if roots else "",
        service_name=top.service_name,
        start_time_unix_nano=start,
        end_time_unix_nano=end,
        duration_ns=end - start,
        span_count=len(ordered),
        error_count=errors,
        status="ERROR" if errors and trace_failed(ordered, roots) else "OK",
        model_names=_model_names(ordered),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=None if usage.cost_usd is None else min(usage.cost_usd, MAX_TRACE_COST_USD),
        unpriced_calls=usage.unpriced_spans,
        session_id=top.session_id or next((row.session_id for row in ordered if row.session_id), ""),
        user_id=top.user_id or next((row.user_id for row in ordered if row.user_id), ""),
        input_preview=_label("trace_input", top, labelled) or trace_input(top, ordered),
        output_preview=_label("trace_output", top, by_end) or trace_output(top, ordered),
        framework_trace_id=next((row.framework_trace_id for row in ordered if row.framework_trace_id), ""),
        clock_skew_ns=max(map(abs, shifts.values()), default=0),
        counted=usage.counted,
        **usage.parts,
    )


def _label(name: str, top: SummaryRow, labelled: Sequence[SummaryRow]) -> str:
    """What the program says of the trace as a whole: on its root, else on the first of these spans that says it."""
    return next((row.labels[name] for row in (top, *labelled) if row.labels and row.labels.get(name)), "")


def _topmost(ordered: Sequence[R]) -> R:
    known = {row.span_id for row in ordered}
    return next((row for row in ordered if row.parent_span_id not in known), ordered[0])


def _model_names(ordered: Sequence[SummaryRow]) -> list[str]:
    """The models of calls, as asked for and as answered, in the order of their first use, the first of them."""
    names: dict[str, None] = {}
    for row in ordered:
        if row.span_type in CALL_CLASS:
            if row.request_model:
                names[row.request_model] = None
            if row.response_model:
                names[row.response_model] = None
    if not names:
        names = {row.request_model: None for row in ordered if row.request_model}
    return list(names)[:MAX_MODELS]


def trace_input(top: SummaryRow, ordered: Sequence[SummaryRow]) -> str:
    """The root's input, else that of the earliest agent, chain or model call that has one, else of any span.

    What a model asked of a tool is not what was asked of the trace.
    """
    if top.input_preview:
        return top.input_preview
    with_input = [row for row in ordered if row.input_preview and _speaks_for(row, top)]
    asked = [row for row in with_input if row.span_type in ANSWERING_TYPES]
    return next((row.input_preview for row in asked or with_input), "")


def trace_output(top: SummaryRow, ordered: Sequence[SummaryRow]) -> str:
    """The root's output, else that of the agent that ended last and has one, else of the chain or model call, else of
    any span but a tool: what a tool gave back is no answer, unless the tool is all that was asked for.

    An output that the SDK cut off with three dots is taken from a span that has it whole.
    """
    if top.output_preview:
        return _uncut(top.output_preview, ordered) if top.output_preview.endswith(CUT_OFF) else top.output_preview
    with_output = [row for row in ordered if row.output_preview and _speaks_for(row, top)]
    if not with_output:
        return ""
    agents = [row for row in with_output if row.span_type == "AGENT"]
    answers = [row for row in with_output if row.span_type in ANSWERING_TYPES]
    return max(agents or answers or with_output, key=lambda row: row.end_time_unix_nano).output_preview


def _speaks_for(row: SummaryRow, top: SummaryRow) -> bool:
    """Whether what went into a span, or came out, may be the trace's."""
    return (row.span_type != "TOOL" or top.span_type == "TOOL") and row.operation_name not in SPEECH


def _uncut(output: str, ordered: Sequence[SummaryRow]) -> str:
    beginning = output.removesuffix(CUT_OFF).rstrip()
    longer = (row.output_preview for row in reversed(ordered) if len(row.output_preview) > len(output))
    return next((text for text in longer if beginning and text.startswith(beginning)), output)
