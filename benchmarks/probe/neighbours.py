"""Other people: they send spans and read traces while a server is attacked, and note how long it took."""

import http.client
import itertools
import multiprocessing
import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from benchmarks.load import request_body

SPANS = 20
TIMEOUT_SECONDS = 15.0


@dataclass
class Waits:
    """Latencies of what was answered, in milliseconds, and how many requests were not."""

    taken_ms: list[float] = field(default_factory=list)
    failed: int = 0

    def p50_ms(self) -> float:
        return statistics.median(self.taken_ms) if self.taken_ms else float("nan")

    def p99_ms(self) -> float:
        ordered = sorted(self.taken_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else float("nan")


class Clients:
    """One sends ten requests of 20 spans a second, the other reads a list five times a second."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.ending = threading.Event()
        self.exports, self.reads = Waits(), Waits()
        rng = random.Random(1)
        bodies = (request_body(SPANS, rng, 400) for _ in itertools.count())
        headers = {"x-bee-authorization": key, "Content-Type": "application/x-protobuf"}
        send = threading.Thread(target=self._repeat, args=(self.exports, 10, "POST", "/v1/traces", bodies, headers))
        nothing: Iterator[None] = itertools.repeat(None)
        read = threading.Thread(
            target=self._repeat,
            args=(self.reads, 5, "GET", "/v1/traces?limit=10", nothing, {"x-bee-authorization": key}),
        )
        self.threads = [send, read]

    def _repeat(self, waits: Waits, rate: float, method: str, path: str, bodies: Iterator[Any], headers: Any) -> None:
        while not self.ending.is_set():
            started = time.perf_counter()
            is_answered = ask(self.url, method, path, next(bodies), headers) == 200
            took = time.perf_counter() - started
            if is_answered:
                waits.taken_ms.append(took * 1000)
            else:
                waits.failed += 1
            self.ending.wait(max(0.0, 1 / rate - took))


def ask(url: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
    """The status of a request on a connection of its own; 0 where there is no answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _live(url: str, key: str, ending: Any, results: Any) -> None:
    clients = Clients(url, key)
    for thread in clients.threads:
        thread.start()
    ending.wait()
    clients.ending.set()
    for thread in clients.threads:
        thread.join()
    results.put((clients.exports, clients.reads))


@contextmanager
def living(url: str, key: str) -> Iterator[list[Waits]]:
    """In a process of their own, so that the attack does not slow their clocks. Yields exports and reads to be."""
    context = multiprocessing.get_context("spawn")
    ending, results = context.Event(), context.Queue()
    process = context.Process(target=_live, args=(url, key, ending, results))
    process.start()
    found: list[Waits] = []
    try:
        yield found
    finally:
        ending.set()
        found.extend(results.get(timeout=60))
        process.join(10)
