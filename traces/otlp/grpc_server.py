"""OTLP over gRPC: Export of traces, logs and metrics with the rules of the HTTP receiver.

Source: OTLP specification ac2c4b5d, "OTLP/gRPC". The call is served as a stream of one message, which looks the same on
the wire, because only so is the key checked before the message is read.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from urllib.parse import unquote

import grpc
from django.conf import settings
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

from projects.authentication import note_use
from projects.models import ApiKey
from projects.request_context import begin_request, request_id
from projects.usage import meter
from traces.ingest import counters
from traces.ingest.receipts import open_receipt
from traces.models import ExportReceipt
from traces.otlp import codec
from traces.otlp.admission import BODY_SECONDS, ExportThreads, check_scope, run_in_database_thread
from traces.otlp.allotment import Allotment
from traces.otlp.connection_limits import connection_limits
from traces.otlp.errors import BAD_DATA, BODY_TOO_SLOW, OtlpError, otlp_error
from traces.otlp.http import RECEIPT_HEADER
from traces.otlp.self_tracing import describe, request_span
from traces.otlp.signals import LOGS, METRICS, TRACES, Signal

SIGNALS = {signal.grpc_method: signal for signal in (TRACES, LOGS, METRICS)}
# A call that has its message is answered within KEY_SECONDS and EXPORT_SECONDS together; one without is not waited for.
STOP_SECONDS = 10
# Whole messages in memory together, in multiples of the largest one allowed.
MAX_MESSAGES = 4
# What a connection may cost (docs/limits.md)
HANDSHAKE_SECONDS = 15
IDLE_SECONDS = 72
MAX_AGE_SECONDS = 3600
MAX_STREAMS = 100
MAX_METADATA_BYTES = 16 * 1024
PING_SECONDS = 60
MIN_PING_SECONDS = 10
Trailer = tuple[tuple[str, str | bytes], ...]
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class TraceService(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Answers Export; everything else is UNIMPLEMENTED."""

    def __init__(self) -> None:
        self.threads = ExportThreads()
        # By project
        self.reading = Allotment(2 * settings.MAX_CONCURRENT_EXPORTS)
        self.messages = Allotment(MAX_MESSAGES * settings.MAX_BODY_BYTES)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        signal = SIGNALS.get(handler_call_details.method)
        return None if signal is None else grpc.stream_unary_rpc_method_handler(partial(self.export, signal))

    async def export(self, signal: Signal, messages: AsyncIterator[bytes], context: Any) -> bytes:
        headers = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
        begin_request(headers)
        with counters.GRPC.measure() as exchange, request_span(signal.grpc_method[1:], headers) as span:
            answered, trailer = await self.answer(signal, messages, context, headers)
            context.set_trailing_metadata((*trailer, ("x-request-id", request_id.get())))
            if isinstance(answered, bytes):
                exchange.status = grpc.StatusCode.OK.name
                return answered
            code = _CODES[answered.fault.grpc_code]
            exchange.status = code.name
            describe(span, {"rpc.response.status_code": code.name}, is_failure=answered.fault.retryable)
            await context.abort(code, answered.message)
        raise AssertionError("abort raises")

    async def answer(
        self, signal: Signal, messages: AsyncIterator[bytes], context: Any, headers: dict[str, str]
    ) -> tuple[bytes | OtlpError, Trailer]:
        """The answer, or why there is none, and the trailing metadata with it."""
        receipt: ExportReceipt | None = None
        try:
            key = await self.threads.authenticate(headers)
            agent = headers.get("user-agent", "")
            transport = ExportReceipt.Transport.GRPC
            receipt = open_receipt(key.project_id, transport, key.pk, ip_address(context.peer()), agent, signal.name)
            check_scope(key)
            body = await self.read_message(messages, key.project_id)
            counters.GRPC.received_bytes.inc(len(body))
            try:
                export = partial(export_body, body, key, signal, receipt)
                answered = await self.threads.export(run_in_database_thread, export)
            finally:
                self.messages.give_back(key.project_id, len(body))
            meter.charge(key.project_id, receipt.spans_received, receipt.body_bytes)
            return answered, (receipt_entry(receipt),)
        except Exception as error:  # noqa: BLE001 - what is unknown must be UNAVAILABLE, which gRPC would call UNKNOWN
            failure = otlp_error(error)
        if failure.fault.retryable:
            return failure, (("grpc-status-details-bin", retry_status(failure)),)
        if receipt is None:
            return failure, ()
        receipt.message = failure.message
        return failure, (receipt_entry(receipt),) if self.threads.refusals.note(receipt) else ()

    async def read_message(self, messages: AsyncIterator[bytes], project: int) -> bytes:
        """The one message of the call. The caller gives its length back to `messages` afterwards. Raises OtlpError."""
        self.reading.take(project, 1)
        try:
            message = await read_message(messages)
        finally:
            self.reading.give_back(project, 1)
        self.messages.take(project, len(message))
        return message


