"""Lists of traces and spans: filters, orderings and pages. Every function's number of queries is fixed.

Pages are by keyset: one starts after the last row of the page before, so rows that arrive meanwhile neither push others
out nor show them twice.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from projects.models import AuditEvent, Project
from spans.models import Span, SpanLog
from spans.payload import fitting
from spans.semconv.fields import stored_id
from traces.models import GROUP_PREFIX, EmptyText, Prefix, Trace

M = TypeVar("M", Trace, Span, AuditEvent)

# Counts are exact up to here; counting further would read the whole table for a number nobody uses.
COUNT_LIMIT = 10_000
GROUP_FIELDS = ("session_id", "user_id")


def in_projects(queryset: QuerySet[M], projects: QuerySet[Project]) -> QuerySet[M]:
    """The rows of these projects. One query for their keys: with one project, the index then gives the order too."""
    keys = list(projects.order_by().values_list("pk", flat=True))
    return queryset.filter(project=keys[0]) if len(keys) == 1 else queryset.filter(project__in=keys)


def forms_of_id(identifier: str) -> set[str]:
    """The id as columns have it, and whole, as it stands in rows from before ids had a bound."""
    return {identifier, stored_id(identifier)}


def of_group(traces: QuerySet[Trace], field: str, identifier: Any) -> QuerySet[Trace]:
    """The traces of a session or user: text, or an expression.

    The index holds the beginning of an id, because ids may be longer than an entry. A shorter id is its own beginning,
    and is not compared once more: SQLite would put it into the index's expression, and no longer find the index.
    """
    is_text = isinstance(identifier, str)
    conditions: dict[str, Any] = {f"{field}_prefix": identifier[:GROUP_PREFIX] if is_text else Prefix(identifier)}
    if not is_text:
        conditions[field] = identifier
    elif len(identifier) >= GROUP_PREFIX:
        conditions[f"{field}__in"] = forms_of_id(identifier)
    return traces.alias(**{f"{field}_prefix": Prefix(field)}).filter(~Q(**{field: EmptyText()}), **conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What both lists can be narrowed by. None and "" stand for anything; texts match whole unless noted."""

    project: str = ""
    """Slug of the project."""
    start_from_unix_nano: int | None = None
    start_before_unix_nano: int | None = None
    service_name: str = ""
    name: str = ""
    """Part of the name, case ignored."""
    model: str = ""
    session_id: str = ""
    user_id: str = ""
    min_duration_ns: int | None = None
    min_tokens: int | None = None
    """Input and output tokens together."""
    min_cost_usd: Decimal | None = None
    has_error: bool | None = None
    text: str = ""
    """Part of the name, input or output (their first 500 characters), case ignored."""
    log: str = ""
    """Part of a log record's name, body or attributes, case ignored."""

    def conditions(self) -> Iterator[Q]:
        """The conditions that traces and spans have in common."""
        if self.project:
            yield Q(project__slug=self.project)
        if self.start_from_unix_nano is not None:
            yield Q(start_time_unix_nano__gte=self.start_from_unix_nano)
        if self.start_before_unix_nano is not None:
            yield Q(start_time_unix_nano__lt=self.start_before_unix_nano)
        if self.name:
            yield Q(name__icontains=self.name)
        if self.min_cost_usd is not None:
            yield Q(cost_usd__gte=self.min_cost_usd)
        if self.text:
            yield text_condition(self.text)
        if self.service_name:
            yield Q(service_name=self.service_name)

    def groups(self) -> Iterator[tuple[str, str]]:
        """The session and the user that are asked for, by field."""
        return ((field, value) for field in GROUP_FIELDS if (value := getattr(self, field)))

    def group_conditions(self) -> Iterator[Q]:
        """The same where no index knows them."""
        return (Q(**{f"{field}__in": forms_of_id(value)}) for field, value in self.groups())


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFilters(Filters):
    status: str = ""

    def apply(self, traces: QuerySet[Trace]) -> QuerySet[Trace]:
        traces = traces.filter(*self.conditions())
        for field, identifier in self.groups():
            traces = of_group(traces, field, identifier)
        if self.status:
            traces = traces.filter(status=self.status)
        if self.model:
            traces = traces.filter(model_names__contains=orjson.dumps(self.model).decode())
        if self.log:
            traces = traces.filter(Exists(logs_with(self.log).filter(trace_row=OuterRef("pk"))))
        if self.has_error is not None:
            traces = traces.filter(error_count__gt=0) if self.has_error else traces.filter(error_count=0)
        if self.min_duration_ns is not None:
            traces = traces.filter(duration_ns__gte=self.min_duration_ns)
        if self.min_tokens is not None:
            traces = traces.alias(tokens=total_tokens()).filter(tokens__gte=self.min_tokens)
        return traces


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFilters(Filters):
    """`model` is the request's or the response's."""

    trace: Trace | None = None
    span_type: str = ""

    def apply(self, spans: QuerySet[Span]) -> QuerySet[Span]:
        spans = spans.filter(*self.conditions(), *self.group_conditions())
        if self.trace is not None:
            spans = spans.filter(trace_row=self.trace, day=self.trace.day)
        if self.span_type:
            spans = spans.filter(span_type=self.span_type)
        if self.model:
            spans = spans.filter(Q(request_model=self.model) | Q(response_model=self.model))
        if self.log:
            own = logs_with(self.log).filter(trace_row=OuterRef("trace_row"), span_id=OuterRef("span_id"))
            spans = spans.filter(Exists(own))
        if self.has_error is not None:
            spans = spans.filter(is_error=self.has_error)
        if self.min_duration_ns is not None:
            spans = spans.alias(lasted_ns=duration_ns()).filter(lasted_ns__gte=self.min_duration_ns)
        if self.min_tokens is not None:
            spans = spans.alias(tokens=total_tokens()).filter(tokens__gte=self.min_tokens)
        return spans


