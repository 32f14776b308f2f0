"""The ASGI application in front of Django: what a threaded WSGI server can't do without being hurt by slow clients.

An OTLP request first has its key checked, then its body read, both bounded in time and size, and only then takes one of
the export threads. Every other request has its body read here as well, so that no thread ever waits for a client.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

import orjson
from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi import build_environ
from django.conf import settings

from projects.authentication import SCOPE_ENTRY
from projects.models import ApiKey
from projects.usage import meter
from traces.ingest import counters
from traces.ingest.receipts import open_receipt
from traces.models import ExportReceipt
from traces.otlp import codec
from traces.otlp.admission import BODY_SECONDS, ExportThreads, check_scope, run_in_database_thread
from traces.otlp.allotment import Allotment
from traces.otlp.errors import BODY_TOO_SLOW, OtlpError, fault_of_status, otlp_error, too_large
from traces.otlp.http import (
    READ_METHODS,
    Answer,
    Received,
    error_answer,
    export_signal,
    with_receipt,
)
from traces.otlp.signals import LOGS, METRICS, TRACES, Signal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SIGNALS = {"/v1/traces": TRACES, "/v1/logs": LOGS, "/v1/metrics": METRICS}
# Source: bee-observe's web framework, https://fastify.dev/docs/latest/Reference/Errors/
SITE_CODES = {413: "FST_ERR_CTP_BODY_TOO_LARGE", 408: "REQUEST_TIMEOUT"}
# All bodies in memory together, in multiples of the largest one allowed: those of exports, and apart from them all
# others, which anybody may send
BODIES_IN_MEMORY = 4
SITE_BODIES_IN_MEMORY = 16


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class Lane(Protocol):
    """A part of the site that has threads of its own."""

    def takes(self, scope: Scope) -> bool: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def shutdown(self) -> None: ...


class Gate:
    """ASGI application over Django's WSGI application; what a lane takes has that one's threads."""

    def __init__(self, django_application: Any, *lanes: Lane) -> None:
        self.lanes = lanes
        self.django = django_application
        self.site = WSGIMiddleware(django_application, workers=settings.WEB_THREADS)
        self.threads = ExportThreads()
        self.bodies = Allotment(BODIES_IN_MEMORY * settings.MAX_BODY_BYTES)
        self.site_bodies = Allotment(SITE_BODIES_IN_MEMORY * settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

    @property
    def body_bytes(self) -> int:
        """All bodies in memory now."""
        return self.bodies.taken + self.site_bodies.taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] != "http":
            await self.site(scope, receive, send)  # type: ignore[arg-type]
        elif is_otlp(scope):
            with counters.HTTP.measure() as exchange:
                answered = await self.answer_otlp(scope, receive)
                if answered is not None:
                    exchange.status = str(answered.status)
                    await send_answer(send, answered)
        else:
            await self.serve_site(scope, receive, send)

    async def lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self.threads.flush)
        self.threads.shutdown()
        self.site.executor.shutdown(wait=False)
        for lane in self.lanes:
            lane.shutdown()
        await send({"type": "lifespan.shutdown.complete"})

    async def answer_otlp(self, scope: Scope, receive: Receive) -> Answer | None:
        """The OTLP answer to a request, None if its client is gone."""
        headers = header_fields(scope)
        content_type = headers.get("content-type", "")
        signal = SIGNALS.get(scope["path"]) if scope["method"] == "POST" else None
        receipt: ExportReceipt | None = None
        try:
            key = await self.threads.authenticate(headers)
            if signal is not None:
                receipt = open_http_receipt(scope, headers, key, signal)
            check_scope(key)
            body = await read_body(headers, receive, settings.MAX_BODY_BYTES, self.bodies, key.project_id)
            counters.HTTP.received_bytes.inc(len(body))
            try:
                received = Received(body, content_type, headers.get("content-encoding", ""))
                if signal is not None and receipt is not None:
                    export = partial(export_signal, received, key, signal, receipt)
                else:
                    export = partial(self.ask_django, scope, received, key)
                made = await self.threads.export(run_in_database_thread, export)
            finally:
                self.bodies.give_back(key.project_id, len(body))
        except ClientGone:
            return None
        except Exception as error:  # noqa: BLE001 - nothing may answer with a page of the server's own
            failure = otlp_error(error)
            if receipt is not None:
                receipt.message = failure.message
            made = error_answer(failure, content_type)
        made = as_otlp(made, content_type)
        if receipt is None:
            return made
        if made.status == HTTPStatus.OK:
            meter.charge(receipt.project_id, receipt.spans_received, receipt.body_bytes)
        elif not fault_of_status(made.status).retryable and self.threads.refusals.note(receipt):
            made = with_receipt(made, receipt)
        return made

    def ask_django(self, scope: Scope, received: Received, key: ApiKey) -> Answer:
        """What is wrong with a request that is no export. Runs in a thread."""
        return call_wsgi(self.django, wsgi_environ({**scope, SCOPE_ENTRY: key}, received.body))

    async def serve_site(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = header_fields(scope)
        address = client_address(scope)
        body = b""
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            try:
                limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
                body = await read_body(headers, receive, limit, self.site_bodies, address)
            except ClientGone:
                return
            except OtlpError as error:
                await send_answer(send, site_error(error))
                return
        lane = next((lane for lane in self.lanes if lane.takes(scope)), self.site)
        try:
            await lane(with_length(scope, len(body)), replay(body), send)  # type: ignore[arg-type]
        finally:
            self.site_bodies.give_back(address, len(body))


async def read_body(
    headers: dict[str, str], receive: Receive, limit_bytes: int, memory: Allotment, holder: Hashable
) -> bytes:
    """The whole body. The caller gives its length back to `memory` afterwards. Raises OtlpError, ClientGone."""
    if int(headers.get("content-length", "0")) > limit_bytes:
        raise too_large(limit_bytes)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part = message.get("body", b"")
                more = message.get("more_body", False)
                if size + len(part) > limit_bytes:
                    raise too_large(limit_bytes)
                memory.take(holder, len(part))
                size += len(part)
                parts.append(part)
    except BaseException as error:
        memory.give_back(holder, size)
        if isinstance(error, TimeoutError):
            raise OtlpError(BODY_TOO_SLOW, f"the body did not arrive within {BODY_SECONDS} seconds") from None
        raise
    return b"".join(parts)


def site_error(error: OtlpError) -> Answer:
    """A body that was not taken, as the read API says it."""
    status = error.fault.http_status
    body = orjson.dumps({"code": SITE_CODES.get(status, "SERVICE_UNAVAILABLE"), "message": error.message})
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body))}
    return Answer(
        status, headers | ({"Retry-After": str(error.retry_after_seconds)} if error.fault.retryable else {}), body
    )


def open_http_receipt(scope: Scope, headers: dict[str, str], key: ApiKey, signal: Signal) -> ExportReceipt:
    address = client_address(scope)
    user_agent = headers.get("user-agent", "")
    return open_receipt(key.project_id, ExportReceipt.Transport.HTTP, key.pk, address, user_agent, signal.name)


def client_address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def is_otlp(scope: Scope) -> bool:
    """Whether the request gets an OTLP answer: all but the read API on OTLP's paths, and protobuf on any path."""
    if scope["path"].rstrip("/") in SIGNALS:
        return scope["method"] not in READ_METHODS
    if scope["method"] in {*READ_METHODS, "OPTIONS", "DELETE"}:
        return False
    content_type = header_fields(scope).get("content-type", "")
    return codec.media_type(content_type) == codec.Encoding.PROTOBUF.value


