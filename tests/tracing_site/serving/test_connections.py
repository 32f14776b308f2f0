"""Clients that connect and do harm: what they get, and that nobody else notices."""

import contextlib
import http.client
import re
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import requests

from tests import servers
from tests.builders import export_request, span
from traces.otlp.allotment import Allotment
from traces.otlp.errors import OtlpError
from traces.otlp.signals import TRACES
from tracing_site.serving.connections import counted_address

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n"
BUNDLE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def connect(port: int, address: str = "127.0.0.1", sent: bytes = b"", receive_bytes: int = 0) -> socket.socket:
    """A connection from an address of loopback on which so much was sent."""
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    # Reset in the end, so that no hundreds of sockets stay in TIME_WAIT.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.settimeout(30)
    connection.bind((address, 0))
    connection.connect(("127.0.0.1", port))
    with contextlib.suppress(OSError):
        connection.sendall(sent)
    return connection


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = b""
    with contextlib.suppress(ConnectionError), connection:
        while part := connection.recv(65536):
            parts += part
    return parts


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has closed it, after whatever it sent."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def status(port: int, sent: bytes, address: str = "127.0.0.1") -> bytes:
    return received(connect(port, address, sent)).partition(b"\r\n")[0]


def frame(kind: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame of the connection itself."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, 0)) + bytes(4) + payload


def export(site: servers.Site, address: str = "127.0.0.1") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10, source_address=(address, 0))
    with contextlib.closing(connection):
        body = export_request(span()).SerializeToString()
        connection.request("POST", "/v1/traces", body, site.headers | {"Content-Type": "application/x-protobuf"})
        return connection.getresponse().status


def refusals(site: servers.Site) -> dict[str, float]:
    text = requests.get(f"{site.url}/metrics", headers=site.headers, timeout=10).text
    return {name: float(count) for name, count in re.findall(r'refused_total{reason="(.*)"} (\S+)', text)}


@contextlib.contextmanager
def closing_all() -> Iterator[list[socket.socket]]:
    connections: list[socket.socket] = []
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


@pytest.fixture(scope="module")
def site() -> Iterator[servers.Site]:
    with servers.site() as running:
        yield running


@pytest.fixture(scope="module")
def small() -> Iterator[servers.Site]:
    """With room for 30 connections, 20 of one address."""
    with servers.site(MAX_CONNECTIONS="30", MAX_CONNECTIONS_PER_ADDRESS="20") as running:
        yield running


@pytest.mark.parametrize(
    "head",
    [
        HEALTH + b"a: " + b"x" * 100_000,
        HEALTH + b"a: " + b" " * 100_000 + b"x",
        HEALTH + b"".join(b"header-%d: %s\r\n" % (number, b"x" * 1000) for number in range(100)),
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x",
        HEALTH + b"a: b\r\n" * 129,
    ],
    ids=["one header", "spaces", "many headers", "path", "small headers"],
)
def test_a_head_over_its_limit_is_431(site: servers.Site, head: bytes) -> None:
    assert status(site.port, head + b"\r\n\r\n") == b"HTTP/1.1 431 Request Header Fields Too Large"


def test_a_head_under_its_limit_is_answered_in_whatever_pieces_it_comes(site: servers.Site) -> None:
    head = HEALTH + b"Connection: close\r\na: " + b"x" * 65_000 + b"\r\n\r\n"
    connection = connect(site.port)
    for start in range(0, len(head), 5_000):
        connection.sendall(head[start : start + 5_000])
        time.sleep(0.01)
    assert received(connection).startswith(b"HTTP/1.1 200 OK")


def test_a_large_body_is_no_head(site: servers.Site) -> None:
    """Also where it arrives together with its head, and with the next request."""
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 200000\r\n"
    key = b"x-bee-authorization: test-key\r\n"
    close = b"Connection: close\r\n"
    sent = head + key + b"\r\n" + b"x" * 200_000 + HEALTH + close + b"\r\n"
    answers = received(connect(site.port, sent=sent))
    assert re.findall(rb"HTTP/1.1 \d+", answers) == [b"HTTP/1.1 200", b"HTTP/1.1 200"]