def duration_ns() -> Combinable:
    """A span's own duration. A difference of times fits into 64 bits, a time and a duration together may not."""
    return F("end_time_unix_nano") - F("start_time_unix_nano")


def total_tokens() -> Combinable:
    """Input and output tokens of a trace or a span; an unknown number counts as 0."""
    return Coalesce(F("input_tokens"), 0) + Coalesce(F("output_tokens"), 0)


def text_condition(text: str) -> Q:
    """Name, input or output preview holds the text, case ignored."""
    return Q(name__icontains=text) | Q(input_preview__icontains=text) | Q(output_preview__icontains=text)


def logs_with(text: str) -> QuerySet[SpanLog]:
    """Log records in which the text stands, case ignored."""
    either = Q(name__icontains=text) | Q(body__icontains=text) | Q(attributes__icontains=text)
    return SpanLog.objects.filter(either).order_by()


@dataclass(frozen=True, slots=True)
class Ordering:
    """A sort key that is never null, and its direction; rows with the same key follow their primary key."""

    name: str
    expression: Combinable
    field: "models.Field[Any, Any]"
    descending: bool = True

    def reversed(self) -> "Ordering":
        return dataclasses.replace(self, descending=not self.descending)


_BIG_INTEGER: "models.Field[Any, Any]" = models.BigIntegerField()
_COST: "models.Field[Any, Any]" = models.DecimalField(max_digits=20, decimal_places=10)

# Descending first: what people mean by a column of a list. Only `created_at` never changes while a trace grows.
TRACE_ORDERINGS = {
    ordering.name: ordering
    for ordering in (
        Ordering("created_at", F("created_at"), models.DateTimeField()),
        Ordering("start_time", F("start_time_unix_nano"), _BIG_INTEGER),
        Ordering("duration", F("duration_ns"), _BIG_INTEGER),
        Ordering("span_count", F("span_count"), _BIG_INTEGER),
        Ordering("error_count", F("error_count"), _BIG_INTEGER),
        Ordering("tokens", total_tokens(), _BIG_INTEGER),
        Ordering("cost_usd", Coalesce(F("cost_usd"), Value(Decimal(0)), output_field=_COST), _COST),
    )
}
SPAN_ORDERINGS = {"start_time": TRACE_ORDERINGS["start_time"]}


@dataclass(frozen=True, slots=True)
class Position:
    """Where a row stands in an ordering."""

    value: Any
    key: UUID


def beyond(position: Position, column: str, descending: bool) -> Q:
    """The rows behind a position in the order of a column and the primary key."""
    way = "lt" if descending else "gt"
    # The first condition is the index's bound, the second tells apart the rows that share its value.
    return Q(**{f"{column}__{way}e": position.value}) & (
        Q(**{f"{column}__{way}": position.value}) | Q(**{f"pk__{way}": position.key})
    )


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Rows in their order; `end` is the last one's position where more rows follow, else None."""

    rows: list[M]
    end: Position | None


def page(
    queryset: QuerySet[M], ordering: Ordering, limit: int, after: Position | None = None, offset: int = 0
) -> Page[M]:
    """At most `limit` rows, from behind a position or an offset. One query."""
    found: list[Any] = list(_in_order(queryset, ordering, after)[offset : offset + limit + 1])
    return _page(found[:limit], has_more=len(found) > limit)


def bounded_page(
    queryset: QuerySet[M], ordering: Ordering, limit: int, size: Combinable, after: Position | None = None
) -> Page[M]:
    """At most `limit` rows, as many as an answer has room for: `size` is a row's number of bytes. Two queries."""
    ordered = _in_order(queryset, ordering, after)
    sizes = list(ordered.values_list(size, flat=True)[: limit + 1])
    count = fitting(sizes[:limit])
    return _page(list(ordered[:count]), has_more=len(sizes) > count)


def _in_order(queryset: QuerySet[M], ordering: Ordering, after: Position | None) -> QuerySet[M]:
    queryset = queryset.annotate(sort_value=ordering.expression)
    if after is not None:
        queryset = queryset.filter(beyond(after, "sort_value", ordering.descending))
    sign = "-" if ordering.descending else ""
    return queryset.order_by(f"{sign}sort_value", f"{sign}pk")


def _page(rows: list[Any], has_more: bool) -> Page[Any]:
    return Page(rows, Position(rows[-1].sort_value, rows[-1].pk) if has_more and rows else None)


def count_up_to_limit(queryset: QuerySet[Any]) -> int:
    """The number of rows, or COUNT_LIMIT + 1 where there are more. One query, which stops counting there."""
    return queryset.order_by()[: COUNT_LIMIT + 1].count()
