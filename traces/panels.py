"""Panels that apps above bring to the trace page and to its span panel: registered once, asked for each page.

Templates find the panel as `panel`, and the trace and span as everywhere on the page.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.http import HttpRequest

from spans.models import Span
from traces.models import Trace


class Panel(NamedTuple):
    """A block of the page: its heading, the template that draws it, and what that needs."""

    title: str
    template: str
    context: dict[str, Any]


TracePanel = Callable[[HttpRequest, Trace], Panel | None]
SpanPanel = Callable[[HttpRequest, Trace, Span], Panel | None]
_trace_panels: list[TracePanel] = []
_span_panels: list[SpanPanel] = []


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
