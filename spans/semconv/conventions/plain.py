import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, EventAttribute, WhereUnset

NO_ERROR = frozenset(("", "none"))


def is_true(value: Any) -> bool | None:
    """True for a flag that is set, also as text; nothing for one that is not."""
    return True if value is True or (isinstance(value, str) and value.lower() == "true") else None


def is_false(value: Any) -> bool | None:
    """True for a flag of success that is not set."""
    return True if value is False or (isinstance(value, str) and value.lower() == "false") else None


def _names_error(value: Any) -> bool | None:
    return None if isinstance(value, str) and value.lower() in NO_ERROR else True


def _is_5xx(value: Any) -> bool | None:
    return True if isinstance(value, int) and 500 <= value <= 599 else None


PLAIN = Convention(
    name="otel",
    title="OpenTelemetry: HTTP, database, messaging, RPC, errors, deployment",
    source="https://github.com/open-telemetry/semantic-conventions/blob/v1.38.0/docs/README.md",
    about=(
        "Last: what every span may carry, the old names of the HTTP and database conventions included. The "
        "operation of a plain span is its protocol's verb, which makes a readable title together with the "
        "span's name. A span whose status is unset failed where its attributes say so."
    ),
    fields={
        "operation_name": (
            "rpc.method",
            "db.operation.name",
            "db.operation",
            Attribute("db.query.text", pattern=re.compile(r"^\s*(\w+)")),
            Attribute("db.statement", pattern=re.compile(r"^\s*(\w+)")),
            "messaging.operation.name",
            "messaging.operation.type",
            "messaging.operation",
            "http.request.method",
            "http.method",
            "faas.trigger",
        ),
        "input": ("db.query.text", "db.statement"),
        "title": ("logfire.msg",),
        "trace_name": ("trace.name",),
        "session_id": ("session.id",),
        "user_id": ("user.id", "enduser.id"),
        "is_error": (
            WhereUnset(Attribute("error.type", transform=_names_error)),
            WhereUnset(Attribute("error", transform=is_true)),
            WhereUnset(Attribute("success", transform=is_false)),
            WhereUnset(Attribute("otel.status_code", values={"error": True})),
            WhereUnset(Attribute("http.response.status_code", transform=_is_5xx)),
            WhereUnset(Attribute("http.status_code", transform=_is_5xx)),
            WhereUnset(EventAttribute("exception", Attribute("exception.escaped", transform=is_true))),
            Attribute("lk.function_tool.is_error", transform=is_true),
            Attribute("gen_ai.tool.status", values={"error": True}),
            Attribute("tool.status", values={"error": True}),
        ),
        "error_type": (
            EventAttribute("exception", Attribute("exception.type")),
            EventAttribute("*.exception", Attribute("exception.type")),
            "error.type",
            "exception.type",
        ),
        "error_message": (
            EventAttribute("exception", Attribute("exception.message")),
            EventAttribute("*.exception", Attribute("exception.message")),
            "error.message",
            "exception.message",
            "otel.status_description",
        ),
    },
)