async def read_message(messages: AsyncIterator[bytes]) -> bytes:
    """The one message of the call. Raises OtlpError."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for message in messages:
                return message
    except TimeoutError:
        raise OtlpError(BODY_TOO_SLOW, f"the message did not arrive within {BODY_SECONDS} seconds") from None
    raise OtlpError(BAD_DATA, "the call has no message")


def ip_address(peer: str) -> str:
    """The address in gRPC's name of a peer: ipv4:127.0.0.1:50123, ipv6:%5B::1%5D:50123. Other names stay."""
    kind, _, address = unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else peer


def receipt_entry(receipt: ExportReceipt) -> tuple[str, str]:
    return RECEIPT_HEADER, str(receipt.pk)


def export_body(body: bytes, key: ApiKey, signal: Signal, receipt: ExportReceipt) -> bytes:
    receipt.wire_bytes = receipt.body_bytes = len(body)  # gRPC has inflated it
    exported = signal.export_body(body, codec.Encoding.PROTOBUF, key.project, receipt)
    note_use(key)
    return exported.SerializeToString()


def retry_status(error: OtlpError) -> bytes:
    """The google.rpc.Status with the RetryInfo that makes the error retryable."""
    status = error.status
    detail = AnyMessage()
    detail.Pack(RetryInfo(retry_delay=Duration(seconds=error.retry_after_seconds)))
    status.details.append(detail)
    return bytes(status.SerializeToString())


class GrpcServer:
    """The server with its event loop in a thread of its own. `address` has the port that it got in place of port 0."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.address = f"{host}:{port}"
        self.service = TraceService()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="grpc", daemon=True)

    def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        self.thread.start()
        self._wait(self._start())

    def stop(self) -> None:
        """Take no new calls, let those under way finish, at most STOP_SECONDS."""
        self._wait(self.server.stop(STOP_SECONDS))
        self.service.threads.flush()
        self.service.threads.shutdown()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def _wait(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def _start(self) -> None:
        self.server = grpc.aio.server(options=server_options())
        self.server.add_generic_rpc_handlers((self.service,))
        try:
            self.address = f"{self.host}:{self.server.add_insecure_port(self.address)}"
        except RuntimeError as error:
            raise OSError(f"{self.address} can't be listened on; is the port taken?") from error
        await self.server.start()


def server_options() -> list[tuple[str, int]]:
    """What gRPC itself bounds. Source: grpc 1.85, include/grpc/impl/channel_arg_names.h."""
    connections, _ = connection_limits()
    return [
        # Without it a second server would share the port and nobody would notice.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.MAX_BODY_BYTES),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
        ("grpc.max_connection_idle_ms", IDLE_SECONDS * 1000),
        ("grpc.max_connection_age_ms", MAX_AGE_SECONDS * 1000),
        ("grpc.max_connection_age_grace_ms", 2 * BODY_SECONDS * 1000),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        # Between the two it would be refused at random.
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
        # A peer that has vanished without a word is missed by its answers to pings.
        ("grpc.keepalive_time_ms", PING_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", PING_SECONDS * 1000),
        # One that pings more often than this, twice in a row, is sent away.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", MIN_PING_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", 2),
    ]


def start_server(host: str, port: int) -> GrpcServer:
    """A listening server. Raises OSError if the port is taken."""
    server = GrpcServer(host, port)
    server.start()
    return server
