"""Bad input against running receivers: no 500, no stopped process, no other batch touched."""

import contextlib
import gzip
import random
import socket
import struct
import time
from typing import Any

import pytest

from spans.models import Span
from tests.builders import export_request, span
from tests.traces.otlp.conftest import HttpReceiver
from tracing_site.serving import web_protocol

GOOD_ANSWERS = {200, 400, 413, 415}


def still_works(receiver: HttpReceiver) -> None:
    one = span()
    assert receiver.post(export_request(one).SerializeToString()).status == 200
    assert Span.objects.filter(span_id=one.span_id.hex()).exists()


def deep(levels: int) -> bytes:
    """A request with an attribute value of arrays in arrays, made by hand: builders would recurse."""
    value = b""
    for _ in range(levels):
        value = field(5, field(1, value))
    attribute = field(1, b"k") + field(2, value)
    one = field(1, b"t" * 16) + field(2, b"s" * 8) + field(9, attribute)
    return field(1, field(2, field(2, one)))


def field(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size > 0x7F:
        length += bytes((size & 0x7F | 0x80,))
        size >>= 7
    return bytes((number << 3 | 2,)) + length + bytes((size,)) + content


@pytest.mark.parametrize("levels", [1_000, 10_000])
def test_a_value_ten_thousand_deep_is_400_in_both_encodings(receiver: HttpReceiver, levels: int) -> None:
    assert receiver.post(deep(levels)).status == 400
    value = b'{"arrayValue":{"values":[' * levels + b"]}}" * levels
    body = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":' + value + b"}]}}]}"
    assert receiver.post(body, content_type="application/json").status == 400
    still_works(receiver)


@pytest.mark.parametrize("inside", [b"\0" * (80 * 1024 * 1024), gzip.compress(b"\0" * (300 * 1024 * 1024))])
def test_decompression_bombs_are_refused(receiver: HttpReceiver, inside: bytes) -> None:
    assert receiver.post(gzip.compress(inside), Content_Encoding="gzip").status in {400, 413}
    still_works(receiver)


@pytest.mark.parametrize(
    "element",
    [b"\x12\x02\x30\x01", b"\x12\x03\x2a\x01a", b"\x5a\x03\x12\x01a"],
    ids=["small spans", "named spans", "named events"],
)
def test_millions_of_small_elements_are_413(receiver: HttpReceiver, element: bytes) -> None:
    elements = element * (16 * 1024 * 1024 // len(element))
    if element.startswith(b"\x5a"):
        elements = field(2, field(1, b"t" * 16) + field(2, b"s" * 8) + elements)
    assert receiver.post(field(1, field(2, elements))).status == 413
    assert not Span.objects.exists()
    still_works(receiver)


def test_nul_and_lone_surrogates_never_fail_on_our_side(receiver: HttpReceiver) -> None:
    one = span("a\0b", attrs={"k\0": ["\0", {"\0": "\0"}]})
    one.status.message = one.trace_state = "\0"
    assert receiver.post(export_request(one).SerializeToString()).status == 200
    for text in (b"\xed\xa0\x80", b"\xff", b"\xc0\x80"):
        body = export_request(span("placeholder")).SerializeToString().replace(b"placeholder", text.ljust(11, b"x"))
        assert receiver.post(body).status == 400
    body = b'{"resourceSpans":[{"schemaUrl":"\\ud800"}]}'
    assert receiver.post(body, content_type="application/json").status in {200, 400}
    assert Span.objects.count() == 1


@pytest.mark.parametrize("media_type", ["application/x-protobuf", "application/json"])
def test_damaged_bodies_get_an_otlp_answer_and_harm_no_other_batch(receiver: HttpReceiver, media_type: str) -> None:
    rng = random.Random(4)
    good = export_request(span("good", attrs={"k": [1, {"a": b"b"}], "f": float("nan")})).SerializeToString()
    if media_type == "application/json":
        good = (
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"n","kind":1}]}]}]}'
            % (
                b"ab" * 16,
                b"cd" * 8,
            )
        )
    statuses = set()
    for _ in range(150):
        damaged = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        statuses.add(
            receiver.post(bytes(damaged[: rng.randrange(1, len(damaged) + 1)]), content_type=media_type).status
        )
    assert statuses <= GOOD_ANSWERS
    assert 400 in statuses
    still_works(receiver)


def test_any_value_and_id_is_stored_or_counted(receiver: HttpReceiver) -> None:
    values: list[Any] = [2**63 - 1, -(2**63), float("inf"), b"\0\xff", "\U0010ffff", "", [], {}, None, {"$bytes": "x"}]
    good = span("good")
    odd = [span(attrs={"k": value}) for value in values]
    bad = [span(), span(), span()]
    bad[0].trace_id, bad[1].span_id, bad[2].trace_id = bytes(16), b"1234567", b"x" * 17
    reply = receiver.post(export_request(good, *odd, *bad).SerializeToString())
    assert reply.status == 200
    assert Span.objects.count() == 1 + len(odd)


def test_a_thousand_idle_connections_hinder_nobody(receiver: HttpReceiver) -> None:
    idle = []
    try:
        for _ in range(1_000):
            idle.append(socket.create_connection(("127.0.0.1", receiver.port), 10))
        still_works(receiver)
    finally:
        for connection in idle:
            # Reset, so that no thousand of sockets stays in TIME_WAIT.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    still_works(receiver)


def test_a_body_that_goes_on_after_its_answer_ends_the_connection(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_protocol, "BODY_SECONDS", 0.5)
    connection = receiver.socket("POST /v1/traces HTTP/1.1\nHost: x\nContent-Length: 1000000\n\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 10:
            connection.sendall(b"x")
            time.sleep(0.1)
    assert time.monotonic() - began < 5


def test_a_body_that_ends_after_its_answer_leaves_the_connection(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_protocol, "BODY_SECONDS", 0.5)
    connection = receiver.socket("POST /v1/traces HTTP/1.1\nHost: x\nContent-Length: 100\n\n", b"x")
    assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")
    connection.sendall(b"x" * 99)
    time.sleep(1)
    connection.sendall(b"GET /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_an_answer_that_nobody_reads_ends_its_connection(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_protocol, "UNREAD_SECONDS", 0.5)
    file = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", receiver.port))
        connection.sendall(f"GET {file} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 20)
        time.sleep(2)
        connection.settimeout(5)
        size = 0
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1_000_000):
                size += len(part)
    assert 0 < size < 15_000_000


@pytest.mark.parametrize("size", [40_000, 65_536, 66_000, 130_000, 400_000])
def test_bodies_count_for_no_head_of_their_connection(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(web_protocol, "HEAD_SECONDS", 0.3)
    head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
    body = export_request(span(attrs={"k": "x" * size})).SerializeToString()
    head += f"x-bee-authorization: {receiver.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", receiver.port), 10) as connection:
        for _ in range(4):
            connection.sendall(head.encode() + body)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        time.sleep(0.6)
        connection.sendall(head.encode() + body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
