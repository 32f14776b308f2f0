"""Readiness: what it finds, and that it answers in time whatever hangs."""

import contextlib
import socket
import threading
import time

import pytest
from django.db import connection, connections
from django.db.utils import OperationalError

from tests.servers import free_port
from traces.ingest import database_faults
from tracing_site import health

CHECKS = {"database", "migrations", "partitions", "disk", "mirror", "redis", "mlflow"}


@pytest.fixture(autouse=True)
def no_recent_fault(monkeypatch):
    """No earlier test's full disk or read-only database is remembered."""
    monkeypatch.setattr(database_faults, "_last_seen", {})


@pytest.fixture
def settled(client, settle):
    """The answer once every look that it began has ended."""

    def ask():
        settle()
        return client.get("/readyz")

    return ask


@contextlib.contextmanager
def listener_that_never_answers():
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield server.getsockname()[1]


def test_a_process_with_its_database_is_ready(settled):
    response = settled()
    answer = response.json()
    assert (response.status_code, answer.pop("status")) == (200, "ok")
    assert set(answer) == CHECKS
    assert {finding["state"] for finding in answer.values()} <= {"ok", "off"}
    assert all(0 <= finding["age_seconds"] < 5 for finding in answer.values())
    assert answer["database"]["round_trip_ms"] > 0


def test_on_postgresql_partitions_ahead_are_looked_at(settled):
    if connection.vendor != "postgresql":
        assert settled().json()["partitions"]["state"] == "off"
        return
    assert settled().json()["partitions"]["days"] >= health.DAYS_OF_PARTITIONS


def test_sqlites_free_disk_is_looked_at(settled, monkeypatch):
    if connection.vendor != "sqlite":
        assert settled().json()["disk"]["state"] == "off"
        return
    assert settled().json()["disk"]["free_bytes"] > 0
    monkeypatch.setattr(health, "LOW_DISK_BYTES", 1 << 62)
    monkeypatch.setattr(health, "PROBES", health.make_probes())
    answer = settled()
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["disk"]["detail"] == "less than 1 GiB is free"


def test_a_process_whose_redis_is_down_is_ready_and_degraded(settled, settings):
    settings.REDIS_URL = "redis://:secret@127.0.0.1:1/0"
    response = settled()
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert "Redis does not answer" in response.json()["redis"]["detail"]
    assert "secret" not in response.content.decode()


def test_a_process_whose_mlflow_is_down_is_ready_and_degraded(settled, settings):
    settings.MLFLOW_TRACKING_URI = "http://user:secret@127.0.0.1:1"
    response = settled()
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert response.json()["mlflow"]["state"] == "warning"
    assert "secret" not in response.content.decode()


def test_a_missing_migration_makes_it_unready(settled):
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, applied FROM django_migrations WHERE app = 'traces'")
        applied = cursor.fetchall()
        cursor.execute("DELETE FROM django_migrations WHERE app = 'traces'")
    try:
        response = settled()
    finally:
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES ('traces', %s, %s)", applied)
    assert (response.status_code, response.json()["status"]) == (503, "unavailable")
    assert "manage.py migrate" in response.json()["migrations"]["detail"]


def test_a_database_that_is_down_makes_it_unready(settled, monkeypatch):
    def refuse(*arguments):
        raise OperationalError("no route to host secret-host")

    with monkeypatch.context() as patch:
        patch.setattr(type(connections["default"]), "get_new_connection", refuse)
        response = settled()
    assert (response.status_code, response.json()["status"]) == (503, "unavailable")
    assert response.json()["database"]["detail"] == "the database does not answer"
    assert "secret-host" not in response.content.decode()


def test_it_answers_within_a_tenth_of_a_second_while_everything_hangs(client, settle, settings, monkeypatch):
    release = threading.Event()

    def hang(*arguments):
        release.wait(20)
        raise OperationalError

    with listener_that_never_answers() as port, monkeypatch.context() as patch:
        patch.setattr(type(connections["default"]), "get_new_connection", hang)
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
        settings.MLFLOW_TRACKING_URI = f"http://127.0.0.1:{port}"
        patch.setattr("mlflow_sync.client.CHECK_SECONDS", 0.5)
        client.get("/health")  # loads what the first request loads
        try:
            for _ in range(3):
                started = time.perf_counter()
                response = client.get("/readyz")
                assert time.perf_counter() - started < 0.15
                assert response.status_code == 503
                assert response.json()["database"]["detail"] == "no answer yet"
        finally:
            release.set()


def test_what_was_found_stays_valid_for_a_while_and_then_counts_as_no_answer(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(health, "STALE_SECONDS", 0.3)
    looks = iter([lambda: None, release.wait])

    def look():
        next(looks)()
        return {"thing": health.Finding(health.OK)}

    probe = health.Probe(("thing",), look, fresh_seconds=0)
    probe.start()
    assert probe.read()[0]["thing"].state == health.OK
    probe.start()
    assert probe.read()[0]["thing"].state == health.OK
    time.sleep(0.4)
    findings, age = probe.read()
    assert (findings["thing"].state, age > 0.3) == (health.FAILING, True)
    assert "no answer for" in findings["thing"].detail
    release.set()
