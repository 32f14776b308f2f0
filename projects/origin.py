"""Where a change comes from: the request that a thread works on, or a command and who runs it."""

import getpass
import ipaddress
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

from django.http import HttpRequest, HttpResponseBase

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


class NoteOrigin:
    """Middleware, after those that say who is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)


def client_address(request: HttpRequest | None) -> str:
    """The address that the request came from, without port; "" where there is none."""
    return str(request.META.get("REMOTE_ADDR") or "") if request is not None else ""


def network_of(address: str) -> str:
    """What one client has of addresses: an IPv4 address, an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def current_request() -> HttpRequest | None:
    return _request.get()


def current_address() -> str:
    return client_address(_request.get())


def command() -> str:
    """The command that this process runs and its user, such as `root: manage.py changepassword`."""
    program = Path(sys.argv[0]).name
    words = [program, sys.argv[1]] if program == "manage.py" and len(sys.argv) > 1 else [program]
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "?"
    return f"{user}: {' '.join(words)}"[:150]
