"""The list that somebody came from to a trace's page: the page leads back to it, and on within its filters."""

import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from projects.declared_lists import RefusedParameters
from traces.admin.lists import SCAN_ROWS
from traces.models import Trace
from traces.reading.lists import Position, beyond

# The parameter of a trace page that holds its list's query, named as Django's.
LIST_QUERY = "_changelist_filters"
MAX_QUERY = 4_000
COLUMN = "start_time_unix_nano"


def with_list(url: str, query: str) -> str:
    """A trace page's address that also says which list led there."""
    if not query or len(query) > MAX_QUERY:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode({LIST_QUERY: query})}"


@dataclass(frozen=True, slots=True)
class CameFrom:
    """`query` is the list's, "" for the whole list; `rows` are its traces, `is_scan` where no index narrows them."""

    query: str
    rows: QuerySet[Trace]
    is_scan: bool

    def list_url(self, trace: Trace) -> str:
        """The list again, at the trace's row."""
        url = reverse("admin:traces_trace_changelist")
        return f"{url}?{self.query}#{trace.pk}" if self.query else f"{url}#{trace.pk}"

    def neighbour_url(self, trace: Trace, older: bool) -> str:
        """The list's next trace of the same project, "" at its end. One query, one more where it has to look through
        rows: then it looks at SCAN_ROWS."""
        here = beyond(Position(trace.start_time_unix_nano, trace.pk), COLUMN, descending=older)
        order = (f"-{COLUMN}", "-pk") if older else (COLUMN, "pk")
        rows = self.rows.filter(here, project=trace.project_id).order_by(*order)
        if self.is_scan:
            passed = Trace.objects.filter(here, project=trace.project_id).order_by(*order)
            for last in passed.values_list(COLUMN, flat=True)[SCAN_ROWS : SCAN_ROWS + 1]:
                rows = rows.filter(**{f"{COLUMN}__{'gte' if older else 'lte'}": last})
        found = rows.values_list("pk", flat=True).first()
        return "" if found is None else with_list(reverse("admin:traces_trace_change", args=[found]), self.query)


def came_from(request: HttpRequest, model_admin: Any) -> CameFrom:
    """What the address says; a list that there is no such is the whole list. No query."""
    traces: QuerySet[Trace] = model_admin.get_queryset(request)
    query = request.GET.get(LIST_QUERY, "")[:MAX_QUERY]
    asked = copy.copy(request)
    asked.GET = QueryDict(query)
    try:
        model_admin.check_parameters(asked)
        rows, is_scan = _narrowed(asked, model_admin, traces)
    except (RefusedParameters, IncorrectLookupParameters):
        return CameFrom("", traces, False)
    return CameFrom(query, rows, is_scan)


def _narrowed(request: HttpRequest, model_admin: Any, traces: QuerySet[Trace]) -> tuple[QuerySet[Trace], bool]:
    """By the list's filters but the project, which is that of the trace, and its search."""
    parameters: dict[str, Any] = {name: request.GET.getlist(name) for name in request.GET}
    parameters.pop("project", None)
    specs = [kind(request, parameters, Trace, model_admin) for kind in model_admin.get_list_filter(request)]
    for spec in specs:
        traces = spec.queryset(request, traces)
    term = request.GET.get(SEARCH_VAR, "")
    traces, _ = model_admin.get_search_results(request, traces, term)
    return traces, bool(term) or any(spec.is_applied and not spec.indexed for spec in specs)
