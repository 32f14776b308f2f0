"""The admin's pages of sessions and end users: thin views over `traces.reading`.

What lies outside the user's projects is not found (404).
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from projects.models import Project
from projects.roles import project_ids
from spans.project_tables import tables_for
from spans.semconv import content
from traces.admin.filters import MAX_TEXT, ProjectFilter, TimeRangeFilter
from traces.admin.texts import Message, shown_messages
from traces.models import Trace
from traces.reading import conversation
from traces.reading.lists import TRACE_ORDERINGS, Page, Position, page
from traces.reading.queries import is_storable
from traces.reading.sessions import SESSIONS, Grouping, TimeRange, TraceGroup, get_group, groups_page, traces_of
from traces.templatetags.tracing import duration, number, sent_moment, spent, tokens

GROUPS_A_PAGE = 50
TRACES_A_PAGE = 30
# Longer ids travel as the key of one of their traces: proxies and browsers bound the length of addresses.
MAX_ID_IN_URL = 1_500
ADMIN_NAMES = {"session": "traces_session", "user": "traces_enduser"}
OPENED = {"user", "assistant", "error"}
BY_START = TRACE_ORDERINGS["start_time"]


def group_url(name: str, identifier: str, project_id: int, trace_row_id: Any) -> str:
    """The page of the session or user that a trace belongs to, whatever characters the id has."""
    quoted = quote(identifier, safe="")
    is_short = len(quoted) <= MAX_ID_IN_URL
    query = f"id={quoted}&project={project_id}" if is_short else f"trace={trace_row_id}"
    return f"{reverse(f'admin:{ADMIN_NAMES[name]}_page')}?{query}"


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def group_link(name: str, identifier: str, trace: Trace) -> Any:
    """A link for a line of facts; "" without an id."""
    if not identifier:
        return ""
    return format_html(
        '<a href="{}">{}</a>', group_url(name, identifier, trace.project_id, trace.pk), shortened(identifier, 200)
    )


def _position(text: str) -> Position | None:
    value, _, key = text.partition("-")
    try:
        return Position(int(value), UUID(key)) if text and abs(int(value)) < 2**63 else None
    except ValueError:
        raise Http404("no such page") from None


def _text(position: Position) -> str:
    return f"{position.value}-{position.key.hex}"


def list_page(request: HttpRequest, model_admin: Any, grouping: Grouping) -> dict[str, Any]:
    """The list's context. Two queries a project and two."""
    parameters: dict[str, Any] = {name: request.GET.getlist(name) for name in request.GET}
    time_range = TimeRangeFilter(request, parameters, Trace, model_admin)
    project = ProjectFilter(request, parameters, Trace, model_admin)
    unbounded: tuple[int | None, int | None] = (None, None)
    start, end = time_range.attempt(time_range.bounds, unbounded)
    project.attempt(project.check, None)
    within = TimeRange(start, None if end is None else end + 1)
    projects = [int(project.chosen)] if project.is_applied else project_ids(request.user)
    wanted = request.GET.get("q", "").strip()
    found: Page[Any] = Page([], None)
    if not is_storable(wanted):
        wanted = ""
    if wanted:
        group = get_group(grouping, projects, wanted, within)
        found = Page([group] if group else [], None)
    else:
        found = groups_page(grouping, projects, GROUPS_A_PAGE, _position(request.GET.get("before", "")), within)
    names = dict(Project.objects.filter(pk__in={group.project_id for group in found.rows}).values_list("pk", "name"))
    older = request.GET.copy()
    if found.end:
        older["before"] = _text(found.end)
    return {
        "grouping": grouping,
        "rows": [(group, _url(grouping, group), names.get(group.project_id, "")) for group in found.rows],
        "specs": [spec for spec in (time_range, project) if spec.has_output()],
        "problems": [spec.problem for spec in (time_range, project) if spec.problem],
        "query": wanted[:MAX_TEXT],
        "is_plain": not (wanted or time_range.used_parameters or project.used_parameters),
        "is_first": "before" not in request.GET,
        "older_url": f"?{older.urlencode()}" if found.end else "",
        "show_project": len(project_ids(request.user)) > 1,
    }


def _url(grouping: Grouping, group: TraceGroup) -> str:
    return group_url(grouping.name, group.id, group.project_id, group.latest.pk)


def _find(request: HttpRequest, grouping: Grouping) -> TraceGroup:
    """The group that the address names. Two or three queries."""
    projects = project_ids(request.user)
    identifier, project = request.GET.get("id", ""), request.GET.get("project", "")
    if project:
        projects = [key for key in projects if str(key) == project]
    if key := request.GET.get("trace"):
        try:
            trace = Trace.objects.filter(pk=UUID(key), project__in=projects).first()
        except ValueError:
            trace = None
        identifier = getattr(trace, grouping.field) if trace else ""
        projects = [trace.project_id] if trace else []
    group = get_group(grouping, projects, identifier) if identifier and is_storable(identifier) else None
    if group is None:
        raise Http404(f"no such {grouping.name}")
    return group


