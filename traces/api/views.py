"""The read API: traces, their spans, and deleting them. Receiving them is in `export_views`."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.module_loading import import_string
from rest_framework.request import Request
from rest_framework.response import Response

from projects.authentication import (
    CanRead,
    CanWrite,
    editable_projects,
    visible_projects,
)
from spans.logs import attach_logs
from spans.models import Span
from spans.project_tables import tables_for
from spans.semconv import content
from traces.api import bee, cursors, openapi, trees
from traces.api import parameters as p
from traces.api.api_view import ApiView, check_bytes, check_size, find_trace, ordering_of, otlp_answer
from traces.api.errors import ApiError, invalid_argument, no_such_trace
from traces.api.export_views import ExportTracesMixin
from traces.api.serializers import TraceSerializer, TraceView
from traces.api.span_serializers import (
    SpanContentView,
    SpanDetailSerializer,
    SpanSerializer,
    SpanSummarySerializer,
    SpanView,
)
from traces.models import Trace
from traces.otlp.encode import traces_data
from traces.reading import queries
from traces.reading.lists import (
    COUNT_LIMIT,
    SPAN_ORDERINGS,
    TRACE_ORDERINGS,
    Page,
    Position,
    SpanFilters,
    TraceFilters,
    bounded_page,
    count_up_to_limit,
    in_projects,
    page,
)
from traces.upkeep import deletion

MAX_IDS = 1_000


def mirror_states(traces: Sequence[Trace], include_tree: bool) -> Any:
    """The mirror's states by trace key, from the layer above, which the settings name."""
    return import_string(settings.TRACE_MIRROR)(traces, include_tree)


def tree_of(view: TraceView, spans: Sequence[Span]) -> list[dict[str, Any]]:
    """The tree of the run if the trace is seen as one, else of all spans."""
    run = bee.find_run(spans, view.main.framework_trace_id) if view.main else None
    return trees.tree_of_run(run, spans) if run else trees.tree_of_all(spans)


class TracesView(ExportTracesMixin, ApiView):
    @openapi.list_traces
    def get(self, request: Request) -> Response:
        values = p.read(request.query_params, openapi.TRACE_LIST)
        ordering = ordering_of(values["ordering"], TRACE_ORDERINGS)
        after = cursors.decode(ordering, values["cursor"]) if values["cursor"] else None
        filters = TraceFilters(**openapi.filter_values(values, openapi.TRACE_FILTERS))
        traces = filters.apply(in_projects(Trace.objects.all(), visible_projects(request)))
        total = count_up_to_limit(traces)
        offset = 0 if after else values["offset"]
        found: Page[Trace] = Page([], None)
        if offset < total or total > COUNT_LIMIT:
            found = page(traces.select_related("project"), ordering, values["limit"], after, offset)
        return Response(
            {
                "results": TraceSerializer(self.views(found.rows, values), many=True).data,
                "total_count": min(total, COUNT_LIMIT),
                "next": found.end and cursors.encode(ordering, found.end),
            }
        )

    def views(self, traces: list[Trace], values: dict[str, Any]) -> list[TraceView]:
        mains = queries.main_spans(traces)
        states = mirror_states(traces, include_tree=False) if values["include_mlflow"] else {}
        views = [
            TraceView(
                trace, mains.get(trace.pk), trace.input_preview, trace.output_preview, mlflow=states.get(trace.pk)
            )
            for trace in traces
        ]
        if values["include_tree"]:
            check_size(traces, "querystring/include_tree")
            runs = [trace for trace in traces if trace.framework_trace_id]
            check_bytes(runs, queries.TREE_BYTES, "querystring/include_tree")
            spans = queries.load_trees(traces, {trace.pk for trace in runs})
            for view in views:
                view.tree = tree_of(view, spans[view.trace.pk])
        return views


class EmptyIdView(ApiView):
    """GET /v1/traces/, to bee-observe the trace whose id is empty."""

    schema = None

    def get(self, request: Request) -> Response:
        raise no_such_trace("")


class TraceDetailView(ApiView):
    def get_permissions(self) -> list[Any]:
        return [CanWrite()] if self.request and self.request.method == "DELETE" else [CanRead()]

    @openapi.get_trace
    def get(self, request: Request, id: str) -> Response:
        values = p.read(request.query_params, openapi.TRACE_INCLUDES)
        trace = find_trace(request, id)
        main = queries.main_span(trace, id)
        view = TraceView(trace, main, self.whole(trace, "input"), self.whole(trace, "output"))
        if values["include_mlflow"]:
            if values["include_mlflow_tree"]:
                check_size([trace], "querystring/include_mlflow_tree")
            view.mlflow = mirror_states([trace], values["include_mlflow_tree"]).get(trace.pk)
        if values["include_tree"]:
            check_size([trace], "querystring/include_tree")
            check_bytes([trace] if main else [], queries.TREE_BYTES, "querystring/include_tree")
            view.tree = self.tree(view, id)
        return Response({"result": TraceSerializer(view).data})

    def whole(self, trace: Trace, field: str) -> str:
        """The input or output in full; the preview where no span has more."""
        span = queries.io_span(trace, field)
        preview = getattr(trace, f"{field}_preview")
        if span is None:
            return str(preview)
        found = content(span, tables=tables_for(trace.project))
        is_told = (span.labels or {}).get(f"trace_{field}") == preview
        return str(getattr(found, f"trace_{field}" if is_told else f"{field}_text") or preview)

    def tree(self, view: TraceView, identifier: str) -> list[dict[str, Any]]:
        spans = queries.load_trees([view.trace], [view.trace.pk] if view.main else [])[view.trace.pk]
        return trees.tree_of_all(spans) if view.trace.trace_id == identifier.lower() else tree_of(view, spans)

    @openapi.delete_trace
    def delete(self, request: Request, id: str) -> HttpResponse:
        trace = queries.get_trace(editable_projects(request), id)
        if trace is None:
            trace = find_trace(request, id)
            raise ApiError(403, "PERMISSION_DENIED", f"You may not delete traces of the project {trace.project.slug}")
        deletion.delete_traces([trace.pk])
        return HttpResponse(status=204)


