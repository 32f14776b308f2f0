"""Steady load for many minutes: python -m benchmarks.soak --minutes 30 --rate 80.

Starts PostgreSQL with its default durability and the web server, and sends so many requests of 100 spans a second. A
row a minute: answers, latencies, and the memory of the web processes. Fails if an acknowledged span is not stored.
"""

import argparse
import http.client
import queue
import random
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import psycopg

from benchmarks.ingest import AUTH_KEY, count_rows, web
from benchmarks.load import SPANS_A_RUN, request_body
from tests.servers import postgres, temporary_directory

SPANS = 100
TEMPLATES = 50
HEADERS = {"x-bee-authorization": AUTH_KEY, "Content-Type": "application/x-protobuf"}


def bodies(rng: random.Random) -> Iterator[bytes]:
    """Requests without end: copies of a few, each trace of them under an id of its own."""
    made = []
    for _ in range(TEMPLATES):
        seed = rng.getrandbits(64)
        ids = [random.Random(f"{seed} {number}").randbytes(16) for number in range(SPANS // SPANS_A_RUN)]
        made.append((request_body(SPANS, random.Random(seed), 1200, trace_ids=ids), ids))
    while True:
        body, ids = rng.choice(made)
        for id_ in ids:
            body = body.replace(id_, rng.randbytes(16))
        yield body


class Clients:
    """Threads that send what the clock hands out, and note how it went."""

    def __init__(self, url: str, count: int) -> None:
        self.target = urlsplit(url)
        self.work: queue.Queue[bytes | None] = queue.Queue(maxsize=2 * count)
        self.lock = threading.Lock()
        self.latencies_ms: list[float] = []
        self.refused = self.acknowledged = 0
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection(self.target.netloc, timeout=60)
        while (body := self.work.get()) is not None:
            started = time.perf_counter()
            try:
                connection.request("POST", "/v1/traces", body, HEADERS)
                response = connection.getresponse()
                response.read()
                is_stored = response.status == 200
            except (OSError, http.client.HTTPException):
                connection.close()
                is_stored = False
            with self.lock:
                if is_stored:
                    self.acknowledged += SPANS
                    self.latencies_ms.append((time.perf_counter() - started) * 1000)
                else:
                    self.refused += 1

    def row(self) -> tuple[int, int, float, float]:
        """Answers since the last row: acknowledged and refused requests, p50 and p99 in milliseconds."""
        with self.lock:
            taken, refused = sorted(self.latencies_ms), self.refused
            self.latencies_ms, self.refused = [], 0
        if not taken:
            return 0, refused, float("nan"), float("nan")
        return len(taken), refused, taken[len(taken) // 2], taken[int(0.99 * len(taken))]

    def stop(self) -> None:
        for _ in self.threads:
            self.work.put(None)
        for thread in self.threads:
            thread.join()


def web_megabytes(url: str) -> list[int]:
    """Resident memory of each web process that serves the port."""
    port = urlsplit(url).port
    sizes = []
    for process in psutil.process_iter():
        try:
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in process.net_connections()):
                sizes.append(process.memory_info().rss // 2**20)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return sorted(sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--rate", type=float, default=80, help="requests a second")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=4, help="web processes")
    options = parser.parse_args()
    with (
        temporary_directory() as directory,
        postgres(fsync=True) as database_url,
        web(database_url, directory, options.workers) as url,
    ):
        clients = Clients(url, options.clients)
        source = bodies(random.Random(1))
        print("minute  stored requests  refused  p50 ms  p99 ms  web processes, MB", flush=True)
        started = time.perf_counter()
        sent = 0
        for minute in range(1, options.minutes + 1):
            while time.perf_counter() < started + 60 * minute:
                clients.work.put(next(source))
                sent += 1
                time.sleep(max(0.0, started + sent / options.rate - time.perf_counter()))
            stored, refused, p50, p99 = clients.row()
            print(f"{minute:6}  {stored:15}  {refused:7}  {p50:6.1f}  {p99:6.1f}  {web_megabytes(url)}", flush=True)
        clients.stop()
        with psycopg.connect(database_url) as connection:
            stored_spans = count_rows(connection)
        print(f"{clients.acknowledged} spans acknowledged, {stored_spans} stored")
        if stored_spans < clients.acknowledged:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