def test_pipelined_requests_are_answered_in_order_and_only_so_many(site: servers.Site) -> None:
    twenty = (HEALTH + b"\r\n") * 19 + HEALTH + b"Connection: close\r\n\r\n"
    assert received(connect(site.port, sent=twenty)).count(b"HTTP/1.1 200 OK") == 20
    assert received(connect(site.port, sent=(HEALTH + b"\r\n") * 5_000)).count(b"HTTP/1.1 200 OK") < 40
    assert export(site) == 200


def test_headers_with_underscores_are_not_taken(tmp_path) -> None:
    with servers.site(data_dir=tmp_path, PUBLIC_URL="https://traces.example.org") as site:
        for name, answer in (("X-Forwarded-Proto", b"200 OK"), ("X_Forwarded_Proto", b"301 Moved Permanently")):
            request = f"GET /admin/login/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{name}: https\r\n\r\n"
            assert status(site.port, request.encode()) == b"HTTP/1.1 " + answer
        request = b"GET /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s: test-key\r\n\r\n"
        assert status(site.port, request % b"x-bee-authorization") == b"HTTP/1.1 200 OK"
        assert status(site.port, request % b"x_bee_authorization") == b"HTTP/1.1 401 Unauthorized"


def test_whoever_sends_no_whole_head_is_left_after_15_seconds(site: servers.Site) -> None:
    kept = requests.Session()
    assert kept.get(f"{site.url}/health").ok
    half_later = connect(site.port, sent=HEALTH + b"\r\n")
    time.sleep(0.5)
    half_later.sendall(b"GET /health HT")
    grpc_port = int(site.grpc_target.rpartition(":")[2])
    began = time.monotonic()
    slow = [
        connect(site.port),
        connect(site.port, sent=b"\r\n"),
        connect(site.port, sent=b"GET /health HT"),
        half_later,
        connect(grpc_port),
        connect(grpc_port, sent=PREFACE[:9]),
        connect(grpc_port, sent=PREFACE),
    ]
    trickling = connect(site.port, sent=b"GET /")
    answers: list[bytes] = [b""] * len(slow)

    def collect(place: int) -> None:
        answers[place] = received(slow[place])

    threads = [threading.Thread(target=collect, args=(place,)) for place in range(len(slow))]
    for thread in threads:
        thread.start()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 20:  # a byte a second
            trickling.sendall(b"x")
            time.sleep(1)
    assert time.monotonic() - began < 19
    trickling.close()
    for thread in threads:
        thread.join(20)
    assert time.monotonic() - began < 25
    assert answers[0] == b""
    assert answers[1].startswith(answers[2][:20])
    assert answers[2].startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert re.findall(rb"HTTP/1.1 \d+", answers[3]) == [b"HTTP/1.1 200", b"HTTP/1.1 408"]
    assert all(b"handshake timeout" in answer for answer in answers[4:])
    assert kept.get(f"{site.url}/health").ok  # it waits between requests, which is no head
    assert {"nothing sent", "head too slow"} <= refusals(site).keys()
    assert "Refused connections: head too slow address=127.0.0.1" in site.log


def test_held_connections_give_way_to_new_ones(small: servers.Site) -> None:
    with closing_all() as held:
        for _ in range(60):
            held.append(connect(small.port, sent=b"GET / HT"))
        assert [export(small) for _ in range(3)] == [200] * 3
        for address in ("127.0.0.2", "127.0.0.3"):
            for _ in range(30):
                held.append(connect(small.port, address))
            assert [export(small, "127.0.0.4"), export(small)] == [200, 200]
    assert refusals(small)["gave way"] > 40
    lines = [line for line in small.log.splitlines() if "gave way" in line]
    assert 1 <= len(lines) < 10, "a line now and then, not one a connection"


