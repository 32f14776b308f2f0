"""uvicorn's HTTP with bounds on what a client may cost before, between and after its requests.

A connection is given HEAD_SECONDS for the head of a request: a new one from its beginning, a kept one from the head's
first byte. While it waits for its next request uvicorn ends it after `timeout_keep_alive`. It ends, too, where its
client does not read an answer, or does not end a body that nobody waits for.
"""

from asyncio import TimerHandle
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from traces.otlp.admission import BODY_SECONDS
from tracing_site.serving.connections import counted_address, refused

if TYPE_CHECKING:
    from tracing_site.serving.http_server import WebConfig

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 128
MAX_PIPELINED = 32
HEAD_SECONDS = 15
# For a client that takes nothing of an answer
UNREAD_SECONDS = 30
# How long a refused client may go on sending: closed before, its connection would be reset and the answer lost.
LINGER_SECONDS = 2

MALFORMED = (400, "malformed request", "Invalid HTTP request received.")
SLOW_HEAD = (408, "head too slow", f"The request's head did not arrive within {HEAD_SECONDS} seconds.")
LARGE_HEAD = (431, "head too large", f"The request's head is larger than {MAX_HEAD_BYTES} bytes.")
MANY_HEADERS = (431, "too many headers", f"The request has more than {MAX_HEADERS} headers.")
PIPELINED = (400, "too many pipelined", f"More than {MAX_PIPELINED} requests wait for their answers.")
Refusal = tuple[int, str, str]


class Refused(Exception):
    """Ends the parser; what is wrong stands in the protocol's `refusal`."""


class WebProtocol(HttpToolsProtocol):
    """One connection."""

    config: "WebConfig"
    address = ""
    is_counted = False
    refusal: Refusal | None = None
    # Of the head that is awaited or arrives; None from its end to the end of its body
    head_bytes: int | None = 0
    has_begun = False
    has_head = False
    answering: RequestResponseCycle | None = None
    deadline: TimerHandle | None = None
    unread: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.note_connections()
        self.address = counted_address(self.client[0]) if self.client else ""
        reason = self.config.connections.admit(self)
        self.is_counted = not reason
        if reason:
            self.refuse((503, reason, "Too many connections at the same time; connect again."))
            transport.close()
        else:
            self.give_head_time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.write_no_more()
        super().connection_lost(exc)
        self.stop_deadline()
        self.resume_writing()
        self.note_connections()
        self.count_out()

    def note_connections(self) -> None:
        if self.config.shares is not None:
            self.config.shares.note(len(self.connections))

    def count_out(self) -> None:
        if self.is_counted:
            self.is_counted = False
            self.config.connections.leave(self)

    # What arrives

    def data_received(self, data: bytes) -> None:
        """Parse it in pieces, so that no head is parsed beyond its limit."""
        if self.refusal is not None:
            return
        whole = memoryview(data)
        start = 0
        while start < len(data) and not self.transport.is_closing() and self.refusal is None:
            before = self.head_bytes
            piece = whole[start : start + MAX_HEAD_BYTES + 1 - (before or 0)]
            start += len(piece)
            self.has_head = False
            super().data_received(piece)  # type: ignore[arg-type]  # the parser takes any buffer
            if before is not None and not self.has_head:
                self.head_bytes = before + len(piece)
                if self.head_bytes > MAX_HEAD_BYTES and self.refusal is None:
                    self.refuse(LARGE_HEAD)
        is_head = self.head_bytes is not None and (self.has_begun or self.head_bytes > 0)
        if is_head and self.deadline is None and not self.transport.is_closing():
            self.give_head_time()

    def on_message_begin(self) -> None:
        self.has_begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head_bytes, self.has_begun, self.has_head = None, False, True
        self.stop_deadline()
        headers = self.headers
        if len(headers) > MAX_HEADERS:
            self.fail(MANY_HEADERS)
        if len(self.pipeline) >= MAX_PIPELINED:
            self.fail(PIPELINED)
        # WSGI names headers with underscores: x_forwarded_proto would pass for the proxy's x-forwarded-proto.
        if b"_" in b"".join([name for name, _ in headers]):
            headers[:] = [header for header in headers if b"_" not in header[0]]
        if self.is_counted:
            self.config.connections.work(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Once the body is whole, since closing before would reset the connection under the client's hands."""
        self.head_bytes = 0
        shares, cycle = self.config.shares, self.cycle
        if cycle is not None and cycle.response_complete:  # a body that nobody waited for
            self.stop_deadline()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if shares is not None and cycle is not None and not cycle.response_started and shares.let_go():
            cycle.keep_alive = False  # the answer says so
        super().on_message_complete()

    # What is answered

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self.end_by(UNREAD_SECONDS, "answer not read")
        elif self.cycle.response_complete:
            if self.is_counted:
                self.config.connections.wait(self)
            if self.head_bytes is None:
                self.end_by(BODY_SECONDS, "body after its answer")

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.unread is None:
            self.unread = self.loop.call_later(UNREAD_SECONDS, self.end, "answer not read")

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.unread is not None:
            self.unread.cancel()
            self.unread = None

    def timeout_keep_alive_handler(self) -> None:
        """Also if the last answer has not been read, for which closing would wait."""
        if self.transport.get_write_buffer_size():
            self.end("answer not read")
        else:
            self.transport.close()

    # How it ends

    def give_head_time(self) -> None:
        self.deadline = self.loop.call_later(HEAD_SECONDS, self.head_is_late)

    def end_by(self, seconds: float, reason: str) -> None:
        self.stop_deadline()
        self.deadline = self.loop.call_later(seconds, self.end, reason)

    def stop_deadline(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def head_is_late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.give_head_time()  # an answer is under way, and pipelined requests are not read meanwhile
        elif self.head_bytes or self.has_begun:
            self.refuse(SLOW_HEAD)
        else:
            self.end("nothing sent")

    def give_way(self) -> None:
        """For another connection, while this one has no request under way."""
        self.count_out()
        self.end("gave way")

    def end(self, reason: str) -> None:
        refused(reason, self.address)
        self.drop()

    def drop(self) -> None:
        """Close at once, whatever is under way."""
        self.write_no_more()
        self.transport.abort()

    def write_no_more(self) -> None:
        """uvicorn tells only the last of pipelined requests that its client is gone."""
        if self.answering is not None:
            self.answering.disconnected = True

    def fail(self, refusal: Refusal) -> None:
        self.refusal = refusal
        raise Refused

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser has failed."""
        self.refuse(self.refusal or MALFORMED)

    def refuse(self, refusal: Refusal) -> None:
        """Answer, unless an answer is under way, and close once the client has had time to read."""
        self.refusal = refusal
        status, reason, message = refusal
        refused(reason, self.address)
        self.stop_deadline()
        if self.cycle is not None and not self.cycle.response_complete:
            self.drop()
            return
        retry = b"retry-after: 2\r\n" if status == 503 else b""
        head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n" % len(message)
        self.transport.write(STATUS_LINE[status] + retry + head + b"\r\n" + message.encode())
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.deadline = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
