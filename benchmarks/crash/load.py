"""The load: traces whose spans come in several requests, in any order, more than once, and in later versions."""

import http.client
import queue
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.load import prose, put
from spans.keys import span_row_key, trace_row_key

EXPORT_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
# Longer than an answer may take, so that a request is given up only when the other side is gone.
ANSWER_SECONDS = 20
DELIVERY_SECONDS = 180
# What a sender may be told while parts are dead: these, and nothing else, are sent again.
RETRYABLE = {"503", "429", "no answer", "refused", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
ACKNOWLEDGED = "acknowledged"
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4")


@dataclass(frozen=True)
class Version:
    """A span as it was sent; the version with the latest end is the one that must stay."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    start_time_unix_nano: int
    end_time_unix_nano: int
    status_code: int
    attributes: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        return self.trace_id, self.span_id


@dataclass(frozen=True)
class Request:
    """A body, the versions in it, and the keys of the spans that no other body carries."""

    body: bytes
    versions: tuple[Version, ...]
    only_here: tuple[tuple[str, str], ...]


@dataclass
class Plan:
    """Makes requests round by round. `expected` is what the platform must hold when all of them are acknowledged."""

    rng: random.Random
    traces_a_round: int = 5
    requests_a_round: int = 20
    expected: dict[tuple[str, str], Version] = field(default_factory=dict)
    late: list[Version] = field(default_factory=list)
    versions_of: Counter[tuple[str, str]] = field(default_factory=Counter)

    def requests(self, last: bool = False) -> list[Request]:
        """The requests of a round; some spans wait for a later round unless this is the last one."""
        versions = self.late
        self.late = []
        for _ in range(self.traces_a_round):
            for version in self._trace():
                self.versions_of[version.key] += 1
                kept_back = not last and self.rng.random() < 0.1
                (self.late if kept_back else versions).append(version)
        self.rng.shuffle(versions)
        dealt: dict[int, list[Version]] = defaultdict(list)
        for version in versions:
            dealt[self.rng.randrange(self.requests_a_round)].append(version)
        requests = [self._request(group) for group in dealt.values()]
        repeated = [request for request in requests if self.rng.random() < 0.2]
        return self.rng.sample(requests + repeated, len(requests) + len(repeated))

    def _trace(self) -> list[Version]:
        """Every version of every span of a new trace, the newest of each noted as expected."""
        trace_id = self.rng.randbytes(16).hex()
        start = time.time_ns()
        ids: list[str] = []
        found: list[Version] = []
        for number in range(self.rng.randint(2, 10)):
            parent = self.rng.choice(ids) if ids else ""
            ids.append(self.rng.randbytes(8).hex())
            count = self.rng.choice((1, 1, 1, 2, 3))
            for edition in range(1, count + 1):
                version = self._version(trace_id, ids[-1], parent, start + number * 1_000_000, edition)
                self.expected[version.key] = version
                found.append(version)
        return found

    def _version(self, trace_id: str, span_id: str, parent: str, start: int, edition: int) -> Version:
        attributes: dict[str, Any] = {
            "openinference.span.kind": "LLM" if parent else "AGENT",
            "crash.edition": edition,
            "session.id": f"session-{self.rng.randrange(20)}",
            "input.value": prose(self.rng, 80),
        }
        if edition > 1:
            attributes["output.value"] = prose(self.rng, 80 * edition)
        if parent:
            attributes["llm.model_name"] = self.rng.choice(MODELS)
            attributes["llm.token_count.prompt"] = self.rng.randrange(1, 500)
            attributes["llm.token_count.completion"] = self.rng.randrange(1, 500)
        return Version(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=parent,
            name=f"{attributes['openinference.span.kind'].lower()} {span_id[:4]}",
            start_time_unix_nano=start,
            end_time_unix_nano=start + edition * 1_000_000_000,
            status_code=self.rng.choice((0, 1, 1, 2)),
            attributes=attributes,
        )

    def _request(self, versions: list[Version]) -> Request:
        message = ExportTraceServiceRequest()
        group = message.resource_spans.add()
        group.resource.attributes.add(key="service.name").value.string_value = "crash-harness"
        spans = group.scope_spans.add().spans
        for version in versions:
            span = spans.add(
                trace_id=bytes.fromhex(version.trace_id),
                span_id=bytes.fromhex(version.span_id),
                parent_span_id=bytes.fromhex(version.parent_span_id),
                name=version.name,
                kind=Span.SPAN_KIND_INTERNAL,
                start_time_unix_nano=version.start_time_unix_nano,
                end_time_unix_nano=version.end_time_unix_nano,
            )
            span.status.code = version.status_code  # type: ignore[assignment]
            put(span, version.attributes)
        only_here = tuple(version.key for version in versions if self.versions_of[version.key] == 1)
        return Request(message.SerializeToString(), tuple(versions), only_here)


class HttpTransport:
    """OTLP/HTTP with one connection, which is opened again when it broke."""

    name = "HTTP"

    def __init__(self, port: int, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self.headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {key}"}

    def send(self, body: bytes) -> str:
        """ACKNOWLEDGED, the status, "refused" where nothing listens, or "no answer"."""
        try:
            self.connection.request("POST", "/v1/traces", body, self.headers)
            response = self.connection.getresponse()
            content = response.read()
        except ConnectionRefusedError:
            self.connection.close()
            return "refused"
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return "no answer"
        return _verdict(content) if response.status == 200 else str(response.status)


class GrpcTransport:
    """OTLP/gRPC with one channel, which connects again by itself."""

    name = "gRPC"

    def __init__(self, port: int, key: str) -> None:
        options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
        self.call = channel.unary_unary(EXPORT_METHOD, request_serializer=None, response_deserializer=None)
        self.metadata = (("authorization", f"Bearer {key}"),)

    def send(self, body: bytes) -> str:
        """ACKNOWLEDGED or the name of the status code."""
        try:
            return _verdict(self.call(body, timeout=ANSWER_SECONDS, metadata=self.metadata))
        except grpc.RpcError as error:
            return str(error.code().name)


def _verdict(content: bytes) -> str:
    rejected = ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans
    return "spans rejected" if rejected else ACKNOWLEDGED


Transport = HttpTransport | GrpcTransport


class Senders:
    """Threads that send requests until each is acknowledged, and look into the database when an answer failed to come.

    A request that got no answer was stored whole or not at all: `examined` counts the looks, `torn` the failures.
    """

    def __init__(self, transports: list[Transport], database_url: str, project_id: int, seed: int) -> None:
        self.database_url = database_url
        self.project_id = project_id
        self.pending: queue.Queue[Request] = queue.Queue()
        self.answers: Counter[tuple[str, str]] = Counter()
        self.acknowledged: list[Request] = []
        self.undeliverable: list[Request] = []
        self.examined = 0
        self.torn = 0
        self.longest_wait_s = 0.0
        self.lock = threading.Lock()
        for number, transport in enumerate(transports):
            arguments = (transport, random.Random(seed * 1000 + number))
            threading.Thread(target=self._run, args=arguments, name=f"sender {number}", daemon=True).start()

    def _run(self, transport: Transport, rng: random.Random) -> None:
        while True:
            request = self.pending.get()
            try:
                self._deliver(request, transport, rng)
            finally:
                self.pending.task_done()

    def _deliver(self, request: Request, transport: Transport, rng: random.Random) -> None:
        started = time.monotonic()
        while True:
            answer = transport.send(request.body)
            waited = time.monotonic() - started
            with self.lock:
                self.answers[transport.name, answer] += 1
                if answer == ACKNOWLEDGED:
                    self.acknowledged.append(request)
                    self.longest_wait_s = max(self.longest_wait_s, waited)
                    return
                if answer not in RETRYABLE or waited > DELIVERY_SECONDS:
                    self.undeliverable.append(request)
                    return
            # Half of the senders look first and send again when the database is back; the others try at once.
            if rng.random() < 0.5:
                self._examine(request, started + DELIVERY_SECONDS)
            time.sleep(rng.uniform(0.02, 0.3))

    def _examine(self, request: Request, deadline: float) -> None:
        """Note whether a request without an answer was stored in part; waits for the database, if it is down."""
        keys = [self._row_key(*key) for key in request.only_here]
        if len(keys) < 2:
            return
        while time.monotonic() < deadline:
            try:
                with psycopg.connect(self.database_url, connect_timeout=2) as connection:
                    row = connection.execute("SELECT count(*) FROM spans_span WHERE id = ANY(%s)", [keys]).fetchone()
            except psycopg.Error:
                time.sleep(0.1)
                continue
            with self.lock:
                self.examined += 1
                self.torn += row is None or row[0] not in (0, len(keys))
            return

    def _row_key(self, trace_id: str, span_id: str) -> UUID:
        return span_row_key(trace_row_key(self.project_id, trace_id), span_id)
