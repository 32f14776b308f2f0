"""The ASGI layers in front of everything else: request ids, the log of requests, and threads kept for the probes."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from a2wsgi import WSGIMiddleware

from projects.request_context import begin_request, request_id
from traces.otlp.self_tracing import MARK, describe, request_span

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBE_PATHS = {"/health", "/readyz"}
PROBE_THREADS = 2
UNTRACED_PATHS = {*PROBE_PATHS, "/metrics"}

logger = logging.getLogger(__name__)


class RequestLog:
    """Gives every request an id, which its answer carries as x-request-id, and logs how it was answered.

    Successes are logged at DEBUG, what the client did wrong at INFO, what we did at WARNING; never the query string.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        sent_id = begin_request(headers).encode()
        started = perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", sent_id)]}
            await send(message)

        if scope["path"] in UNTRACED_PATHS:
            headers = {**headers, MARK: "1"}
        with request_span(f"{scope['method']} {'/'.join(scope['path'].split('/')[:3])}", headers) as span:
            try:
                await self.application(scope, receive, send_with_id)
            finally:
                # Source: OpenTelemetry semantic conventions 1.37, HTTP server spans
                attributes = {
                    "http.request.method": scope["method"],
                    "url.path": scope["path"][:200],
                    "http.response.status_code": status,
                    "request.id": request_id.get(),
                }
                describe(span, attributes, is_failure=status >= 500)
                log_request(scope, status, perf_counter() - started)


def log_request(scope: Scope, status: int, seconds: float) -> None:
    level = logging.WARNING if status >= 500 else logging.INFO if status >= 400 else logging.DEBUG
    if logger.isEnabledFor(level):
        path = scope["raw_path"].decode("latin-1")[:200]  # still quoted, so without line ends
        fields = {"method": scope["method"], "path": path, "status": status, "duration_ms": round(seconds * 1000, 1)}
        logger.log(level, "answered" if status else "the client has gone", extra={"fields": fields})


class Probes:
    """Answers the probes with threads of their own, however busy or stuck those of the application are, and by whatever
    name or address they are asked: orchestrators know none of ALLOWED_HOSTS.
    """

    def __init__(self, django_application: Any, application: Application) -> None:
        self.probes = WSGIMiddleware(django_application, workers=PROBE_THREADS)
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in PROBE_PATHS:
            headers = [(b"host", b"localhost"), *(field for field in scope["headers"] if field[0] != b"host")]
            await self.probes({**scope, "headers": headers}, receive, send)  # type: ignore[arg-type]
        else:
            await self.application(scope, receive, send)


class OnlyPath:
    """One path of Django's application for a process that serves something else; 404 for the rest."""

    def __init__(self, django_application: Any, path: str) -> None:
        self.site = WSGIMiddleware(django_application, workers=PROBE_THREADS)
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self.path:
            await self.site(scope, receive, send)  # type: ignore[arg-type]
            return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