def header_fields(scope: Scope) -> dict[str, str]:
    """Header fields by lower-case name; of equal names the last one."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def with_length(scope: Scope, length: int) -> Scope:
    """The request as if its body had not been chunked, and with an ASCII query, as WSGI needs them."""
    headers = [field for field in scope["headers"] if field[0] not in (b"content-length", b"transfer-encoding")]
    headers.append((b"content-length", str(length).encode()))
    query = scope["query_string"]
    return {
        **scope,
        "headers": headers,
        "query_string": query if query.isascii() else quote(query, safe="=&%+").encode(),
    }


def wsgi_environ(scope: Scope, body: bytes) -> dict[str, Any]:
    environ: dict[str, Any] = build_environ(with_length(scope, len(body)), None)  # type: ignore[arg-type, assignment]
    environ["wsgi.input"] = io.BytesIO(body)
    return environ


def call_wsgi(application: Any, environ: dict[str, Any]) -> Answer:
    """The whole answer of a WSGI application. Runs in a thread."""
    started: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        started["status"] = int(status.split(" ", 1)[0])
        started["headers"] = dict(headers)

    parts = application(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        parts.close()
    return Answer(started["status"], started["headers"], body)


def as_otlp(made: Answer, content_type: str) -> Answer:
    """The answer itself if it is an OTLP one, else the google.rpc.Status that says the same: for Django's own pages."""
    expected = codec.answer_encoding(content_type).value
    if made.headers.get("Content-Type") == expected and made.status != 500:
        return made
    fault = fault_of_status(made.status)
    message = f"{made.status} {HTTPStatus(made.status).phrase}; OTLP traces go to POST /v1/traces"
    return error_answer(OtlpError(fault, message), content_type)


def replay(body: bytes) -> Receive:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def send_answer(send: Send, made: Answer) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in made.headers.items()]
    await send({"type": "http.response.start", "status": made.status, "headers": headers})
    await send({"type": "http.response.body", "body": made.body})