def test_requests_under_way_are_not_cut_for_new_connections(small: servers.Site) -> None:
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
    body = export_request(span()).SerializeToString()
    head += b"x-bee-authorization: test-key\r\nContent-Length: %d\r\n\r\n" % len(body)
    with closing_all() as slow:
        for _ in range(20):
            slow.append(connect(small.port, sent=head + body[:-1]))
        time.sleep(0.5)
        assert status(small.port, HEALTH + b"\r\n") == b"HTTP/1.1 503 Service Unavailable"
        assert export(small, "127.0.0.2") == 200
        for connection in slow:
            connection.sendall(body[-1:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert refusals(small)["too many of one address"] >= 1


def test_grpc_takes_so_many_connections_and_those_it_has_go_on(small: servers.Site) -> None:
    port = int(small.grpc_target.rpartition(":")[2])
    message = export_request(span()).SerializeToString()
    with grpc.insecure_channel(small.grpc_target) as channel, closing_all() as held:
        call = channel.unary_unary(TRACES.grpc_method)
        metadata = (("x-bee-authorization", "test-key"),)
        call(message, metadata=metadata, timeout=10)
        for _ in range(40):
            held.append(connect(port, sent=PREFACE + frame(4)))
        time.sleep(1)
        refused = sum(is_closed(connection) for connection in held)
        assert refused >= 10
        call(message, metadata=metadata, timeout=10)


def test_grpc_sends_away_what_pings_all_the_time_and_refuses_large_metadata(site: servers.Site) -> None:
    port = int(site.grpc_target.rpartition(":")[2])
    pings = connect(port, sent=PREFACE + frame(4) + frame(6, b"12345678") * 20)
    assert b"too_many_pings" in received(pings)
    with grpc.insecure_channel(site.grpc_target) as channel:
        call = channel.unary_unary(TRACES.grpc_method)
        key = ("x-bee-authorization", "test-key")
        call(b"", metadata=(key, ("a", "x" * 10_000)), timeout=10)
        with pytest.raises(grpc.RpcError) as raised:
            call(b"", metadata=(key, ("a", "x" * 20_000)), timeout=10)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_files_that_nobody_reads_hold_no_thread(site: servers.Site) -> None:
    request = f"GET {BUNDLE} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 10
    with closing_all() as slow:
        for _ in range(24):
            slow.append(connect(site.port, sent=request, receive_bytes=2048))
        time.sleep(0.5)
        assert requests.get(f"{site.url}/admin/login/", timeout=5).ok


def test_bodies_that_never_end_take_no_memory_of_exports_nor_of_other_addresses(site: servers.Site) -> None:
    head = b"POST /admin/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"
    with closing_all() as slow:
        for _ in range(60):
            slow.append(connect(site.port, sent=head + b"x" * 1_999_999))
        time.sleep(1)
        assert export(site) == 200
        form = (
            b"POST /admin/login/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
        )
        assert status(site.port, form, "127.0.0.2") == b"HTTP/1.1 403 Forbidden"


def test_a_holder_leaves_the_others_something() -> None:
    memory = Allotment(100)
    memory.take("a", 50)
    with pytest.raises(OtlpError, match="too much is being received"):
        memory.take("a", 1)
    memory.take("b", 25)
    with pytest.raises(OtlpError):
        memory.take("b", 1)
    memory.take("c", 10)
    memory.give_back("a", 50)
    memory.take("b", 5)
    assert (memory.taken, dict(memory.by_holder)) == (40, {"b": 30, "c": 10})


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, counted: str) -> None:
    assert counted_address(address) == counted


def open_files(process_id: int) -> tuple[str, str]:
    limits = (line.split() for line in Path(f"/proc/{process_id}/limits").read_text().splitlines())
    return next((line[3], line[4]) for line in limits if line[:3] == ["Max", "open", "files"])


@pytest.mark.parametrize("arguments", [["serve"], ["web"], ["grpc"]])
def test_descriptors_are_raised_to_the_hard_limit_and_connections_fit(arguments: list[str], tmp_path) -> None:
    """With 256 descriptors, 400 connections that send nothing keep nobody out."""
    port, grpc_port = servers.free_port(), servers.free_port()
    environment = servers.clean_environment(
        DATA_DIR=str(tmp_path), PORT=str(port), GRPC_PORT=str(grpc_port), MLFLOW_TRACKING_URI="off"
    )
    listened = grpc_port if arguments == ["grpc"] else port
    with (
        servers.running(
            [sys.executable, "manage.py", *arguments],
            environment=environment,
            log=tmp_path / "log",
            ready=lambda: servers.is_listening(listened),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 256)),
        ) as process,
        closing_all() as held,
    ):
        assert open_files(process.pid) == ("256", "256")
        assert "256 descriptors are enough for 64 connections" in (tmp_path / "log").read_text()
        if listened == port:
            for _ in range(400):
                held.append(connect(port))
            assert [requests.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code for _ in range(5)] == [
                200
            ] * 5
