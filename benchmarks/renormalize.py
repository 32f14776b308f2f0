"""Renormalizing beside ingest: python -m benchmarks.renormalize.

Starts a PostgreSQL and the web server, stores spans, makes three of their columns as if older tables had set them, and
runs `manage.py renormalizespans` while other spans are being sent. At the end every column must be right again.
"""

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg

from benchmarks.ingest import AUTH_KEY, TABLE, web
from benchmarks.load import Load, run
from tests.servers import ROOT, clean_environment, postgres, temporary_directory

COLUMNS = "id, span_type, session_id, input_tokens, output_preview, counted"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=100_000, help="stored beforehand")
    parser.add_argument("--rate", type=float, default=20, help="requests of 100 spans a second meanwhile")
    arguments = parser.parse_args()
    headers = {"x-bee-authorization": AUTH_KEY, "Content-Type": "application/x-protobuf"}
    with (
        postgres() as database_url,
        temporary_directory() as folder,
        web(database_url, Path(folder), 1) as base_url,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        url = f"{base_url}/v1/traces"
        run(Load(requests=arguments.spans // 100, clients=2), url, headers)
        right = connection.execute(f"SELECT {COLUMNS} FROM {TABLE} ORDER BY id").fetchall()
        connection.execute(f"UPDATE {TABLE} SET span_type = 'UNKNOWN', session_id = '', input_tokens = NULL")
        stop = threading.Event()
        sent = [0]
        sender = threading.Thread(target=send, args=(stop, sent, arguments.rate, url, headers))
        sender.start()
        started = time.perf_counter()
        command = [sys.executable, "manage.py", "renormalizespans"]
        environment = clean_environment(DATABASE_URL=database_url, DATA_DIR=str(folder))
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        seconds = time.perf_counter() - started
        stop.set()
        sender.join()
        ids = [row[0] for row in right]
        now = connection.execute(f"SELECT {COLUMNS} FROM {TABLE} WHERE id = ANY(%s) ORDER BY id", [ids]).fetchall()
        if now != right:
            raise SystemExit("some spans are not what they were")
        stored = connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
        if stored is None or stored[0] != len(right) + sent[0]:
            raise SystemExit("spans that were acknowledged meanwhile are missing")
        print(f"{len(right)} spans in {seconds:.1f} s, {len(right) / seconds:.0f} a second; {sent[0]} sent meanwhile")


def send(stop: threading.Event, sent: list[int], rate: float, url: str, headers: dict[str, str]) -> None:
    """Send spans, five seconds' worth at a time, and count those that were acknowledged."""
    seed = 1_000
    while not stop.is_set():
        seed += 1
        sent[0] += run(Load(requests=round(5 * rate), clients=1, rate=rate), url, headers, seed=seed).acknowledged


if __name__ == "__main__":
    main()
