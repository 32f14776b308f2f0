"""Filters of the trace, span and mirror lists: one parameter each, drawn as a form above the list."""

import datetime
import functools
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from django.contrib.admin import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from projects.models import Project
from projects.roles import project_ids
from spans.models import SpanType
from spans.timestamps import CLOCK_AHEAD_NS, NS_PER_SECOND, to_unix_nano
from traces.models import Trace, TraceStatus
from traces.reading.lists import duration_ns, logs_with, of_group

T = TypeVar("T")

MAX_TEXT = 500
LAST_UNIX_NANO = 2**63 - 2
# More than a trace can cost, and room in its column
MAX_COST_USD = Decimal(10**9)


class ParameterFilter(ListFilter):
    """A filter by exactly one kind of value. `chosen` is its text, "" where it is off.

    `indexed` filters narrow the index scan; the others make it look at row after row, so the list bounds it. A value
    that the filter can't read narrows nothing: `problem` then says why, beside the field.
    """

    parameter_names: tuple[str, ...] = ()
    template = "admin/filters/text.html"
    indexed = False
    placeholder = ""
    problem = ""

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.values = {}
        for name in self.parameter_names:
            texts = params.pop(name, None) or [""]
            text = str(texts[-1]).strip()[:MAX_TEXT].replace("\x00", "")
            self.values[name] = text
            if text:
                self.used_parameters[name] = text
        self.chosen = self.values[self.parameter_names[0]]

    @property
    def name(self) -> str:
        return self.parameter_names[0]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameter_names)

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield from ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return self.attempt(lambda: self.apply(queryset), queryset) if self.used_parameters else queryset

    def attempt(self, read: Callable[[], T], otherwise: T) -> T:
        """What `read` makes of the value, or `otherwise` with the problem noted."""
        try:
            return read()
        except IncorrectLookupParameters as error:
            self.problem = str(error)
            return otherwise

    @property
    def is_applied(self) -> bool:
        """Known once the filter has been asked to narrow something."""
        return bool(self.used_parameters) and not self.problem

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        raise NotImplementedError


class ChoiceFilter(ParameterFilter):
    """A select of fixed values; anything else is a problem."""

    template = "admin/filters/select.html"
    options: tuple[tuple[str, str], ...] = ()
    any_label = "any"

    def check(self) -> None:
        """Raises IncorrectLookupParameters."""
        if self.chosen and self.chosen not in dict(self.options):
            raise IncorrectLookupParameters(f"{self.name} can't be {self.chosen!r}")

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        self.check()
        return self.select(queryset)

    def select(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.name: self.chosen})


class ProjectFilter(ChoiceFilter):
    """Only the projects that the user may see; not shown to members of a single one."""

    title = "Project"
    parameter_names = ("project",)
    any_label = "all projects"
    indexed = True

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.user = request.user

    @functools.cached_property
    def options(self) -> tuple[tuple[str, str], ...]:  # type: ignore[override]
        """One query, at the first look."""
        visible = Project.objects.filter(pk__in=project_ids(self.user))
        return tuple((str(key), name) for key, name in visible.values_list("pk", "name"))

    def has_output(self) -> bool:
        return len(self.options) > 1 or bool(self.chosen)


class TimeRangeFilter(ParameterFilter):
    """The last minutes to days, or a range of times (ISO 8601; without an offset in the server's time zone)."""

    title = "Started"
    parameter_names = ("range", "from", "to")
    template = "admin/filters/time_range.html"
    indexed = True
    presets = (("15m", "15 min", 15), ("1h", "1 hour", 60), ("24h", "24 hours", 1440), ("7d", "7 days", 10_080))

    @property
    def is_custom(self) -> bool:
        return self.chosen == "custom" or bool(self.values["from"] or self.values["to"])

    column = "start_time_unix_nano"

    @staticmethod
    def bound(unix_nano: int) -> Any:
        """The column's value at this time."""
        return unix_nano

    def _moment(self, name: str) -> int | None:
        text = self.values[name]
        if not text:
            return None
        try:
            moment = datetime.datetime.fromisoformat(text)
            unix_nano = to_unix_nano(moment if timezone.is_aware(moment) else timezone.make_aware(moment))
            return min(max(unix_nano, 0), LAST_UNIX_NANO)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(f"{name} is not a time: {text!r}") from error

    def bounds(self) -> tuple[int | None, int | None]:
        """Unix nanoseconds of the first and the last moment; None is no bound."""
        start, end = self._moment("from"), self._moment("to")
        if self.chosen and self.chosen != "custom":
            minutes = {key: length for key, _, length in self.presets}.get(self.chosen)
            if minutes is None:
                raise IncorrectLookupParameters(f"no such range: {self.chosen!r}")
            now = to_unix_nano(timezone.now())
            start, end = now - minutes * 60 * NS_PER_SECOND, now + CLOCK_AHEAD_NS
        return start, end

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        start, end = self.bounds()
        if start is not None:
            queryset = queryset.filter(**{f"{self.column}__gte": self.bound(start)})
        if end is not None:
            queryset = queryset.filter(**{f"{self.column}__lte": self.bound(end)})
        return queryset


