"""What apps above bring to the pages of traces: panels, facts, columns and actions.

Each is registered once and asked for every page. Templates find a panel as `panel`, and the trace and span as
everywhere on the page.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.http import HttpRequest

from spans.models import Span
from traces.models import Trace


class Panel(NamedTuple):
    """A block of the page: its heading, the template that draws it, and what that needs."""

    title: str
    template: str
    context: dict[str, Any]


class Column(NamedTuple):
    """A column of the trace list. related: the relation of a trace that the cell reads, read with the list."""

    name: str
    heading: str
    cell: Callable[[Trace], str]
    related: str
    is_shown: Callable[[], bool]


class Action(NamedTuple):
    """Something to do with selected traces; `run` looks itself at which of them the user may."""

    name: str
    label: str
    run: Callable[[HttpRequest, QuerySet[Trace]], object]
    is_offered: Callable[[HttpRequest], bool]


Fact = tuple[str, Any]
TraceFact = Callable[[HttpRequest, Trace], Fact | None]
TracePanel = Callable[[HttpRequest, Trace], Panel | None]
SpanPanel = Callable[[HttpRequest, Trace, Span], Panel | None]
_trace_panels: list[TracePanel] = []
_span_panels: list[SpanPanel] = []
_facts: list[TraceFact] = []
_columns: dict[str, Column] = {}
_actions: dict[str, Action] = {}


def register_trace_panel(make: TracePanel) -> None:
    """`make` returns None where there is nothing to show; its queries are few, whatever the trace."""
    if make not in _trace_panels:
        _trace_panels.append(make)


def register_span_panel(make: SpanPanel) -> None:
    """As `register_trace_panel`."""
    if make not in _span_panels:
        _span_panels.append(make)


def trace_panels(request: HttpRequest, trace: Trace) -> list[Panel]:
    return [panel for make in _trace_panels if (panel := make(request, trace)) is not None]


def span_panels(request: HttpRequest, trace: Trace, span: Span) -> list[Panel]:
    return [panel for make in _span_panels if (panel := make(request, trace, span)) is not None]


def register_trace_fact(make: TraceFact) -> None:
    """A label and a value for the head of the trace page; `make` returns None where there is nothing to say."""
    if make not in _facts:
        _facts.append(make)


def register_trace_column(column: Column) -> None:
    _columns[column.name] = column


def register_trace_action(action: Action) -> None:
    _actions[action.name] = action


def trace_facts(request: HttpRequest, trace: Trace) -> list[Fact]:
    return [fact for make in _facts if (fact := make(request, trace)) is not None]


def trace_columns() -> list[Column]:
    return [column for column in _columns.values() if column.is_shown()]


def trace_actions(request: HttpRequest) -> list[Action]:
    return [action for action in _actions.values() if action.is_offered(request)]
