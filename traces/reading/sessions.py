"""Sessions and end users: the traces of a project that share a session id or a user id, newest activity first.

They have no table. A trace belongs to the session and the user of its summary: its root's, else those of its earliest
span that names one. Every function's work is bounded, however large the table and however many traces a group has.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import (
    Count,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)

from spans.cluster import is_cluster
from spans.columns import USAGE_PART_NAMES
from traces.models import GROUP_PREFIX, EmptyText, Prefix, Trace
from traces.reading.lists import Page, Position, of_group
from traces.summaries.usage_row import PartTotals

# Totals are of a group's newest traces, up to so many.
TRACES_A_GROUP = 10_000
# So many traces are looked through for one page of groups.
TRACES_A_PAGE = 20_000
RELATED_SHOWN = 20
TOKENS = ("input_tokens", "output_tokens", *USAGE_PART_NAMES)
SUM = "sum_of_"
_LAST_KEY = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Grouping:
    """By which column of a trace, and which other one is shown beside it."""

    name: str
    field: str
    related: str


SESSIONS = Grouping("session", "session_id", "user_id")
USERS = Grouping("user", "user_id", "session_id")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Traces that started from the first moment on and before the second, Unix nanoseconds; None is no bound."""

    start: int | None = None
    before: int | None = None

    @property
    def condition(self) -> Q:
        found = Q()
        if self.start is not None:
            found &= Q(start_time_unix_nano__gte=self.start)
        if self.before is not None:
            found &= Q(start_time_unix_nano__lt=self.before)
        return found


ALWAYS = TimeRange()


@dataclass(slots=True)
class TraceGroup(PartTotals):
    """A session or a user with totals over its traces.

    latest: its newest trace, with only its ids. related: the users of a session or the sessions of a user, newest not
    first but sorted, at most RELATED_SHOWN; related_count has them all. has_more_traces: the totals are of its newest
    TRACES_A_GROUP traces. Tokens and cost are None where no trace tells.
    """

    project_id: int
    id: str
    latest: Trace
    trace_count: int = 0
    failed_trace_count: int = 0
    priced_trace_count: int = 0
    unpriced_calls: int = 0
    span_count: int = 0
    error_count: int = 0
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    related: list[str] = field(default_factory=list)
    related_count: int = 0
    has_more_traces: bool = False


def traces_of(grouping: Grouping, project_id: Any, identifier: Any) -> QuerySet[Trace]:
    """The traces of a group."""
    return of_group(Trace.objects.filter(project=project_id), grouping.field, identifier)


def groups_page(
    grouping: Grouping,
    project_ids: Sequence[int],
    limit: int,
    after: Position | None = None,
    within: TimeRange = ALWAYS,
) -> Page[Any]:
    """A page of TraceGroups by the start of their newest trace within the time range, latest first.

    A group stands where its newest trace stands, so one that becomes active again moves to the front. A page may hold
    fewer than `limit` and still have an end: then so many traces were looked through. Two queries a project and one.
    """
    heads: list[list[Trace]] = []
    floor: int | None = None
    for project_id in project_ids:
        oldest: int | None = None
        candidates = Trace.objects.filter(~Q(**{grouping.field: EmptyText()}), within.condition, project=project_id)
        if after is not None:
            candidates = candidates.filter(start_time_unix_nano__lte=after.value).filter(
                Q(start_time_unix_nano__lt=after.value) | Q(pk__lt=after.key)
            )
        candidates = candidates.order_by("-start_time_unix_nano", "-pk")
        starts = candidates.values_list("start_time_unix_nano", flat=True)
        for start in starts[TRACES_A_PAGE : TRACES_A_PAGE + 1]:
            oldest, floor = start, max(start, start if floor is None else floor)
            candidates = candidates.filter(start_time_unix_nano__gt=start)
        heads.append(list(_newest(grouping, project_id, candidates, within, oldest)[: limit + 1]))
    merged = heapq.merge(*heads, key=lambda trace: (trace.start_time_unix_nano, trace.pk), reverse=True)
    found = [trace for trace in merged if floor is None or trace.start_time_unix_nano > floor]
    end = None
    if len(found) > limit:
        end = Position(found[limit - 1].start_time_unix_nano, found[limit - 1].pk)
    elif floor is not None:
        end = Position(floor, _LAST_KEY)
    return Page(totals(grouping, found[:limit], within), end)


def get_group(
    grouping: Grouping, project_ids: Collection[int], identifier: str, within: TimeRange = ALWAYS
) -> TraceGroup | None:
    """The group with this id; of several projects that have it the one with the latest trace. Two queries."""
    traces = of_group(Trace.objects.filter(within.condition, project__in=project_ids), grouping.field, identifier)
    newest = _with_floor(grouping, traces, within).order_by("-start_time_unix_nano", "-pk").first()
    return totals(grouping, [newest], within)[0] if newest is not None else None


