"""MLflow, Phoenix and this platform under the same load: python -m benchmarks.peers, or `make bench-peers`.

MLflow and Phoenix are installed once, each into an environment of its own under build/peers. One server after the other
gets the same kind of requests, on a PostgreSQL with its default durability, and MLflow and the platform on SQLite too.
What counts is stored rows: their databases are asked until the number of spans stands still. All of it stays on the
loopback interface, with the servers' telemetry switched off.
"""

import argparse
import contextlib
import os
import platform
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.ingest import AUTH_KEY, web
from benchmarks.load import Load, Outcome, run
from tests.servers import ROOT, answers, clean_environment, free_port, postgres, running, temporary_directory

ENVIRONMENTS = ROOT / "build" / "peers"
PACKAGES = {"mlflow": ["mlflow", "psycopg[binary]"], "phoenix": ["arize-phoenix[pg]"]}
SAMPLE_SECONDS = 0.5
# A queue in memory may pause between two batches; after so long without a new row it is taken for empty.
STILL_SECONDS = 15
SETTLE_SECONDS = 300

WARM_UP = Load(requests=64, spans=10, clients=16)
WARM_UPS, WARM_MS = 6, 3_000

Count = Callable[[], int]


@dataclass(frozen=True)
class Running:
    """A server that answers: where spans go, and how many it has stored."""

    url: str
    headers: dict[str, str]
    count: Count


@dataclass(frozen=True)
class Contender:
    """A server on a database, and how many requests of 100 spans keep it busy for some seconds."""

    name: str
    database: str
    start: Callable[[], AbstractContextManager[Running]]
    requests: int


@dataclass(frozen=True)
class Result:
    contender: Contender
    outcome: Outcome
    sent: int
    stored: int
    stored_per_s: float


