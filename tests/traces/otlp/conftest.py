"""The receivers as they run, in threads of the test process and on its test database."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.servers import free_port
from traces.otlp.gate import Gate
from traces.otlp.grpc_server import start_server
from tracing_site.asgi import django_application
from tracing_site.serving.http_server import make_server


@dataclass
class HttpReceiver:
    """A running web process and a key for it."""

    port: int
    key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def headers(self, content_type: str = "application/x-protobuf", **more: str) -> dict[str, str]:
        fields = {name.replace("_", "-"): value for name, value in more.items()}
        return {"x-bee-authorization": self.key, "Content-Type": content_type} | fields

    def post(self, body: Any, path: str = "/v1/traces", **headers: str) -> "Reply":
        with contextlib.closing(self.connect()) as connection:
            connection.request("POST", path, body, self.headers(**headers))
            return reply(connection)

    def socket(self, head: str, body: bytes = b"") -> socket.socket:
        """A connection on which the start of a request was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), 30)
        connection.sendall(head.replace("\n", "\r\n").encode() + body)
        return connection


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


def reply(connection: http.client.HTTPConnection) -> Reply:
    response = connection.getresponse()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


@pytest.fixture
def receiver(transactional_db: None, key: str) -> Iterator[HttpReceiver]:
    port = free_port()
    server = make_server(app=Gate(django_application), port=port)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    yield HttpReceiver(port, key)
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def grpc_target(transactional_db: None) -> Iterator[str]:
    port = free_port()
    server = start_server("127.0.0.1", port)
    yield f"127.0.0.1:{port}"
    server.stop()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
