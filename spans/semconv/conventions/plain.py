import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, EventAttribute

PLAIN = Convention(
    name="otel",
    title="OpenTelemetry: HTTP, database, messaging, RPC, errors, deployment",
    source="https://github.com/open-telemetry/semantic-conventions/blob/v1.38.0/docs/README.md",
    about=(
        "Last: what every span may carry, the old names of the HTTP and database conventions included. The "
        "operation of a plain span is its protocol's verb, which makes a readable title together with the "
        "span's name."
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
        "session_id": ("session.id",),
        "user_id": ("user.id", "enduser.id"),
        "error_type": (
            EventAttribute("exception", Attribute("exception.type")),
            "error.type",
            "exception.type",
        ),
        "error_message": (
            EventAttribute("exception", Attribute("exception.message")),
            "error.message",
            "exception.message",
        ),
    },
)
