"""Two threads for requests that hash passwords: a hash takes a third of a second, and whoever asks for many of them at
once must not hold the threads of all others.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

from a2wsgi import WSGIMiddleware
from django.template.loader import render_to_string

from tracing_site.page_headers import ALL_HEADERS

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PASSWORD_THREADS = 2
# Under way and waiting: together, and from one address
MAX_REQUESTS = 16
MAX_REQUESTS_OF_ADDRESS = 4
RETRY_AFTER_SECONDS = 5
# The forms that take a password
PATHS = ("/admin/login/", "/admin/password_change/", "/admin/auth/user/")
# As Django's middleware would give them
PAGE_HEADERS = [(name.lower().encode(), value.encode()) for name, value in ALL_HEADERS.items()]


class PasswordLane:
    """A part of the site with threads of its own; more requests than can wait for them get 503."""

    def __init__(self, django_application: Any) -> None:
        self.site = WSGIMiddleware(django_application, workers=PASSWORD_THREADS)
        self.taken: Counter[str] = Counter()

    def takes(self, scope: Scope) -> bool:
        return scope["method"] == "POST" and str(scope["path"]).startswith(PATHS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = str((scope.get("client") or ("",))[0])
        if self.taken.total() >= MAX_REQUESTS or self.taken[address] >= MAX_REQUESTS_OF_ADDRESS:
            await self.refuse(send)
            return
        self.taken[address] += 1
        try:
            await self.site(scope, receive, send)  # type: ignore[arg-type]
        finally:
            self.taken[address] -= 1
            if not self.taken[address]:
                del self.taken[address]

    async def refuse(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(self.page)).encode()),
            (b"retry-after", str(RETRY_AFTER_SECONDS).encode()),
            (b"cache-control", b"no-store"),
            *PAGE_HEADERS,
        ]
        await send({"type": "http.response.start", "status": HTTPStatus.SERVICE_UNAVAILABLE, "headers": headers})
        await send({"type": "http.response.body", "body": self.page})

    @cached_property
    def page(self) -> bytes:
        """Rendered once: the event loop must not be held up by it."""
        return render_to_string("busy.html", {"seconds": RETRY_AFTER_SECONDS}).encode()

    def shutdown(self) -> None:
        self.site.executor.shutdown(wait=False)
