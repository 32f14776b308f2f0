"""OTLP load: LLM traces as prebuilt request bodies, and clients that send them as fast as they are answered."""

import itertools
import json
import multiprocessing
import random
import re
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

VOCABULARY = (
    "order refund parcel delay customer answer search index vector passage weather Kraków Zürich naïve tool "
    "token budget model agent retry plan because therefore however 検索 данные summary question context"
).split()

# One agent run: name, OpenInference kind, index of the parent, start and length in milliseconds
RUN = (
    ("invoke_agent support", "AGENT", None, 0, 4000),
    ("plan", "CHAIN", 0, 5, 880),
    ("chat gpt-4o-mini", "LLM", 1, 10, 860),
    ("embeddings text-embedding-3-small", "EMBEDDING", 0, 900, 90),
    ("search passages", "RETRIEVER", 0, 1000, 180),
    ("execute_tool find_order", "TOOL", 0, 1200, 280),
    ("execute_tool weather", "TOOL", 0, 1500, 240),
    ("chat gpt-4o", "LLM", 0, 1800, 1300),
    ("answer", "CHAIN", 0, 3120, 870),
    ("chat gpt-4o", "LLM", 8, 3130, 850),
)
SPANS_A_RUN = len(RUN)


def prose(rng: random.Random, characters: int) -> str:
    words: list[str] = []
    while characters > 0:
        words.append(rng.choice(VOCABULARY))
        characters -= len(words[-1]) + 1
    return " ".join(words)