def python(peer: str) -> Path:
    """The interpreter of the peer's environment, which is made at the first use."""
    home = ENVIRONMENTS / peer
    program, done = home / "bin" / "python", home / "installed"
    if not done.exists():
        print(f"Installing {peer} …", file=sys.stderr, flush=True)
        home.mkdir(parents=True, exist_ok=True)
        pip = [str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", str(home)], [*pip, *PACKAGES[peer]]):
            finished = subprocess.run(command, capture_output=True, text=True)
            if finished.returncode:
                raise SystemExit(f"{peer} could not be installed:\n{finished.stderr[-2000:]}")
        done.touch()
    return program


def version(peer: str) -> str:
    package = PACKAGES[peer][0].partition("[")[0]
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([str(python(peer)), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def postgres_count(url: str, table: str) -> Count:
    def count() -> int:
        with psycopg.connect(url) as connection:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    return count


def sqlite_count(path: Path, table: str) -> Count:
    def count() -> int:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    return count


@contextlib.contextmanager
def ours_on_postgres() -> Iterator[Running]:
    with (
        temporary_directory() as folder,
        postgres(fsync=True) as database_url,
        web(database_url, folder, workers=4) as url,
    ):
        headers = {"x-bee-authorization": AUTH_KEY}
        yield Running(f"{url}/v1/traces", headers, postgres_count(database_url, "spans_span"))


@contextlib.contextmanager
def ours_on_sqlite() -> Iterator[Running]:
    with temporary_directory() as folder:
        path = folder / "tracing.sqlite3"
        with web(f"sqlite:///{path}", folder, workers=1) as url:
            yield Running(f"{url}/v1/traces", {"x-bee-authorization": AUTH_KEY}, sqlite_count(path, "spans_span"))


@contextlib.contextmanager
def mlflow_server(database_url: str, folder: Path, count: Count) -> Iterator[Running]:
    """`mlflow server` as it comes: four processes."""
    port = free_port()
    arguments = [str(python("mlflow")), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--backend-store-uri", database_url, "--artifacts-destination", str(folder / "artifacts")]
    environment = clean_environment(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    # mlflow starts uvicorn by its name.
    environment["PATH"] = f"{python('mlflow').parent}{os.pathsep}{environment['PATH']}"
    url = f"http://127.0.0.1:{port}"
    with running(
        arguments,
        environment=environment,
        log=folder / "mlflow.log",
        ready=lambda: answers(f"{url}/health"),
        seconds=180,
    ):
        yield Running(f"{url}/v1/traces", {"x-mlflow-experiment-id": "0"}, count)


@contextlib.contextmanager
def mlflow_on_postgres() -> Iterator[Running]:
    with (
        temporary_directory() as folder,
        postgres(fsync=True) as database_url,
        mlflow_server(
            database_url.replace("postgresql://", "postgresql+psycopg://"),
            folder,
            postgres_count(database_url, "spans"),
        ) as server,
    ):
        yield server


@contextlib.contextmanager
def mlflow_on_sqlite() -> Iterator[Running]:
    with temporary_directory() as folder:
        path = folder / "mlflow.db"
        with mlflow_server(f"sqlite:///{path}", folder, sqlite_count(path, "spans")) as server:
            yield server


@contextlib.contextmanager
def phoenix_on_postgres() -> Iterator[Running]:
    with temporary_directory() as folder, postgres(fsync=True) as database_url:
        port = free_port()
        environment = clean_environment(
            PHOENIX_WORKING_DIR=str(folder),
            PHOENIX_HOST="127.0.0.1",
            PHOENIX_PORT=str(port),
            PHOENIX_GRPC_PORT=str(free_port()),
            PHOENIX_SQL_DATABASE_URL=database_url,
            PHOENIX_TELEMETRY_ENABLED="false",
            PHOENIX_ALLOW_EXTERNAL_RESOURCES="false",
        )
        url = f"http://127.0.0.1:{port}"
        with running(
            [str(python("phoenix").with_name("phoenix")), "serve"],
            environment=environment,
            log=folder / "phoenix.log",
            ready=lambda: answers(f"{url}/healthz"),
            seconds=180,
        ):
            yield Running(f"{url}/v1/traces", {}, postgres_count(database_url, "spans"))


def warm_up(server: Running) -> int:
    """Send small requests until none is slow; the number of their spans.

    A server may load most of its program with the first request that each of its processes gets.
    """
    for number in range(1, WARM_UPS + 1):
        outcome = run(WARM_UP, server.url, server.headers, seed=1000 + number)
        if outcome.p99_ms < WARM_MS:
            break
    return number * WARM_UP.requests * WARM_UP.spans


def measure(contender: Contender, clients: int) -> Result:
    load = Load(requests=contender.requests, clients=clients)
    with contender.start() as server:
        before = settled(server.count, warm_up(server))[-1][1]
        samples: list[tuple[float, int]] = []
        is_sent = threading.Event()
        sent_spans = load.requests * load.spans
        watcher = threading.Thread(target=watch, args=(server.count, before + sent_spans, is_sent, samples))
        watcher.start()
        outcome = run(load, server.url, server.headers)
        began = time.monotonic() - outcome.seconds
        is_sent.set()
        watcher.join()
    stored = samples[-1][1] - before
    ended = next(moment for moment, count in samples if count == samples[-1][1])
    return Result(contender, outcome, sent_spans, stored, stored / max(ended - began, outcome.seconds))


def settled(count: Count, target: int) -> list[tuple[float, int]]:
    """Samples until the count reaches the target or stands still."""
    samples: list[tuple[float, int]] = []
    is_sent = threading.Event()
    is_sent.set()
    watch(count, target, is_sent, samples)
    return samples


def watch(count: Count, target: int, is_sent: threading.Event, samples: list[tuple[float, int]]) -> None:
    """Sample the count until it reaches the target, or, once everything is sent, stands still for STILL_SECONDS."""
    last_change = started = time.monotonic()
    while True:
        number, now = count(), time.monotonic()
        if not samples or number != samples[-1][1] or not is_sent.is_set():
            last_change = now
        samples.append((now, number))
        if number >= target or now - last_change > STILL_SECONDS or now - started > SETTLE_SECONDS:
            return
        time.sleep(SAMPLE_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--scale", type=float, default=1, help="multiplies the number of requests")
    options = parser.parse_args()
    names = {peer: f"{peer.capitalize().replace('Mlf', 'MLf')} {version(peer)}" for peer in PACKAGES}
    contenders = [
        Contender("this platform", "PostgreSQL", ours_on_postgres, 500),
        Contender(names["mlflow"], "PostgreSQL", mlflow_on_postgres, 100),
        Contender(names["phoenix"], "PostgreSQL", phoenix_on_postgres, 30),
        Contender("this platform", "SQLite", ours_on_sqlite, 500),
        Contender(names["mlflow"], "SQLite", mlflow_on_sqlite, 100),
    ]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    print(
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, commit {commit.stdout.strip() or 'unknown'}"
    )
    print("| server | database | spans sent | stored | acknowledged/s | stored/s | we store |")
    print("|---|---|--:|--:|--:|--:|--:|")
    ours: dict[str, float] = {}
    for contender in contenders:
        scaled = Contender(
            contender.name, contender.database, contender.start, max(1, int(contender.requests * options.scale))
        )
        result = measure(scaled, options.clients)
        first = ours.setdefault(contender.database, result.stored_per_s)
        print(
            f"| {contender.name} | {contender.database} | {result.sent:,} | {result.stored:,} "
            f"| {result.outcome.spans_per_s:,.0f} | {result.stored_per_s:,.0f} | {first / result.stored_per_s:.1f} × |",
            flush=True,
        )


if __name__ == "__main__":
    main()
