"""The trace page and the fragments that it loads: thin views over queries, tree and waterfall.

Whoever calls them has limited the traces to the user's projects; a trace or span outside is not found (404).
"""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html

from projects.models import Project
from projects.roles import project_ids
from spans.logs import attach_logs, kept_logs
from spans.models import Span
from spans.payload import fitting
from spans.project_tables import tables_for
from spans.semconv import content
from traces.admin.came_from import CameFrom
from traces.admin.hotspots import slowest
from traces.admin.session_pages import group_link
from traces.admin.span_images import images
from traces.admin.span_panel import describe, error_text
from traces.admin.waterfall import Row, Waterfall, failures, layout, narrow, span_types, stops
from traces.models import Trace
from traces.panels import span_panels, trace_panels
from traces.reading.queries import CONTENT_BYTES, MAX_SPANS, get_span, get_trace, load_spans, spans_of
from traces.summaries.clock_skew import shifts
from traces.summaries.tree import MISSING_PARENT, OWN_PARENT, PARENT_CYCLE, assemble
from traces.summaries.usage import count_usage
from traces.templatetags.tracing import duration, number, sent_moment, spent, tokens

# Rows drawn at first and with every "show more"; ten thousand at once would stall a browser.
ROWS_AT_ONCE = 500
# A span that a link names is drawn with all rows above it, if it is not further down than this.
ROWS_TO_SPAN = 5_000
FAILURES = 3
STOPS = 5
# Failed spans that the keyboard finds before their rows are drawn
FAILED_IDS = 1_000
USAGE_ROWS = 200
SPAN_ID = re.compile("[0-9a-f]{16}")
COUNTS = {True: "counted", False: "not counted"}
# How spans of services with wrong clocks are drawn: as received, or corrected; so many services are named.
CLOCK, CORRECTED = "clock", "corrected"
SERVICES = 5
# The slowest and the dearest spans stand in the head of traces with more spans than a glance takes in.
HOTSPOTS = 3
GLANCE_SPANS = 5
PROBLEMS = {
    MISSING_PARENT: "whose parent has not arrived: shown at the top",
    OWN_PARENT: "named as its own parent: shown at the top",
    PARENT_CYCLE: "in a circle of parents: cut at its earliest span",
}


def trace_or_404(traces: QuerySet[Trace], key: Any) -> Trace:
    """One query."""
    try:
        return traces.select_related("project").get(pk=UUID(str(key).replace("_", "")))
    except (ValueError, Trace.DoesNotExist):
        raise Http404("no such trace") from None


def span_or_404(spans: QuerySet[Span], key: Any) -> Span:
    """Only the columns that lead to its trace. One query."""
    try:
        return spans.only("trace_row", "span_id").get(pk=UUID(str(key).replace("_", "")))
    except (ValueError, Span.DoesNotExist):
        raise Http404("no such span") from None


def find_trace(request: HttpRequest, identifier: str) -> Trace:
    """By OTel or framework trace id, in the user's projects."""
    trace = get_trace(Project.objects.filter(pk__in=project_ids(request.user)), identifier)
    if trace is None:
        raise Http404("no such trace")
    return trace


def _load(request: HttpRequest, trace: Trace) -> Waterfall[Any]:
    """At most the first 10,000 spans, at the times that the request asks for. One query."""
    spans: list[Any] = load_spans(trace, payload=False)
    tree = assemble(spans)
    return layout(tree, shifts(tree), corrected=request.GET.get(CLOCK) == CORRECTED)


def _is_cut(trace: Trace) -> bool:
    """Whether the trace has more spans than its page draws."""
    return trace.span_count > MAX_SPANS


def trace_page(request: HttpRequest, trace: Trace, listed: CameFrom) -> dict[str, Any]:
    """The page's context. Three queries, whatever the number of spans, and four more where spans failed."""
    waterfall = _load(request, trace)
    rows = waterfall.rows
    selected = request.GET.get("span", "")
    is_known = _is_cut(trace) and SPAN_ID.fullmatch(selected)  # one that is not drawn has its panel all the same
    if not is_known and not any(row.span.span_id == selected for row in rows):
        selected = rows[0].span.span_id if rows else ""
    last = _last_row(rows, 0, selected)
    failed = failures(rows)
    has_hotspots = len(rows) > GLANCE_SPANS and not _is_cut(trace)
    return {
        "trace": trace,
        "panels": trace_panels(request, trace),
        "waterfall": waterfall,
        "rows": rows[:last],
        "more": max(0, len(rows) - last),
        "next_row": last,
        "selected": selected,
        "failures": with_messages(trace, failed[:FAILURES]),
        "more_failures": max(0, len(failed) - FAILURES),
        "stops": stops(rows)[:STOPS],
        "failed_ids": " ".join([row.span.span_id for row in rows if row.has_failed][:FAILED_IDS]),
        "span_types": span_types(rows),
        "has_services": _has_services(waterfall),
        "warnings": warnings(trace, rows),
        "clock": clock_skew(request, rows),
        "usage": None if _is_cut(trace) else usage_rows([row.span for row in rows]),
        "has_hotspots": has_hotspots,
        "slowest": slowest(rows, HOTSPOTS) if has_hotspots else [],
        "list_url": listed.list_url(trace),
        "list_query": listed.query,
        "newer_url": listed.neighbour_url(trace, older=False),
        "older_url": listed.neighbour_url(trace, older=True),
    }