class TraceSpansView(ApiView):
    @openapi.list_trace_spans
    def get(self, request: Request, trace_id: str) -> Response:
        values = p.read(request.query_params, openapi.TRACE_SPANS)
        ordering = SPAN_ORDERINGS["start_time"].reversed()
        after = cursors.decode(ordering, values["cursor"]) if values["cursor"] else None
        trace = queries.get_trace(visible_projects(request), trace_id)
        if trace is None:  # bee-observe's answer to an id that nothing has
            return Response({"results": [], "total_count": 0, "next": None})
        if trace.trace_id == trace_id.lower():
            total = trace.span_count
            found = bounded_page(queries.spans_of(trace), ordering, values["limit"], queries.CONTENT_BYTES, after)
        else:
            members = self.members(trace, trace_id)
            total = len(members)
            found = self.page_of(members, values["limit"], after)
        tables = tables_for(trace.project)
        attach_logs(found.rows)
        views = [
            SpanContentView(span, trace, content(span, tables=tables), values["include_attributes_ctx"])
            for span in found.rows
        ]
        return Response(
            {
                "results": SpanSerializer(views, many=True).data,
                "total_count": total,
                "next": found.end and cursors.encode(ordering, found.end),
            }
        )

    def members(self, trace: Trace, framework_trace_id: str) -> list[Span]:
        """The spans of the framework's run; all, where the trace holds no such run."""
        check_size([trace], "a framework's trace id")
        check_bytes([trace], queries.CONTENT_BYTES, "a framework's trace id")
        spans = queries.load_spans(trace, payload=True)
        run = bee.find_run(spans, framework_trace_id)
        return run.members if run else spans

    def page_of(self, spans: list[Span], limit: int, after: Position | None) -> Page[Span]:
        if after:
            spans = [span for span in spans if (span.start_time_unix_nano, span.pk) > (after.value, after.key)]
        if len(spans) <= limit:
            return Page(spans, None)
        last = spans[limit - 1]
        return Page(spans[:limit], Position(last.start_time_unix_nano, last.pk))


class SpanDetailView(ApiView):
    @openapi.get_span
    def get(self, request: Request, trace_id: str, span_id: str) -> Response:
        trace = find_trace(request, trace_id)
        span = queries.get_span(trace, span_id)
        if span is None:
            raise ApiError(
                404,
                "NOT_FOUND",
                f"The span entity with id {span_id} does not exist",
                "Span ids are 16 hexadecimal digits; GET /v1/traces/{trace_id}/spans lists them.",
            )
        view = SpanContentView(
            span, trace, content(span, span.resource.get("attributes"), tables_for(trace.project)), include_ctx=True
        )
        return Response({"result": SpanDetailSerializer(view).data})


class TraceOtlpView(ApiView):
    @openapi.get_trace_otlp
    def get(self, request: Request, trace_id: str) -> HttpResponse:
        trace = find_trace(request, trace_id)
        check_size([trace], "an export in one piece")
        check_bytes([trace], queries.PAYLOAD_BYTES, "an export in one piece")
        return otlp_answer(request, traces_data(trace.trace_id, queries.load_spans(trace, payload=True)))


class SpansView(ApiView):
    @openapi.list_spans
    def get(self, request: Request) -> Response:
        values = p.read(request.query_params, openapi.SPAN_LIST)
        ordering = ordering_of(values["ordering"], SPAN_ORDERINGS)
        after = cursors.decode(ordering, values["cursor"]) if values["cursor"] else None
        projects = visible_projects(request)
        trace = queries.get_trace(projects, values["trace_id"]) if values["trace_id"] else None
        found: Page[Span] = Page([], None)
        if trace or not values["trace_id"]:
            filters = SpanFilters(trace=trace, **openapi.filter_values(values, openapi.SPAN_FILTERS))
            spans = filters.apply(in_projects(Span.objects.select_related("trace_row"), projects))
            found = page(spans.defer(*queries.PAYLOAD_FIELDS), ordering, values["limit"], after)
        views = [SpanView(span, span.trace_row) for span in found.rows]
        return Response(
            {
                "results": SpanSummarySerializer(views, many=True).data,
                "next": found.end and cursors.encode(ordering, found.end),
            }
        )


class DeleteTracesView(ApiView):
    permission_classes = [CanWrite]

    @openapi.delete_traces
    def post(self, request: Request) -> Response:
        ids = request.data.get("ids") if isinstance(request.data, dict) else None
        if not isinstance(ids, list) or not all(isinstance(identifier, str) for identifier in ids):
            raise invalid_argument("body/ids must be array of strings", 'Send {"ids": ["…", "…"]}.')
        if len(ids) > MAX_IDS:
            raise invalid_argument(f"body/ids must NOT have more than {MAX_IDS} items", "Delete in several requests.")
        found = queries.get_traces(editable_projects(request), ids)
        deleted = deletion.delete_traces({trace.pk for trace in found.values()})
        return Response(
            {"deleted": deleted, "not_found": [identifier for identifier in ids if identifier not in found]}
        )
