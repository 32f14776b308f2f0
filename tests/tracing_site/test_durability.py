"""The durability harness, for a short while; `make crash` is the long run."""

import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from benchmarks.crash.audit import audit_spans
from benchmarks.crash.load import Version
from tests import servers

TABLES = """
    CREATE TABLE traces_trace (id int, trace_id text);
    CREATE TABLE spans_span (
        trace_row_id int, span_id text, parent_span_id text, name text, start_time_unix_nano bigint,
        end_time_unix_nano bigint, status_code int, attributes text
    );
    INSERT INTO traces_trace VALUES (1, 'trace');
"""


def crash(*arguments: str) -> str:
    """The harness's report. It must end with success."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash", *arguments], cwd=servers.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def version(span_id: str, end_time_unix_nano: int = 2) -> Version:
    return Version("trace", span_id, "", "name", 1, end_time_unix_nano, 0, {"key": "value"})


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A database with the columns that the audit reads, and one trace."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE audit")
    url = postgres_url.replace("/postgres?", "/audit?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
    yield url
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE audit WITH (FORCE)")


def insert(url: str, span_id: str, end_time_unix_nano: int = 2, name: str = "name") -> None:
    row = [1, span_id, "", name, 1, end_time_unix_nano, 0, '{"key":"value"}']
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO spans_span VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", row)


def test_killed_processes_lose_and_double_nothing_that_was_acknowledged() -> None:
    report = crash("--kills", "9", "--seed", "1", "--no-mlflow")
    assert "| kills | 9 |" in report
    assert "| lost | 0 |" in report


def test_sigterm_cuts_no_request_that_is_under_way() -> None:
    report = crash("--sigterm", "2")
    assert "| requests under way cut | 0 |" in report
    assert "| requests under way at the signal | 0 |" not in report


def test_the_audit_finds_nothing_wrong_with_what_was_sent(database_url: str) -> None:
    insert(database_url, "a")
    assert audit_spans(database_url, {("trace", "a"): version("a")}).counts == {}


def test_the_audit_notices_what_is_wrong(database_url: str) -> None:
    for span_id in ("twice", "twice", "stranger"):
        insert(database_url, span_id)
    insert(database_url, "old", end_time_unix_nano=1)
    insert(database_url, "half", name="")
    expected = {("trace", id_): version(id_) for id_ in ("twice", "old", "half", "missing")}
    assert audit_spans(database_url, expected).counts == {
        "doubled": 1,
        "unknown": 1,
        "old version": 1,
        "half-written": 1,
        "lost": 1,
    }