def with_messages(trace: Trace, rows: Sequence[Row[Any]]) -> list[tuple[Row[Any], str]]:
    """Each row with what its error says, which may stand in an event, a log record or a result; of spans for which the
    page has no room, their status message. Four queries.
    """
    if not rows:
        return []
    failed = spans_of(trace).filter(pk__in=[row.span.pk for row in rows]).order_by("pk")
    spans = list(failed[: fitting(failed.values_list(CONTENT_BYTES, flat=True))])
    attach_logs(spans)
    said = {span.pk: error_text(content(span, tables=tables_for(trace.project)), span) for span in spans}
    return [(row, said.get(row.span.pk, row.span.status_message)) for row in rows]


def _has_services(waterfall: Waterfall[Any]) -> bool:
    """Whether the spans come from several services, so that each row names its own."""
    return len({row.span.service_name for row in waterfall.rows}) > 1


def _last_row(rows: Sequence[Row[Any]], first: int, span_id: str) -> int:
    """The row to stop before: ROWS_AT_ONCE after the first, or further down where the span is."""
    reach = rows[first : first + ROWS_TO_SPAN]
    found = next((first + n for n, row in enumerate(reach) if row.span.span_id == span_id), first)
    return max(first + ROWS_AT_ONCE, found + 1)


def usage_rows(spans: Sequence[Span]) -> dict[str, Any] | None:
    """How the totals came about: the spans that report usage, each with the reason why it counts or not.

    What counts and costs most comes first.
    """
    usage = count_usage(spans)
    reporting = [span for span in spans if span.span_id in usage.decisions]
    if not reporting:
        return None
    reporting.sort(key=lambda span: (span.span_id in usage.counted, *_weight(span)), reverse=True)
    return {
        "counted": len(usage.counted),
        "priced": usage.priced_spans,
        "rows": [(span, span.span_id in usage.counted, usage.reason(span.span_id)) for span in reporting[:USAGE_ROWS]],
        "dearest": [span for span in reporting[:HOTSPOTS] if span.span_id in usage.counted and span.cost_usd],
        "more": max(0, len(reporting) - USAGE_ROWS),
    }


def _weight(span: Span) -> tuple[Decimal, int]:
    """Cost, then tokens; what is unknown is 0."""
    return span.cost_usd or Decimal(0), (span.input_tokens or 0) + (span.output_tokens or 0)


def usage_reason(trace: Trace, span: Span) -> str:
    """Why the span's usage is in the trace's totals, or why not; "" where it reports none. At most one query."""
    if span.input_tokens is None and span.output_tokens is None and span.cost_usd is None:
        return ""
    if _is_cut(trace):
        return COUNTS[span.counted]
    return count_usage(load_spans(trace, payload=False)).reason(span.span_id)


def warnings(trace: Trace, rows: list[Row[Any]]) -> list[str]:
    """What a reader has to know before trusting the picture."""
    found = []
    if trace.refresh_due:
        found.append("Spans have arrived since the summary above was made; it follows soon.")
    for problem, text in PROBLEMS.items():
        count = sum(row.problem == problem for row in rows)
        if count:
            found.append(f"{count} span{'' if count == 1 else 's'} {text}.")
    if rows and not trace.root_span_id:
        found.append("The root span is missing.")
    if _is_cut(trace):
        spans = reverse("admin:spans_span_changelist", query={"trace": trace.trace_id, "project": trace.project_id})
        found.append(
            format_html(
                'The first {} of {} spans are drawn here. <a href="{}">All are in the list of spans.</a>',
                number(MAX_SPANS),
                number(trace.span_count),
                spans,
            )
        )
    return found


