"""What the trace page and its span panel show of scores."""

from django.http import HttpRequest

from evaluations.models import Score
from spans.models import Span
from traces.models import Trace
from traces.panels import Panel, register_span_panel, register_trace_panel

SHOWN = 200
TEMPLATE = "admin/evaluations/scores.html"


def scores_of_trace(request: HttpRequest, trace: Trace) -> Panel | None:
    """The scores of the trace and of its spans, oldest first. One query."""
    scores = Score.objects.filter(trace_row=trace.pk, deleted_at=None).order_by("created_at", "id")
    found = list(scores[: SHOWN + 1])
    return Panel("Scores", TEMPLATE, {"scores": found[:SHOWN], "is_cut": len(found) > SHOWN}) if found else None


def scores_of_span(request: HttpRequest, trace: Trace, span: Span) -> Panel | None:
    """The scores of the span, oldest first. One query."""
    scores = Score.objects.filter(trace_row=trace.pk, span_id=span.span_id, deleted_at=None)
    found = list(scores.order_by("created_at", "id")[:SHOWN])
    return Panel("Scores", TEMPLATE, {"scores": found, "is_cut": False, "of_span": True}) if found else None


def register() -> None:
    register_trace_panel(scores_of_trace)
    register_span_panel(scores_of_span)