def totals(grouping: Grouping, newest: Iterable[Trace], within: TimeRange = ALWAYS) -> list[TraceGroup]:
    """The groups of these newest traces, which carry `floor`, with their totals. One query."""
    groups = {
        (trace.project_id, getattr(trace, grouping.field)): TraceGroup(
            trace.project_id, getattr(trace, grouping.field), trace
        )
        for trace in newest
    }
    if not groups:
        return []
    condition = Q()
    whole: dict[int, list[str]] = defaultdict(list)
    for (project_id, identifier), group in groups.items():
        floor = getattr(group.latest, "floor", None)
        if floor is None:
            whole[project_id].append(identifier)
        else:
            group.has_more_traces = True
            prefix = Q(prefix=identifier[:GROUP_PREFIX], **{grouping.field: identifier})
            condition |= Q(prefix, project=project_id, start_time_unix_nano__gt=floor)
    for project_id, identifiers in whole.items():
        prefixes = {identifier[:GROUP_PREFIX] for identifier in identifiers}
        condition |= Q(project=project_id, prefix__in=prefixes, **{f"{grouping.field}__in": identifiers})
    rows = (
        Trace.objects.alias(prefix=Prefix(grouping.field))
        .filter(condition, within.condition, ~Q(**{grouping.field: EmptyText()}))
        .order_by()
        .values("project_id", grouping.field, grouping.related)
        .annotate(
            traces=Count("pk"),
            failed=Count("pk", filter=Q(status="ERROR")),
            priced=Count("cost_usd"),
            spans=Sum("span_count"),
            errors=Sum("error_count"),
            first=Min("start_time_unix_nano"),
            last=Max("end_time_unix_nano"),
            unpriced=Sum("unpriced_calls"),
            **{SUM + name: _sum(name) for name in TOKENS},
            cost=Sum("cost_usd", output_field=DecimalField(max_digits=30, decimal_places=10)),
        )
    )
    for row in rows:
        _add(groups[row["project_id"], row[grouping.field]], row, row[grouping.related])
    for group in groups.values():
        group.related_count = len(group.related)
        group.related = sorted(group.related)[:RELATED_SHOWN]
    return list(groups.values())


def _sum(column: str) -> Sum:
    """As a float, in which no number of traces overflows; exact up to 2^53."""
    return Sum(ExpressionWrapper(F(column) * Value(1.0), output_field=FloatField()))


def _add(group: TraceGroup, row: dict[str, Any], related: str) -> None:
    is_first = group.trace_count == 0
    group.trace_count += row["traces"]
    group.failed_trace_count += row["failed"]
    group.priced_trace_count += row["priced"]
    group.span_count += row["spans"]
    group.error_count += row["errors"]
    group.start_time_unix_nano = row["first"] if is_first else min(group.start_time_unix_nano, row["first"])
    group.end_time_unix_nano = max(group.end_time_unix_nano, row["last"])
    group.unpriced_calls += row["unpriced"]
    for name in TOKENS:
        if row[SUM + name] is not None:
            setattr(group, name, (getattr(group, name) or 0) + int(row[SUM + name]))
    if row["cost"] is not None:
        group.cost_usd = (group.cost_usd or Decimal(0)) + row["cost"]
    if related:
        group.related.append(related)


def _newest(
    grouping: Grouping, project_id: int, traces: QuerySet[Trace], within: TimeRange, oldest: int | None
) -> QuerySet[Trace]:
    """Of these traces of a project, all newer than `oldest`, those that have no newer one in their group.

    On a cluster no subquery can look for each trace whether there is another one of its group, which lies on another
    shard. There the newest trace of every group is found first, among these and all newer ones.
    """
    if is_cluster():
        every = Trace.objects.filter(~Q(**{grouping.field: ""}), within.condition, project=project_id)
        if oldest is not None:
            every = every.filter(start_time_unix_nano__gt=oldest)
        latest = every.order_by(grouping.field, "-start_time_unix_nano", "-pk").distinct(grouping.field)
        return _with_floor(grouping, traces.filter(pk__in=latest.values("pk")), within)
    newer = traces_of(grouping, OuterRef("project"), OuterRef(grouping.field)).filter(
        Q(start_time_unix_nano__gt=OuterRef("start_time_unix_nano")) | Q(pk__gt=OuterRef("pk")),
        within.condition,
        start_time_unix_nano__gte=OuterRef("start_time_unix_nano"),
    )
    return _with_floor(grouping, traces.filter(~Exists(newer.order_by())), within)


def _with_floor(grouping: Grouping, traces: QuerySet[Trace], within: TimeRange) -> QuerySet[Trace]:
    """`floor`: the start of the first trace of the group that the totals leave out, None where they hold all.

    On a cluster they always hold all: its machines share the work.
    """
    columns = ("project_id", "trace_id", "start_time_unix_nano", "session_id", "user_id")
    if is_cluster():
        return traces.only(*columns)
    group = traces_of(grouping, OuterRef("project"), OuterRef(grouping.field)).filter(within.condition)
    starts = group.order_by("-start_time_unix_nano", "-pk").values("start_time_unix_nano")
    return traces.annotate(floor=Subquery(starts[TRACES_A_GROUP : TRACES_A_GROUP + 1])).only(*columns)
