"""Ingest against the floor: python -m benchmarks.ingest.

Starts a PostgreSQL with its default durability and the web server, sends prebuilt requests from another process, and
checks that every acknowledged span is in the table. The floor is the same rows as one prebuilt binary COPY into the
same table with its indexes, right afterwards on the same machine. The last line is `ratio 0.NN`: stored spans a second
over the floor's rows a second.
"""

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import requests

from benchmarks.load import Load, Outcome, run
from tests.servers import ROOT, clean_environment, free_port, postgres, running, temporary_directory

TABLE = "spans_span"
# Enough that every process has connections, prepared statements and its caches
WARM_UP = 100
AUTH_KEY = "benchmark-key-of-the-default-project"


@contextlib.contextmanager
def web(database_url: str, data_dir: Path, workers: int, **variables: str) -> Iterator[str]:
    """The web server on a migrated database with the default project and its key; yields the base URL."""
    port = free_port()
    environment = clean_environment(
        DATABASE_URL=database_url,
        DATA_DIR=str(data_dir),
        PORT=str(port),
        AUTH_KEY=AUTH_KEY,
        WEB_WORKERS=str(workers),
        LOG_LEVEL="WARNING",
        **variables,
    )
    for command in (["migrate", "-v0"], ["shell", "-v0", "-c", CREATE_KEY]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
    url = f"http://127.0.0.1:{port}"
    with running(
        [sys.executable, "manage.py", "web"],
        environment=environment,
        log=data_dir / "web.log",
        ready=lambda: answers(f"{url}/health"),
    ):
        yield url


CREATE_KEY = f"""
from projects.models import ApiKey, Project
project, _ = Project.objects.get_or_create(slug="default", defaults={{"name": "Default"}})
ApiKey.objects.lookup({AUTH_KEY!r}) or ApiKey.objects.issue(project, "benchmark", {AUTH_KEY!r})
"""


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def count_rows(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
    return row[0] if row else 0


def floor(connection: psycopg.Connection[Any]) -> float:
    """Rows a second of a binary COPY of the stored spans into their emptied table. Ends with the same rows in it."""
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY (SELECT * FROM {TABLE}) TO STDOUT (FORMAT binary)") as copy:
            blocks = [bytes(block) for block in copy]
        count = count_rows(connection)
        cursor.execute(f"TRUNCATE {TABLE}")
        connection.commit()
        cursor.execute("CHECKPOINT")
        connection.commit()
        started = time.perf_counter()
        with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT binary)") as copy:
            for block in blocks:
                copy.write(block)
        connection.commit()
    return count / (time.perf_counter() - started)


def fill(connection: psycopg.Connection[Any], spans: int) -> None:
    """Copy the stored spans and their traces, under keys of their own, until there are so many."""
    copies = max(0, -(-spans // count_rows(connection)) - 1)
    key = "md5({table}.{column}::text || n)"
    for table, fresh in (
        ("traces_trace", {"id": key.format(table="traces_trace", column="id") + "::uuid"}),
        (
            TABLE,
            {
                "trace_row_id": key.format(table=TABLE, column="trace_row_id") + "::uuid",
                "id": f"(left({key.format(table=TABLE, column='trace_row_id')}, 16) || span_id)::uuid",
            },
        ),
    ):
        found = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [table],
        ).fetchall()
        columns = [name for (name,) in found]
        values = ", ".join(fresh.get(column, f"{table}.{column}") for column in columns)
        connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM generate_series(1, {copies}) n, {table}"
        )
        connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")
    connection.autocommit = False


def measure(load: Load, workers: int, stored_spans: int) -> tuple[Outcome, float]:
    """What came back, and the floor: not a number where spans were stored before, which it would have to copy too."""
    with (
        temporary_directory() as directory,
        postgres(fsync=True) as database_url,
        web(database_url, directory, workers) as url,
    ):
        headers = {"x-bee-authorization": AUTH_KEY}
        run(Load(requests=WARM_UP, spans=load.spans), f"{url}/v1/traces", headers, seed=2)
        with psycopg.connect(database_url) as connection:
            if stored_spans:
                fill(connection, stored_spans)
            connection.execute("CHECKPOINT")
            before = count_rows(connection)
            connection.commit()
            outcome = run(load, f"{url}/v1/traces", headers)
            stored = count_rows(connection) - before
            if stored != outcome.acknowledged:
                raise SystemExit(f"{outcome.acknowledged} spans acknowledged, {stored} stored: {outcome.answers}")
            return outcome, math.nan if stored_spans else floor(connection)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--spans", type=int, default=100, help="spans a request")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--characters", type=int, default=1200, help="length of a prompt; 1200 makes 2.5 KB a span")
    parser.add_argument("--workers", type=int, default=4, help="web processes")
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: as fast as they are answered")
    parser.add_argument("--one-trace", action="store_true", help="all spans in one trace")
    parser.add_argument("--stored", type=int, default=0, help="spans that are stored before; leaves out the floor")
    options = parser.parse_args()
    load = Load(
        requests=options.requests,
        spans=options.spans,
        clients=options.clients,
        characters=options.characters,
        rate=options.rate,
        one_trace=options.one_trace,
    )
    outcome, floor_rate = measure(load, options.workers, options.stored)
    print(
        json.dumps(
            {
                "spans_per_s": round(outcome.spans_per_s),
                "floor_per_s": None if options.stored else round(floor_rate),
                "p50_ms": round(outcome.p50_ms, 1),
                "p99_ms": round(outcome.p99_ms, 1),
                "bytes_a_span": outcome.bytes_a_span,
                "answers": outcome.answers,
                "cores": os.cpu_count(),
            }
        )
    )
    if not options.stored:
        print(f"ratio {outcome.spans_per_s / floor_rate:.2f}")


if __name__ == "__main__":
    main()