def _page_of(request: HttpRequest, grouping: Grouping, group: TraceGroup) -> tuple[list[Trace], Trace | None, bool]:
    """A page of the group's traces in order, the trace before it, and whether more follow. Two queries."""
    members = traces_of(grouping, group.project_id, group.id).select_related("project")
    before = _position(request.GET.get("before", ""))
    if before is not None or "latest" in request.GET:
        found = page(members, BY_START, TRACES_A_PAGE, before)
        traces = found.rows[::-1]
        return traces, conversation.trace_before(members, traces), before is not None
    found = page(members, BY_START.reversed(), TRACES_A_PAGE, _position(request.GET.get("after", "")))
    return found.rows, conversation.trace_before(members, found.rows), found.end is not None


def _link(request: HttpRequest, **position: str) -> str:
    """To another page of the group."""
    kept = {name: request.GET[name] for name in ("id", "project", "trace") if name in request.GET}
    return f"?{urlencode(kept | position)}"


def _position_of(trace: Trace) -> str:
    return _text(Position(trace.start_time_unix_nano, trace.pk))


def _pages(request: HttpRequest, traces: list[Trace], before: Trace | None, more: bool) -> dict[str, str]:
    return {
        "earlier_url": _link(request, before=_position_of(traces[0])) if before else "",
        "later_url": _link(request, after=_position_of(traces[-1])) if more else "",
        "latest_url": _link(request, latest="yes") if more else "",
    }


@dataclass(slots=True)
class ShownTurn:
    """A message as the page shows it. `is_open`: its text stands there; tools and instructions are folded."""

    span_id: str
    span_name: str
    message: Message
    is_open: bool


@dataclass(slots=True)
class ShownChapter:
    trace: Trace
    turns: list[ShownTurn]


def session_page(request: HttpRequest) -> dict[str, Any]:
    """A session's traces with what was said in them. Ten queries at most."""
    group = _find(request, SESSIONS)
    traces, before, more = _page_of(request, SESSIONS, group)
    chapters, is_cut = conversation.load(
        before, traces, lambda trace, span: content(span, tables=tables_for(trace.project))
    )
    return {
        "group": group,
        "facts": _facts(group, "user", "User", "Users"),
        "chapters": [_shown(chapter) for chapter in chapters],
        "is_cut": is_cut,
        "max_calls": conversation.MAX_CALLS,
        "max_bytes": settings.MAX_ANSWER_BYTES,
        **_pages(request, traces, before, more),
    }


def user_page(request: HttpRequest, grouping: Grouping) -> dict[str, Any]:
    """A user's traces, newest first. Four queries at most."""
    group = _find(request, grouping)
    members = traces_of(grouping, group.project_id, group.id)
    after = _position(request.GET.get("after", ""))
    if after is None:
        before = _position(request.GET.get("before", ""))
        found = page(members, BY_START, TRACES_A_PAGE, before)
        traces, has_newer, has_older = found.rows, before is not None, found.end is not None
    else:
        found = page(members, BY_START.reversed(), TRACES_A_PAGE, after)
        traces, has_newer, has_older = found.rows[::-1], found.end is not None, True
    return {
        "group": group,
        "facts": _facts(group, "session", "Session", "Sessions"),
        "traces": traces,
        "newest_url": _link(request) if has_newer else "",
        "newer_url": _link(request, after=_position_of(traces[0])) if has_newer and traces else "",
        "older_url": _link(request, before=_position_of(traces[-1])) if has_older and traces else "",
    }


def _shown(chapter: conversation.Chapter) -> ShownChapter:
    turns = []
    for turn in chapter.turns:
        (message,) = shown_messages([turn.message])
        is_open = message.role in OPENED
        turns.append(ShownTurn(turn.span_id, turn.span_name, message, is_open))
    return ShownChapter(chapter.trace, turns)


def _facts(group: TraceGroup, related: str, singular: str, plural: str) -> list[tuple[str, Any]]:
    errors = format_html('<span class="errors">{}</span>', number(group.error_count)) if group.error_count else ""
    count = f"{number(group.trace_count)}{'+' if group.has_more_traces else ''}"
    price = spent(group)
    if group.cost_usd is not None and group.priced_trace_count < group.trace_count:
        price = format_html("{} of {} traces", price, number(group.priced_trace_count))
    links = ""
    for identifier in group.related:
        url = group_url(related, identifier, group.project_id, group.latest.pk)
        links = format_html('{}{}<a href="{}">{}</a>', links, ", " if links else "", url, shortened(identifier, 80))
    if group.related_count > len(group.related):
        links = format_html("{} and {} more", links, number(group.related_count - len(group.related)))
    found = [
        ("Traces", count),
        ("First", sent_moment(group.start_time_unix_nano)),
        ("Last", sent_moment(group.end_time_unix_nano)),
        ("From first to last", duration(group.end_time_unix_nano - group.start_time_unix_nano)),
        ("Errors", errors),
        ("Tokens", tokens(group)),
        ("Cost", price),
        (singular if group.related_count == 1 else plural, links),
    ]
    return [(label, value) for label, value in found if value]