class StatusFilter(ChoiceFilter):
    title = "Status"
    parameter_names = ("status",)
    options = tuple((value, value) for value in TraceStatus.values)


class ErrorsFilter(ChoiceFilter):
    """Traces in which any span failed, also where the trace as a whole did not."""

    title = "Errors"
    parameter_names = ("errors",)
    options = (("yes", "with errors"), ("no", "without errors"))

    def select(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(error_count__gt=0) if self.chosen == "yes" else queryset.filter(error_count=0)


class SpanErrorFilter(ChoiceFilter):
    title = "Status"
    parameter_names = ("errors",)
    options = (("yes", "ERROR"), ("no", "no error"))

    def select(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(is_error=self.chosen == "yes")


class SpanTypeFilter(ChoiceFilter):
    title = "Type"
    parameter_names = ("type",)
    options = tuple((value, value) for value in SpanType.values)

    def select(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(span_type=self.chosen)


class ServiceFilter(ParameterFilter):
    title = "Service"
    parameter_names = ("service",)

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(service_name=self.chosen)


class ModelFilter(ParameterFilter):
    """A part of a model's name, as people know it without its date."""

    title = "Model"
    parameter_names = ("model",)
    placeholder = "part of it"

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(model_names__icontains=self.chosen)


class SpanModelFilter(ModelFilter):
    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        either = queryset.filter(response_model__icontains=self.chosen)
        return either | queryset.filter(request_model__icontains=self.chosen)


class LogFilter(ParameterFilter):
    """Text in a log record of the trace or the span."""

    title = "Log record"
    parameter_names = ("log",)
    placeholder = "part of it"

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(Exists(logs_with(self.chosen).filter(trace_row=OuterRef("pk"))))


class SpanLogFilter(LogFilter):
    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        own = logs_with(self.chosen).filter(trace_row=OuterRef("trace_row"), span_id=OuterRef("span_id"))
        return queryset.filter(Exists(own))


class TraceFilter(ParameterFilter):
    title = "Trace"
    parameter_names = ("trace",)
    placeholder = "OTel trace id"
    indexed = True

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        days = dict(Trace.objects.filter(trace_id=self.chosen.lower()).order_by().values_list("pk", "day"))
        return queryset.filter(trace_row__in=days.keys(), day__in=set(days.values()))


class SessionFilter(ParameterFilter):
    title = "Session"
    parameter_names = ("session",)

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(session_id=self.chosen)


class TraceSessionFilter(SessionFilter):
    indexed = True

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return of_group(queryset, "session_id", self.chosen)


class UserFilter(ParameterFilter):
    title = "User"
    parameter_names = ("user",)

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(user_id=self.chosen)


class TraceUserFilter(UserFilter):
    indexed = True

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return of_group(queryset, "user_id", self.chosen)


class MinimumDurationFilter(ParameterFilter):
    """Milliseconds."""

    title = "Min. ms"
    parameter_names = ("min_ms",)
    template = "admin/filters/number.html"

    @property
    def duration_ns(self) -> int:
        try:
            return max(0, min(int(float(self.chosen) * 1_000_000), 2**63 - 1))
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(f"min_ms is not a number: {self.chosen!r}") from error

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(duration_ns__gte=self.duration_ns)


class SpanMinimumDurationFilter(MinimumDurationFilter):
    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        lasting: QuerySet[Any] = queryset.alias(lasted_ns=duration_ns())
        return lasting.filter(lasted_ns__gte=self.duration_ns)


class MinimumCostFilter(ParameterFilter):
    """US dollars; what nobody knows the cost of is left out."""

    title = "Min. $"
    parameter_names = ("min_usd",)
    template = "admin/filters/number.html"

    def apply(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        try:
            least = max(Decimal(0), min(Decimal(self.chosen), MAX_COST_USD))
        except InvalidOperation as error:
            raise IncorrectLookupParameters(f"min_usd is not a number: {self.chosen!r}") from error
        return queryset.filter(cost_usd__gte=least)
