"""Two threads for requests without a key or a session that was let in lately: what anybody may ask for, and whatever
keys and sessions they invent, must not hold up whoever is known.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.http.cookie import parse_cookie

from projects.acquaintances import acquaintances
from projects.models import hash_key
from projects.sent_keys import readings
from tracing_site.page_headers import ALL_HEADERS

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

STRANGER_THREADS = 2
# Under way and waiting, from one address: a browser without a session asks for six files at a time.
MAX_REQUESTS_OF_ADDRESS = 32
BUSY = b"Too many requests at the same time; send again.\n"
PAGE_HEADERS = [(name.lower().encode(), value.encode()) for name, value in ALL_HEADERS.items()]


class StrangersLane:
    """A part of the site with threads of its own; more requests of one address than may wait for them get 503."""

    def __init__(self, django_application: Any) -> None:
        self.site = WSGIMiddleware(django_application, workers=STRANGER_THREADS)
        self.taken: Counter[str] = Counter()

    def takes(self, scope: Scope) -> bool:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        texts = [hash_key(text) for text in readings(headers)]
        if cookie := headers.get("cookie"):
            texts.append(parse_cookie(cookie).get(settings.SESSION_COOKIE_NAME, ""))
        return not any(acquaintances.knows(text) for text in texts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = str((scope.get("client") or ("",))[0])
        if self.taken[address] >= MAX_REQUESTS_OF_ADDRESS:
            await refuse(send)
            return
        self.taken[address] += 1
        try:
            await self.site(scope, receive, send)  # type: ignore[arg-type]
        finally:
            self.taken[address] -= 1
            if not self.taken[address]:
                del self.taken[address]

    def shutdown(self) -> None:
        self.site.executor.shutdown(wait=False)


async def refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(BUSY)).encode()),
        (b"retry-after", b"2"),
        *PAGE_HEADERS,
    ]
    await send({"type": "http.response.start", "status": HTTPStatus.SERVICE_UNAVAILABLE, "headers": headers})
    await send({"type": "http.response.body", "body": BUSY})
