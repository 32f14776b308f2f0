"""Which request a thread or task works on, for the logs: context variables, which threads need a copy of."""

import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar

# The names that proxies and clients use, in order of preference
REQUEST_ID_HEADERS = ("x-request-id", "x-correlation-id")

request_id: ContextVar[str] = ContextVar("request_id", default="")
project_id: ContextVar[int | None] = ContextVar("project_id", default=None)

# What is longer or has other characters is no id, and may be somebody's attempt at forging log lines.
_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def begin_request(headers: Mapping[str, str]) -> str:
    """Take the request's id from its headers, which are found by lower-case name, or make one. Returns it."""
    sent = next((text for name in REQUEST_ID_HEADERS if (text := headers.get(name))), "")
    chosen = sent if _ID.fullmatch(sent) else secrets.token_hex(8)
    request_id.set(chosen)
    project_id.set(None)
    return chosen