def clock_skew(request: HttpRequest, rows: list[Row[Any]]) -> dict[str, Any] | None:
    """Which services' clocks are wrong and by how much, and how to see the other picture; None where all agree."""
    services = skewed_services(rows)
    if not services:
        return None
    is_corrected = request.GET.get(CLOCK) == CORRECTED
    query = request.GET.copy()
    query.pop(CLOCK, None)
    if not is_corrected:
        query[CLOCK] = CORRECTED
    return {
        "services": [(name, abs(ns), "behind" if ns > 0 else "ahead") for name, ns in services.items()][:SERVICES],
        "is_corrected": is_corrected,
        "other": "?" + query.urlencode(),
        "rows_query": f"?{CLOCK}={CORRECTED}" if is_corrected else "",
    }


def skewed_services(rows: list[Row[Any]]) -> dict[str, int]:
    """The largest shift of each service whose clock is wrong, in nanoseconds, the largest first."""
    largest: dict[str, int] = {}
    for row in rows:
        if row.is_first_of_clock and abs(row.shift_ns) > abs(largest.get(row.span.service_name, 0)):
            largest[row.span.service_name] = row.shift_ns
    return dict(sorted(largest.items(), key=lambda pair: -abs(pair[1])))


def facts(trace: Trace) -> list[tuple[str, Any]]:
    """Label and value, only of what is known."""
    errors = format_html('<span class="errors">{}</span>', number(trace.error_count)) if trace.error_count else ""
    found = [
        ("Started", sent_moment(trace.start_time_unix_nano)),
        ("Duration", duration(trace.duration_ns)),
        ("Spans", number(trace.span_count)),
        ("Errors", errors),
        ("Tokens", tokens(trace)),
        ("Cost", spent(trace)),
        ("Model" if len(trace.model_names) == 1 else "Models", ", ".join(map(str, trace.model_names))),
        ("Service", _filter_link("service", trace.service_name)),
        ("Session", group_link("session", trace.session_id, trace)),
        ("User", group_link("user", trace.user_id, trace)),
        ("Project", trace.project.name),
    ]
    return [(label, value) for label, value in found if value]


def _filter_link(name: str, value: str) -> Any:
    return value and format_html('<a href="../../?{}={}">{}</a>', name, quote(value, safe=""), value)


def rows(request: HttpRequest, trace: Trace) -> HttpResponse:
    """A fragment: rows that match `q`, `type` and `errors`, with their ancestors. One query.

    From row `from` on, and as far down as the span `until`.
    """
    waterfall = _load(request, trace)
    query = request.GET.get("q", "").strip().casefold()
    wanted_type = request.GET.get("type", "")
    only_errors = request.GET.get("errors") == "yes"

    def matches(span: Span) -> bool:
        models = (span.request_model, span.response_model)
        texts = (span.name, span.title, span.span_id, span.tool_name, span.service_name, *models)
        return (
            (not query or any(query in text.casefold() for text in texts))
            and (not wanted_type or span.span_type == wanted_type)
            and (not only_errors or span.is_error)
        )

    found = waterfall.rows
    if query or wanted_type or only_errors:
        found = narrow(found, matches)
    try:
        first = max(0, int(request.GET.get("from", "0")))
    except ValueError:
        first = 0
    last = _last_row(found, first, request.GET.get("until", ""))
    context = {
        "trace": trace,
        "rows": found[first:last],
        "more": max(0, len(found) - last),
        "next_row": last,
        "has_services": _has_services(waterfall),
    }
    return render(request, "admin/traces/trace/rows.html", context)


def _span_or_404(trace: Trace, span_id: str) -> Span:
    span = get_span(trace, span_id)
    if span is None:
        raise Http404("no such span")
    return span


def span_panel(request: HttpRequest, trace: Trace, span_id: str) -> HttpResponse:
    """A fragment: everything about a span.

    Three queries, one more where the span reports usage, three where it has log records. With `whole` "yes", long texts
    are not cut.
    """
    span = _span_or_404(trace, span_id)
    logs, unread_logs, logs_are_cut = kept_logs(span)
    context = {
        "trace": trace,
        "span": span,
        "detail": describe(trace, span, logs, unread_logs),
        "panels": span_panels(request, trace, span),
        "logs_are_cut": logs_are_cut,
        "images": images(span),
        "is_whole": request.GET.get("whole") == "yes",
        "whole_query": "?whole=yes",
        "usage_reason": usage_reason(trace, span),
    }
    return render(request, "admin/traces/trace/span.html", context)


def span_json(request: HttpRequest, trace: Trace, span_id: str) -> HttpResponse:
    """The stored row as JSON text, nothing shortened. Two queries."""
    span = _span_or_404(trace, span_id)
    values = {field.attname: getattr(span, field.attname) for field in Span._meta.concrete_fields}
    text = json.dumps({"trace_id": trace.trace_id, **values}, indent=2, ensure_ascii=False, default=str)
    return HttpResponse(text, content_type="application/json; charset=utf-8")
