"""Latency of the read API and of the admin: python -m benchmarks.read, or `make bench-read`.

Sends N spans through the receiver into a PostgreSQL, with three traces of 10, 1,000 and 10,000 spans among them, and
then asks one question after the other over one connection. With --explain the slowest statement of each is shown as
PostgreSQL runs it.
"""

import argparse
import itertools
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests

from benchmarks.ingest import AUTH_KEY, web
from benchmarks.load import Load, request_body, run
from tests.servers import ROOT, clean_environment, postgres, temporary_directory

SPANS_A_SLICE = 20_000
TRACE_SIZES = (10, 1_000, 10_000)
PASSWORD = "benchmark-password"
STATEMENT = re.compile(r"duration: ([0-9.]+) ms  (?:statement|execute [^:]*): (SELECT .*)")


@dataclass(frozen=True)
class Read:
    what: str
    path: str


def seed(url: str, spans: int, characters: int) -> dict[int, str]:
    """Fill the platform; the ids of the traces of TRACE_SIZES, by size."""
    headers = {"x-bee-authorization": AUTH_KEY}
    for number, start in enumerate(range(0, spans, SPANS_A_SLICE)):
        count = min(SPANS_A_SLICE, spans - start)
        load = Load(requests=max(1, count // 100), clients=4, characters=characters)
        outcome = run(load, f"{url}/v1/traces", headers, seed=number)
        if outcome.answers != {"200": load.requests}:
            raise SystemExit(f"Seeding failed: {outcome.answers}")
        if sys.stderr.isatty():
            print(f"\r{start + count:,} spans", end="", file=sys.stderr, flush=True)
    rng = random.Random(0)
    ids = {}
    for size in TRACE_SIZES:
        trace_id = rng.randbytes(16)
        for start in range(0, size, 500):
            body = request_body(min(500, size - start), rng, characters, itertools.repeat(trace_id))
            sent = requests.post(
                f"{url}/v1/traces", body, headers=headers | {"Content-Type": "application/x-protobuf"}, timeout=60
            )
            sent.raise_for_status()
        ids[size] = trace_id.hex()
    return ids


def reads(ids: dict[int, str], keys: dict[int, str]) -> Iterator[Read]:
    """`ids` and `keys`: trace ids and keys of trace rows, by size."""
    yield Read("newest 50 traces", "/v1/traces?limit=50")
    yield Read("traces of a service", "/v1/traces?limit=50&service_name=agent-3")
    yield Read("traces of a session", "/v1/traces?limit=50&session_id=session-7")
    yield Read("traces of a user", "/v1/traces?limit=50&user_id=user-77")
    yield Read("traces with a model", "/v1/traces?limit=50&model=gpt-4o-mini")
    yield Read("slow traces (5 s and more)", "/v1/traces?limit=50&min_duration_ms=5000")
    yield Read("traces with errors (there is none)", "/v1/traces?limit=50&status=ERROR")
    yield Read("free text, frequent word", "/v1/traces?limit=50&q=refund")
    yield Read("free text that is nowhere", "/v1/traces?limit=50&q=xylophone")
    yield Read("newest 50 spans", "/v1/spans?limit=50")
    yield Read("model calls", "/v1/spans?limit=50&span_type=LLM&model=gpt-4o")
    for size, trace_id in ids.items():
        yield Read(f"trace of {size:,} spans", f"/v1/traces/{trace_id}")
        yield Read(f"its tree ({size:,})", f"/v1/traces/{trace_id}?include_tree=true")
        yield Read(f"its first 100 spans ({size:,})", f"/v1/traces/{trace_id}/spans?limit=100")
    yield Read("admin: trace list", "/admin/traces/trace/")
    for size, key in keys.items():
        yield Read(f"admin: page of {size:,} spans", f"/admin/traces/trace/{key}/change/")


def signed_in(url: str) -> requests.Session:
    """A session that may use the API by key and the admin by login."""
    session = requests.Session()
    login = f"{url}/admin/login/"
    session.get(login, timeout=30)
    fields = {"username": "reader", "password": PASSWORD, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    answer = session.post(login, fields, headers={"Referer": login}, timeout=30, allow_redirects=False)
    if answer.status_code != 302:
        raise SystemExit(f"The login failed: {answer.status_code}")
    session.headers["x-bee-authorization"] = AUTH_KEY
    return session


def latencies_ms(session: requests.Session, url: str, repeats: int) -> tuple[list[float], int]:
    """Sorted latencies without the first one, and the size of the answer in bytes."""
    found = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        answer = session.get(url, timeout=120)
        found.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{url}: {answer.status_code} {answer.text[:500]}")
    return sorted(found[1:]), len(answer.content)


def slowest_statement(log: Path, offset: int) -> str:
    """The slowest SELECT over traces or spans that PostgreSQL logged after the offset."""
    with log.open("rb") as file:
        file.seek(offset)
        found = STATEMENT.findall(file.read().decode(errors="replace"))
    of_ours = [(float(ms), text) for ms, text in found if "traces_trace" in text or "spans_span" in text]
    return max(of_ours, default=(0, ""))[1]


def explain(connection: psycopg.Connection, session: requests.Session, url: str, log: Path) -> str:
    offset = log.stat().st_size
    session.get(url, timeout=120)
    statement = slowest_statement(log, offset)
    if not statement:
        return "(no statement)"
    plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}".encode()).fetchall()
    return "\n".join([statement[:600], *(line for (line,) in plan)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--characters", type=int, default=1200, help="length of a prompt; 1200 makes 2.5 KB a span")
    parser.add_argument("--repeats", type=int, default=30, help="requests of each kind")
    parser.add_argument("--explain", action="store_true", help="show the plan of the slowest statement of each read")
    options = parser.parse_args()
    # The log has the values of a statement only where the client binds them.
    variables = {"DATABASE_PREPARE_THRESHOLD": "0"} if options.explain else {}
    with (
        temporary_directory() as folder,
        postgres(fsync=True) as database_url,
        web(database_url, folder, workers=2, **variables) as url,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        environment = clean_environment(DATABASE_URL=database_url, DATA_DIR=str(folder))
        environment["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        ids = seed(url, options.spans, options.characters)
        for command in (
            ["createsuperuser", "--noinput", "--username", "reader", "--email", "r@example.org"],
            ["refreshrollups"],
        ):
            subprocess.run(
                [sys.executable, "manage.py", *command],
                cwd=ROOT,
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        connection.execute("VACUUM ANALYZE")
        rows: dict[str, object] = dict(
            connection.execute("SELECT trace_id, id FROM traces_trace WHERE trace_id = ANY(%s)", [[*ids.values()]])
        )
        keys = {size: str(rows[trace_id]) for size, trace_id in ids.items()}
        count = connection.execute("SELECT count(*) FROM spans_span").fetchone()
        directory = connection.execute("SHOW data_directory").fetchone()
        assert count is not None
        assert directory is not None
        log = Path(directory[0]) / "log"
        if options.explain:
            connection.execute("ALTER SYSTEM SET log_min_duration_statement = 0")
            connection.execute("SELECT pg_reload_conf()")
            time.sleep(1)
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        print(
            f"{count[0]:,} spans in PostgreSQL, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
            f"commit {commit.stdout.strip() or 'unknown'}\n\n| read | p50 ms | p95 ms | KB |\n|---|--:|--:|--:|"
        )
        session = signed_in(url)
        plans = []
        for read in reads(ids, keys):
            times, size = latencies_ms(session, url + read.path, options.repeats)
            p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
            print(f"| {read.what} | {statistics.median(times):.1f} | {p95:.1f} | {size / 1024:.0f} |", flush=True)
            if options.explain:
                plans.append(f"\n{read.what}\n{explain(connection, session, url + read.path, log)}")
        print("\n".join(plans))


if __name__ == "__main__":
    main()