def attributes(kind: str, name: str, rng: random.Random, characters: int) -> dict[str, Any]:
    """What OpenInference and the GenAI conventions say of such a span; `characters` is the length of a prompt."""
    values: dict[str, Any] = {
        "openinference.span.kind": kind,
        "session.id": f"session-{rng.randrange(500)}",
        "user.id": f"user-{rng.randrange(2000)}",
        "metadata": json.dumps({"release": f"2.{rng.randrange(9)}", "plan": rng.choice(["free", "team"])}),
    }
    if kind == "LLM":
        model = name.split()[-1]
        tokens_in, tokens_out = rng.randrange(200, 4000), rng.randrange(20, 800)
        prompt, reply = prose(rng, characters), prose(rng, characters // 2)
        values |= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "gen_ai.response.model": model + "-2024-08-06",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.usage.input_tokens": tokens_in,
            "gen_ai.usage.output_tokens": tokens_out,
            "llm.model_name": model,
            "llm.provider": "openai",
            "llm.token_count.prompt": tokens_in,
            "llm.token_count.completion": tokens_out,
            "llm.invocation_parameters": json.dumps({"temperature": 0.2, "max_tokens": 800}),
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "You help customers and never guess.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.content": prompt,
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": reply,
            "input.value": prompt,
            "output.value": reply,
        }
    elif kind == "RETRIEVER":
        values["input.value"] = prose(rng, characters // 8)
        for index in range(4):
            document = f"retrieval.documents.{index}.document"
            values |= {
                f"{document}.id": f"doc-{rng.randrange(10_000)}",
                f"{document}.score": rng.random(),
                f"{document}.content": prose(rng, characters // 2),
            }
    elif kind == "EMBEDDING":
        values |= {
            "embedding.model_name": "text-embedding-3-small",
            "gen_ai.usage.input_tokens": rng.randrange(5, 60),
            "embedding.embeddings.0.embedding.text": prose(rng, characters // 8),
        }
    elif kind == "TOOL":
        values |= {
            "tool.name": name.split()[-1],
            "input.value": json.dumps({"id": rng.randrange(10_000)}),
            "input.mime_type": "application/json",
            "output.value": json.dumps({"ok": True, "note": prose(rng, characters // 4)}),
            "output.mime_type": "application/json",
        }
    else:
        values |= {"input.value": prose(rng, characters // 2), "output.value": prose(rng, characters // 2)}
    return values


def put(span: Span, values: dict[str, Any]) -> None:
    for key, value in values.items():
        target = span.attributes.add(key=key).value
        if isinstance(value, str):
            target.string_value = value
        elif isinstance(value, int):
            target.int_value = value
        else:
            target.double_value = value


def request_body(spans: int, rng: random.Random, characters: int, trace_ids: Iterable[bytes] = ()) -> bytes:
    """One export request of so many spans in whole agent runs, the last perhaps cut; the first in the traces given."""
    ids_given = iter(trace_ids)
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    resource = {
        "service.name": f"agent-{rng.randrange(5)}",
        "service.version": "1.4.2",
        "deployment.environment.name": "load",
        "telemetry.sdk.language": "python",
    }
    for key, value in resource.items():
        group.resource.attributes.add(key=key).value.string_value = value
    scope_spans = group.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "openinference.instrumentation.openai", "0.1.30"
    now_ns = time.time_ns()
    left = spans
    while left > 0:
        shape = RUN[:left]
        left -= len(shape)
        run_id = next(ids_given, None) or rng.randbytes(16)
        ids = [rng.randbytes(8) for _ in shape]
        origin_ns = now_ns - rng.randrange(3_600_000_000_000)
        for index in reversed(range(len(shape))):
            name, kind, parent, start_ms, length_ms = shape[index]
            span = scope_spans.spans.add(trace_id=run_id, span_id=ids[index], name=name, flags=257)
            span.kind = Span.SPAN_KIND_CLIENT if kind in ("LLM", "EMBEDDING") else Span.SPAN_KIND_INTERNAL
            if parent is not None:
                span.parent_span_id = ids[parent]
            span.start_time_unix_nano = origin_ns + start_ms * 1_000_000
            span.end_time_unix_nano = span.start_time_unix_nano + int(length_ms * rng.uniform(0.5, 1.5) * 1e6)
            put(span, attributes(kind, name, rng, characters))
    return request.SerializeToString()


@dataclass(frozen=True)
class Load:
    """What is sent: `requests` bodies of `spans` spans, by `clients` connections, at most `rate` requests a second."""

    requests: int
    spans: int = 100
    clients: int = 4
    characters: int = 1200
    one_trace: bool = False
    rate: float = 0
    seconds: float = 0


@dataclass(frozen=True)
class Outcome:
    """What came back. Latencies in milliseconds, of acknowledged requests only."""

    acknowledged: int
    seconds: float
    p50_ms: float
    p99_ms: float
    bytes_a_span: int
    answers: dict[str, int]

    @property
    def spans_per_s(self) -> float:
        return self.acknowledged / self.seconds


class Sender:
    """One connection that is kept as long as the server keeps it, and does as little as can be: the server shares its
    cores, and http.client would take a tenth of them for reading the answers' headers.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        target = urlsplit(url)
        self.address = (target.hostname or "localhost", target.port or 80)
        lines = [f"POST {target.path} HTTP/1.1", f"Host: {target.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.head = "\r\n".join(lines).encode("latin-1")
        self.socket: socket.socket | None = None

    def post(self, body: bytes) -> str:
        """The status of the answer. Raises OSError; the next call connects again."""
        try:
            if self.socket is None:
                self.socket = socket.create_connection(self.address, timeout=120)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (self.head, len(body), body))
            return self._answer(self.socket)
        except OSError:
            self.close()
            raise

    def _answer(self, connection: socket.socket) -> str:
        received = b""
        end = -1
        while end < 0 or len(received) < end:
            part = connection.recv(65_536)
            if not part:
                raise ConnectionResetError("the connection ended before the answer did")
            received += part
            if end < 0 and (head_end := received.find(b"\r\n\r\n")) >= 0:
                head = received[:head_end].lower()
                length = re.search(rb"\r\ncontent-length: *(\d+)", head)
                end = head_end + 4 + (int(length[1]) if length else 0)
        if b"\r\nconnection: close" in head:
            self.close()
        return received[9:12].decode()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def _send(load: Load, bodies: Sequence[bytes], url: str, headers: dict[str, str]) -> Outcome:
    results: list[tuple[str, float]] = []
    barrier = threading.Barrier(load.clients + 1)
    begun: list[float] = []

    def client(lane: int) -> None:
        sender = Sender(url, headers)
        barrier.wait()
        for number in range(lane, len(bodies), load.clients):
            if load.rate:
                time.sleep(max(0.0, begun[0] + number / load.rate - time.perf_counter()))
            started = time.perf_counter()
            if load.seconds and begun and started - begun[0] > load.seconds:
                break
            try:
                answer = sender.post(bodies[number])
            except OSError as error:
                answer = type(error).__name__
            results.append((answer, (time.perf_counter() - started) * 1000))
        sender.close()

    threads = [threading.Thread(target=client, args=(lane,)) for lane in range(load.clients)]
    for thread in threads:
        thread.start()
    begun.append(time.perf_counter())
    barrier.wait()
    begun[0] = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun[0]
    latencies = sorted(ms for answer, ms in results if answer == "200") or [float("nan")]
    return Outcome(
        acknowledged=load.spans * sum(answer == "200" for answer, _ in results),
        seconds=seconds,
        p50_ms=statistics.median(latencies),
        p99_ms=latencies[min(len(latencies) - 1, int(0.99 * len(latencies)))],
        bytes_a_span=sum(map(len, bodies)) // (load.spans * len(bodies)),
        answers=dict(Counter(answer for answer, _ in results)),
    )


def _run(load: Load, url: str, headers: dict[str, str], seed: int, results: Any, start: Any) -> None:
    rng = random.Random(seed)
    trace_ids = itertools.repeat(rng.randbytes(16)) if load.one_trace else ()
    bodies = [request_body(load.spans, rng, load.characters, trace_ids) for _ in range(load.requests)]
    results.put(None)
    start.wait()
    results.put(_send(load, bodies, url, headers))


def run(load: Load, url: str, headers: dict[str, str], seed: int = 1) -> Outcome:
    """Send the load from a process of its own. The bodies are built before the clock starts; every id is new."""
    context = multiprocessing.get_context("spawn")
    results, start = context.Queue(), context.Event()
    content = {"Content-Type": "application/x-protobuf"}
    process = context.Process(target=_run, args=(load, url, headers | content, seed, results, start))
    process.start()
    results.get()
    start.set()
    outcome: Outcome = results.get()
    process.join()
    return outcome
