"""A full disk and a read-only database: exports get a 503 that says so, reads go on, and it heals by itself."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections
from django.db.backends.signals import connection_created
from google.rpc.status_pb2 import Status

from spans.models import Span
from tests.builders import export_request, span
from tests.traces.otlp.conftest import HttpReceiver
from traces.otlp import codec
from traces.otlp.signals import TRACES

pytestmark = pytest.mark.django_db(transaction=True)


def large_request() -> bytes:
    """More than SQLite finds room for in the pages that it has."""
    return codec.serialize(export_request(span(attrs={"input.value": "x" * 1_000_000})), codec.Encoding.PROTOBUF)


class SqliteDisk:
    """The room for the database file, for every connection of this process."""

    def __init__(self) -> None:
        self.connections: list[Any] = []
        self.max_pages = 1 << 30

    def note(self, connection: Any, **_: Any) -> None:
        self.connections.append(connection.connection)
        connection.connection.execute(f"PRAGMA max_page_count={self.max_pages}")

    def set_max_pages(self, pages: int) -> None:
        """SQLite takes less than there are for as many as there are."""
        self.max_pages = pages
        for raw in self.connections:
            with contextlib.suppress(sqlite3.ProgrammingError):  # its thread has closed it
                raw.execute(f"PRAGMA max_page_count={pages}")


@pytest.fixture
def disk() -> Iterator[SqliteDisk]:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite's room can be limited without a file system of its own")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # pages that earlier tests have freed are room, too
    limit = SqliteDisk()
    connection_created.connect(limit.note)
    yield limit
    connection_created.disconnect(limit.note)


def send(receiver: HttpReceiver) -> tuple[int, str]:
    """HTTP status of an export, and the message of the google.rpc.Status if it failed."""
    answer = receiver.post(large_request())
    if answer.status == 200:
        return 200, ""
    assert answer.headers["retry-after"] == str(settings.RETRY_AFTER_SECONDS)
    return answer.status, codec.parse(answer.body, Status, codec.Encoding.PROTOBUF).message


def send_grpc(target: str, key: str) -> tuple[grpc.StatusCode, str]:
    with grpc.insecure_channel(target) as channel:
        call = channel.unary_unary(TRACES.grpc_method)
        try:
            call(large_request(), metadata=(("x-bee-authorization", key),), timeout=30)
        except grpc.RpcError as error:
            return error.code(), error.details()
    return grpc.StatusCode.OK, ""


def stored_traces(receiver: HttpReceiver) -> int:
    """What the read API of the same process lists."""
    connection = receiver.connect()
    connection.request("GET", "/v1/traces", headers=receiver.headers())
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200, body
    return len(json.loads(body)["results"])


def test_a_full_sqlite_is_503_reads_go_on_and_it_heals(
    disk: SqliteDisk, receiver: HttpReceiver, grpc_target: str
) -> None:
    assert send(receiver) == (200, "")
    assert send_grpc(grpc_target, receiver.key) == (grpc.StatusCode.OK, "")
    disk.set_max_pages(1)
    for _ in range(3):
        status, message = send(receiver)
        assert (status, "no space left" in message) == (503, True), message
        code, message = send_grpc(grpc_target, receiver.key)
        assert (code, "no space left" in message) == (grpc.StatusCode.UNAVAILABLE, True), message
    assert stored_traces(receiver) == 2
    disk.set_max_pages(1 << 30)
    assert send(receiver) == (200, "")
    assert send_grpc(grpc_target, receiver.key) == (grpc.StatusCode.OK, "")
    assert Span.objects.count() == 4


def make_read_only(value: str) -> None:
    """As a failover does: sessions end, and new ones find a server that takes no writes, or takes them again."""
    parameters = connections["default"].get_connection_params()
    parameters = {name: value for name, value in parameters.items() if name in {"host", "port", "user", "password"}}
    with psycopg.connect(**parameters, dbname="postgres", autocommit=True) as admin:
        name = connection.settings_dict["NAME"]
        admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}')
        if value == "on":
            own = connection.connection.info.backend_pid
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s", [name, own]
            )


def test_a_read_only_postgresql_is_503_reads_go_on_and_it_heals(receiver: HttpReceiver, grpc_target: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has default_transaction_read_only")
    assert send(receiver) == (200, "")
    connection.ensure_connection()
    make_read_only("on")
    try:
        for _ in range(3):
            status, message = send(receiver)
            assert (status, "read-only" in message) == (503, True), message
            code, message = send_grpc(grpc_target, receiver.key)
            assert (code, "read-only" in message) == (grpc.StatusCode.UNAVAILABLE, True), message
        assert stored_traces(receiver) == 1
    finally:
        make_read_only("off")
    assert send(receiver) == (200, "")
    assert send_grpc(grpc_target, receiver.key) == (grpc.StatusCode.OK, "")
    assert Span.objects.count() == 3


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has connections to lose")
def test_a_restarted_postgresql_costs_no_request(receiver: HttpReceiver, grpc_target: str) -> None:
    for _ in range(3):
        for _ in range(4):
            assert send(receiver) == (200, "")
            assert send_grpc(grpc_target, receiver.key) == (grpc.StatusCode.OK, "")
        with ThreadPoolExecutor(8) as clients:
            assert set(clients.map(lambda _: send(receiver), range(24))) == {(200, "")}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL is reached over a network")
def test_a_server_that_vanishes_is_noticed_within_half_a_minute() -> None:
    connection.ensure_connection()
    found = connection.connection.info.get_parameters()
    idle, pause, tries = (int(found[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert idle + pause * tries <= 30
    assert int(found["tcp_user_timeout"]) <= 30_000
