"""What the OpenAPI document says of sessions, users and usage."""

from typing import Any

from traces.api import parameters as p
from traces.api.examples import TRACE_IN_LIST, USAGE_PARTS
from traces.api.openapi import CURSOR, answers, ok, operation
from traces.api.session_serializers import (
    SessionListSerializer,
    SessionResultSerializer,
    UsageResultSerializer,
    UserListSerializer,
    UserResultSerializer,
)

_COMMON = (
    p.string("project", "Slug of the project; for users who see several."),
    p.moment("from", "Only traces that started at this time or later: ISO 8601 or Unix nanoseconds."),
    p.moment("to", "Only traces that started before this time: ISO 8601 or Unix nanoseconds."),
)
GROUP_LIST = (
    p.integer("limit", "Entries a page.", minimum=1, maximum=100, default=50),
    CURSOR,
    p.string("id", "Only the one with this id, whole: for ids that a path can't carry.", maximum=p.MAX_ID),
    p.string("trace_id", "Only the one that this trace belongs to: for ids that are too long for a URL."),
    *_COMMON,
)
GROUP_DETAIL = (
    p.integer("limit", "Traces a page.", minimum=1, maximum=100, default=50),
    CURSOR,
    *_COMMON,
)
SESSION_DETAIL = (
    p.boolean("include_conversation", "Also give this page's traces as one chat.", default=False),
    *GROUP_DETAIL,
)

_TOTALS: dict[str, Any] = {
    "project": "default",
    "trace_count": 2,
    "failed_trace_count": 0,
    "span_count": 6,
    "error_count": 0,
    "start_time_unix_nano": "1730000000000000000",
    "end_time_unix_nano": "1730000060151000000",
    "duration_ms": 60151.0,
    "input_tokens": 1624,
    "output_tokens": 192,
    **USAGE_PARTS,
    "cost_usd": 0.00598,
    "priced_trace_count": 2,
    "unpriced_calls": 0,
    "latest_trace_id": "5b8efff798038103d269b633813fc60c",
}
SESSION: dict[str, Any] = {"id": "chat/42"} | _TOTALS | {"user_ids": ["jana@example.com"], "user_count": 1}
USER: dict[str, Any] = {"id": "jana@example.com"} | _TOTALS | {"session_ids": ["chat/42"], "session_count": 1}
_TRACE = TRACE_IN_LIST | {"session_id": "chat/42", "user_id": "jana@example.com"}
_CONVERSATION = {
    "chapters": [
        {
            "trace_id": "5b8efff798038103d269b633813fc60c",
            "status": "OK",
            "start_time_unix_nano": "1730000000000000000",
            "messages": [
                {
                    "role": role,
                    "parts": [{"type": "text", "text": text}],
                    "span_id": "b22c53cbcad1d3ce",
                    "span_name": "chat gpt-4o",
                }
                for role, text in (("user", "hello"), ("assistant", "Hi!"))
            ],
        }
    ],
    "is_cut": False,
}
USAGE: dict[str, Any] = {
    "trace_id": "5b8efff798038103d269b633813fc60c",
    "input_tokens": 812,
    "output_tokens": 96,
    **USAGE_PARTS,
    "cost_usd": 0.00299,
    "counted_spans": 1,
    "priced_spans": 1,
    "priced_share": 1.0,
    "spans": [
        {
            "span_id": "b22c53cbcad1d3ce",
            "name": "chat gpt-4o",
            "span_type": "CHAT_MODEL",
            "model": "gpt-4o-2024-08-06",
            "input_tokens": 812,
            "output_tokens": 96,
            **USAGE_PARTS,
            "cost_usd": 0.00299,
            "unpriced_reason": "",
            "counted": True,
            "reason": "counted: the innermost span of its model call that reports usage",
        }
    ],
}

_BELONGS = (
    "A trace belongs to the {0} of its root span, else to that of its earliest span that names one; spans may name "
    "others, by which GET /v1/spans finds them. "
)
_ORDER = "By the start of their newest trace, latest first; one that becomes active again moves to the front. "
_IN_PATH = "Percent-encode the id. One that a path can't carry (`..`) goes into the `id` parameter of the list. "

list_sessions = operation(
    "list_sessions",
    "session",
    "List sessions",
    _ORDER + _BELONGS.format("session") + "A page may be short and still have a `next`: its search is bounded.",
    answers(ok(SessionListSerializer, "A page.", {"results": [SESSION], "next": None}), 400),
    GROUP_LIST,
)
get_session = operation(
    "get_session",
    "session",
    "Get a session",
    "Its totals, a page of its traces in order, and with include_conversation what was said in them. " + _IN_PATH,
    answers(
        ok(
            SessionResultSerializer,
            "The session.",
            {"result": SESSION | {"traces": [_TRACE], "next": None, "conversation": _CONVERSATION}},
        ),
        400,
        404,
    ),
    SESSION_DETAIL,
)
list_users = operation(
    "list_users",
    "user",
    "List users",
    "The users of the traced programs. " + _ORDER + _BELONGS.format("user"),
    answers(ok(UserListSerializer, "A page.", {"results": [USER], "next": None}), 400),
    GROUP_LIST,
)
get_user = operation(
    "get_user",
    "user",
    "Get a user",
    "The user's totals and a page of the user's traces in order. " + _IN_PATH,
    answers(ok(UserResultSerializer, "The user.", {"result": USER | {"traces": [_TRACE], "next": None}}), 400, 404),
    GROUP_DETAIL,
)
get_trace_usage = operation(
    "get_trace_usage",
    "trace",
    "Explain a trace's totals",
    "Which spans' tokens and cost are in the totals, which are not, and why; and how many of the counted calls have a "
    "known cost.",
    answers(ok(UsageResultSerializer, "The usage.", {"result": USAGE}), 400, 404),
)
