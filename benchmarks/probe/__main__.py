"""Attack a server of this checkout, on loopback, and say what others noticed: python -m benchmarks.probe [ATTACK …].

A row for each attack: what it was answered, how long others waited for exports and reads meanwhile (and how many
failed), the most memory that the platform's processes took together, and after how many seconds an export was quick
again. The first row is without an attack. Each attack meets a server of its own. Ends with 1 if one did not recover.
"""

import argparse
import contextlib
import os
import random
import resource
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import psutil

from benchmarks.load import request_body
from benchmarks.probe.attacks import ATTACKS, PROTOBUF, Attack
from benchmarks.probe.neighbours import ask, living
from tests.servers import Site, postgres, site

# As many descriptors as some systems give a program at first
DESCRIPTORS = 256
RECOVERY_SECONDS = 30
COLUMNS = (
    "attack",
    "it was answered",
    "exports, p50 / p99 ms",
    "failed",
    "reads, p50 / p99 ms",
    "failed",
    "MB",
    "recovered, s",
)


class Memory(threading.Thread):
    """The most resident memory that the server's processes had together, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.server = psutil.Process(pid)
        self.most = 0
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.wait(0.1):
            total = 0
            with contextlib.suppress(psutil.Error):
                for process in (self.server, *self.server.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        total += process.memory_info().rss
            self.most = max(self.most, total)


def recovered_after(url: str, key: str) -> float:
    """Seconds until an export is stored in less than one; infinite if that does not come."""
    started = time.monotonic()
    while time.monotonic() - started < RECOVERY_SECONDS:
        asked = time.monotonic()
        body = request_body(1, random.Random(), 100)
        if ask(url, "POST", "/v1/traces", body, PROTOBUF | {"x-bee-authorization": key}) == 200:
            if time.monotonic() - asked < 1:
                return time.monotonic() - started
        else:
            time.sleep(0.1)
    return float("inf")


@contextlib.contextmanager
def few_descriptors() -> Iterator[None]:
    """A server that is started meanwhile begins with DESCRIPTORS, as its soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))


@contextlib.contextmanager
def attacked_site(database: str) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        environment: dict[str, Any] = {}
        if database == "postgresql":
            environment["DATABASE_URL"] = stack.enter_context(postgres())
        with few_descriptors():
            started = stack.enter_context(site(**environment))
        yield started


def probe(name: str, database: str, seconds: float) -> tuple[list[Any], bool]:
    """The cells of a row of the table, and whether the server recovered."""
    with attacked_site(database) as server:
        memory = Memory(server.process.pid)
        memory.start()
        with living(server.url, server.key) as waits:
            time.sleep(2)
            attack = Attack(server, time.monotonic() + seconds)
            if name:
                ATTACKS[name](attack)
            else:
                time.sleep(seconds)
        recovery = recovered_after(server.url, server.key)
        memory.ending.set()
        exports, reads = waits
        answers = ", ".join(f"{count} × {answer}" for answer, count in attack.answers.most_common(5))
        cells = [
            name or "none",
            answers or "–",
            f"{exports.p50_ms():.0f} / {exports.p99_ms():.0f}",
            exports.failed,
            f"{reads.p50_ms():.0f} / {reads.p99_ms():.0f}",
            reads.failed,
            memory.most // 2**20,
            f"{recovery:.1f}",
        ]
        return cells, recovery < RECOVERY_SECONDS


def print_row(cells: Iterable[Any]) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"of {', '.join(ATTACKS)}; all, if none is named")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seconds", type=float, default=8, help="how long an attack lasts (%(default)s)")
    options = parser.parse_args()
    unknown = set(options.attacks) - set(ATTACKS)
    if unknown:
        parser.error(f"no attack is called {', '.join(sorted(unknown))}")
    print(f"{options.database}, {os.cpu_count()} cores")
    print_row(COLUMNS)
    print_row(["---"] * len(COLUMNS))
    survived = True
    for name in ["", *(options.attacks or ATTACKS)]:
        cells, has_recovered = probe(name, options.database, options.seconds)
        survived = survived and has_recovered
        print_row(cells)
    raise SystemExit(0 if survived else 1)


if __name__ == "__main__":
    main()
