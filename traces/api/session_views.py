"""The read API of sessions, users, and how a trace's totals come about."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from projects.authentication import visible_projects
from spans.columns import USAGE_PART_NAMES
from spans.models import Span
from spans.project_tables import tables_for
from spans.semconv import SpanContent, content
from traces.api import cursors, session_openapi
from traces.api import parameters as p
from traces.api.api_view import ApiView, check_size, find_trace
from traces.api.errors import ApiError
from traces.api.serializers import TraceView
from traces.api.session_serializers import (
    GroupView,
    SessionDetailSerializer,
    SessionSerializer,
    UsageSerializer,
    UserDetailSerializer,
    UserSerializer,
)
from traces.models import Trace
from traces.reading import conversation, queries
from traces.reading.lists import TRACE_ORDERINGS, Page, page
from traces.reading.sessions import SESSIONS, USERS, Grouping, TimeRange, get_group, groups_page, traces_of
from traces.summaries.usage import count_usage

BY_START = TRACE_ORDERINGS["start_time"]


def project_slugs(request: Request, slug: str) -> dict[int, str]:
    """Slugs by key of the projects that the request may read, or of one of them. One query."""
    projects = visible_projects(request).order_by("slug")
    return dict((projects.filter(slug=slug) if slug else projects).values_list("pk", "slug"))


def no_such_group(grouping: Grouping, identifier: str) -> ApiError:
    return ApiError(
        404,
        "NOT_FOUND",
        f"The {grouping.name} entity with id {identifier[:200]} does not exist",
        f"Ids are compared whole; GET /v1/{grouping.name}s lists them.",
    )


class GroupListView(ApiView):
    grouping: Grouping
    serializer: type[Serializer[Any]]

    def answer(self, request: Request) -> Response:
        values = p.read(request.query_params, session_openapi.GROUP_LIST)
        slugs = project_slugs(request, values["project"])
        within = TimeRange(values["from"], values["to"])
        identifier = values["id"]
        if values["trace_id"]:
            trace = queries.get_trace(visible_projects(request), values["trace_id"])
            identifier = getattr(trace, self.grouping.field) if trace else ""
            slugs = {key: slug for key, slug in slugs.items() if trace and key == trace.project_id}
        found: Page[Any] = Page([], None)
        if identifier:
            group = get_group(self.grouping, list(slugs), identifier, within)
            found = Page([group] if group else [], None)
        elif not values["trace_id"]:
            after = cursors.decode(BY_START, values["cursor"]) if values["cursor"] else None
            found = groups_page(self.grouping, list(slugs), values["limit"], after, within)
        views = [GroupView(group, slugs[group.project_id]) for group in found.rows]
        return Response(
            {
                "results": self.serializer(views, many=True).data,
                "next": found.end and cursors.encode(BY_START, found.end),
            }
        )


class GroupDetailView(ApiView):
    grouping: Grouping
    serializer: type[Serializer[Any]]
    parameters: tuple[p.Parameter, ...] = session_openapi.GROUP_DETAIL

    def answer(self, request: Request, identifier: str) -> Response:
        values = p.read(request.query_params, self.parameters)
        slugs = project_slugs(request, values["project"])
        within = TimeRange(values["from"], values["to"])
        storable = queries.is_storable(identifier)
        group = get_group(self.grouping, list(slugs), identifier, within) if storable else None
        if group is None:
            raise no_such_group(self.grouping, identifier)
        ordering = BY_START.reversed()
        after = cursors.decode(ordering, values["cursor"]) if values["cursor"] else None
        members = traces_of(self.grouping, group.project_id, group.id).filter(within.condition)
        found = page(members.select_related("project"), ordering, values["limit"], after)
        view = GroupView(
            group, slugs[group.project_id], next=cursors.encode(ordering, found.end) if found.end else None
        )
        view.traces = [TraceView(trace, None, trace.input_preview, trace.output_preview) for trace in found.rows]
        if values.get("include_conversation"):
            before = conversation.trace_before(members, found.rows)
            chapters, is_cut = conversation.load(before, found.rows, self.read)
            view.conversation = {"chapters": chapters, "is_cut": is_cut}
        return Response({"result": self.serializer(view).data})

    def read(self, trace: Trace, span: Span) -> SpanContent:
        return content(span, tables=tables_for(trace.project))


class SessionsView(GroupListView):
    grouping = SESSIONS
    serializer = SessionSerializer

    @session_openapi.list_sessions
    def get(self, request: Request) -> Response:
        return self.answer(request)


class SessionView(GroupDetailView):
    grouping = SESSIONS
    serializer = SessionDetailSerializer
    parameters = session_openapi.SESSION_DETAIL

    @session_openapi.get_session
    def get(self, request: Request, id: str) -> Response:
        return self.answer(request, id)


class UsersView(GroupListView):
    grouping = USERS
    serializer = UserSerializer

    @session_openapi.list_users
    def get(self, request: Request) -> Response:
        return self.answer(request)


class UserView(GroupDetailView):
    grouping = USERS
    serializer = UserDetailSerializer

    @session_openapi.get_user
    def get(self, request: Request, id: str) -> Response:
        return self.answer(request, id)


class TraceUsageView(ApiView):
    @session_openapi.get_trace_usage
    def get(self, request: Request, trace_id: str) -> Response:
        trace = find_trace(request, trace_id)
        check_size([trace], "the explanation of totals")
        spans = queries.load_spans(trace, payload=False)
        usage = count_usage(spans)
        rows = [
            {
                "span": span,
                "model": span.response_model or span.request_model,
                "counted": span.span_id in usage.counted,
                "reason": usage.reason(span.span_id),
            }
            for span in spans
            if span.span_id in usage.decisions
        ]
        counted = len(usage.counted)
        result = {
            "trace_id": trace.trace_id,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            **{name: usage.parts.get(name) for name in USAGE_PART_NAMES},
            "cost_usd": usage.cost_usd,
            "counted_spans": counted,
            "priced_spans": usage.priced_spans,
            "priced_share": usage.priced_spans / counted if counted else None,
            "spans": rows,
        }
        return Response({"result": UsageSerializer(result).data})
