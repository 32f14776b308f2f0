"""OTLP over HTTP through the real server: requirements 1, 2, 3, 4 and 8.2."""

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection as database
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from projects.models import ApiKey
from spans.models import Span
from tests.builders import export_request, span
from tests.event_loop import run_apart
from tests.traces.otlp.conftest import HttpReceiver, Reply, reply, wait_for
from traces.models import ExportReceipt
from traces.otlp import codec
from traces.otlp.codec import Encoding
from traces.otlp.gate import Gate

pytestmark = pytest.mark.django_db(transaction=True)

PROTOBUF = Encoding.PROTOBUF.value
JSON = Encoding.JSON.value


def body(request: ExportTraceServiceRequest | None = None, encoding: Encoding = Encoding.PROTOBUF) -> bytes:
    return codec.serialize(request or export_request(span()), encoding)


def status_of(answer: Reply, media_type: str = PROTOBUF) -> Status:
    """The google.rpc.Status of an error answer, which must be in this encoding and of no other kind."""
    assert answer.headers["content-type"] == media_type
    status = codec.parse(answer.body, Status, Encoding(media_type))
    assert status.message
    assert status.code
    return status


# Encodings


@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_span_is_stored_and_the_answer_has_the_requests_encoding(receiver: HttpReceiver, encoding: Encoding) -> None:
    answer = receiver.post(body(encoding=encoding), content_type=f"{encoding.value.upper()}; charset=utf-8")
    assert (answer.status, answer.headers["content-type"]) == (200, encoding.value)
    assert codec.parse(answer.body, ExportTraceServiceResponse, encoding) == ExportTraceServiceResponse()
    assert Span.objects.count() == 1


def test_an_answer_in_json_is_an_empty_object(receiver: HttpReceiver) -> None:
    assert receiver.post(b"{}", content_type=JSON).body == b"{}"


def test_a_request_without_bytes_is_a_success_in_protobuf(receiver: HttpReceiver) -> None:
    assert receiver.post(b"").status == 200
    assert receiver.post(gzip.compress(b""), Content_Encoding="gzip").status == 200


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_request_without_bytes_is_malformed_in_json(receiver: HttpReceiver, path: str, coding: str) -> None:
    content = gzip.compress(b"") if coding == "gzip" else b""
    answer = receiver.post(content, path, content_type=JSON, Content_Encoding=coding)
    assert (answer.status, status_of(answer, JSON).code) == (400, 3)


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/protobuf"])
def test_another_content_type_is_415(receiver: HttpReceiver, content_type: str) -> None:
    answer = receiver.post(body(), content_type=content_type)
    assert answer.status == 415
    assert status_of(answer, JSON).code == 3
    assert Span.objects.count() == 0


@pytest.mark.parametrize(
    ("coding", "encode"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes), ("GZIP", gzip.compress)],
)
def test_compressed_bodies_are_stored(receiver: HttpReceiver, coding: str, encode: Any) -> None:
    assert receiver.post(encode(body()), Content_Encoding=coding).status == 200
    assert Span.objects.count() == 1


def test_another_coding_is_415_and_stores_nothing(receiver: HttpReceiver) -> None:
    answer = receiver.post(body(), Content_Encoding="zstd")
    assert answer.status == 415
    assert "gzip" in status_of(answer).message
    assert Span.objects.count() == 0


def test_a_broken_gzip_body_is_400(receiver: HttpReceiver) -> None:
    answer = receiver.post(gzip.compress(body())[:-1], Content_Encoding="gzip")
    assert answer.status == 400
    assert status_of(answer).code == 3


def test_chunked_bodies_work(receiver: HttpReceiver) -> None:
    content = body()
    parts = [content[start : start + 7] for start in range(0, len(content), 7)]
    assert receiver.post(iter(parts)).status == 200
    assert Span.objects.count() == 1


def test_browser_headers_change_nothing(receiver: HttpReceiver) -> None:
    headers = {
        "Origin": "https://elsewhere.example",
        "Cookie": "sessionid=1; csrftoken=2",
        "Referer": "https://a.example",
    }
    answer = receiver.post(body(), Accept="text/html", User_Agent="Mozilla", **headers)
    assert (answer.status, answer.headers["content-type"]) == (200, PROTOBUF)


def test_one_connection_serves_on_after_errors(receiver: HttpReceiver) -> None:
    connection = receiver.connect()
    statuses = []
    for content, headers in [
        (b"\xff", receiver.headers()),
        (body(), receiver.headers("text/plain")),
        (body(), {"Content-Type": PROTOBUF}),
        (body(), receiver.headers()),
    ]:
        connection.request("POST", "/v1/traces", content, headers)
        statuses.append(reply(connection).status)
        if len(statuses) == 1:
            first = connection.sock
    assert statuses == [400, 415, 401, 200]
    assert connection.sock is first
    connection.close()


# Answers


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
def test_data_that_cannot_be_decoded_is_400(receiver: HttpReceiver, media_type: str) -> None:
    answer = receiver.post(b"\x08\xe8 \x10\xb8\x17", content_type=media_type)
    assert answer.status == 400
    assert status_of(answer, media_type).code == 3


def test_invalid_spans_beside_valid_ones_are_counted(receiver: HttpReceiver) -> None:
    bad = span()
    bad.span_id = bytes(8)
    answer = receiver.post(body(export_request(span(), bad, bad, span()), Encoding.JSON), content_type=JSON)
    partial = json.loads(answer.body)["partialSuccess"]
    assert (answer.status, partial["rejectedSpans"]) == (200, "2")
    assert "span_id" in partial["errorMessage"]
    assert Span.objects.count() == 2


@pytest.mark.parametrize("media_type", [PROTOBUF, JSON])
@pytest.mark.parametrize("path", ["/v1/traces/", "/v1/metrics/x"])
def test_unknown_paths_get_a_status_and_no_page(receiver: HttpReceiver, path: str, media_type: str) -> None:
    answer = receiver.post(b"", path, content_type=media_type)
    assert answer.status == 404
    if media_type == PROTOBUF or path == "/v1/traces/":
        assert status_of(answer, media_type).code == 5


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(receiver: HttpReceiver, method: str) -> None:
    connection = receiver.connect()
    connection.request(method, "/v1/traces", body(), receiver.headers())
    answer = reply(connection)
    connection.close()
    assert answer.status == 405
    assert not ExportReceipt.objects.exists()
    assert status_of(answer).code == 12


def test_djangos_own_error_pages_become_a_status(receiver: HttpReceiver, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["tracing.example"]
    connection = receiver.connect()
    connection.request("PUT", "/v1/traces", body(), receiver.headers())
    answer = reply(connection)
    assert answer.status == 400
    assert status_of(answer).code == 3


def test_an_export_may_name_any_host(receiver: HttpReceiver, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["tracing.example"]  # against pages that lure a browser; an exporter has a key
    assert receiver.post(body()).status == 200


# Keys


def test_without_a_key_it_is_401(receiver: HttpReceiver) -> None:
    connection = receiver.connect()
    connection.request("POST", "/v1/traces", body(), {"Content-Type": JSON})
    answer = reply(connection)
    connection.close()
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert status_of(answer, JSON).code == 16


@pytest.mark.parametrize("header", ["x-bee-authorization", "X-BEE-Authorization"])
def test_key_header_names_are_case_insensitive(receiver: HttpReceiver, header: str) -> None:
    connection = receiver.connect()
    connection.request("POST", "/v1/traces", body(), {"Content-Type": PROTOBUF, header: receiver.key})
    assert reply(connection).status == 200
    connection.close()


@pytest.mark.parametrize(
    ("form", "status"),
    [("Bearer {}", 200), ("bearer {}", 200), ("Bearer%20{}", 200), ("Bearer+{}", 200), ("{}", 200), ("Basic {}", 401)],
)
def test_the_key_may_be_a_bearer_token(receiver: HttpReceiver, form: str, status: int) -> None:
    connection = receiver.connect()
    headers = {"Content-Type": PROTOBUF, "Authorization": form.format(receiver.key)}
    connection.request("POST", "/v1/traces", body(), headers)
    assert reply(connection).status == status
    connection.close()


def test_a_401_says_what_was_wrong_with_the_key_that_was_sent(receiver: HttpReceiver) -> None:
    for wrong, said in (("Bearer%20", "without a key"), (receiver.key[:-1], "its end is missing")):
        answer = receiver.post(body(), x_bee_authorization=wrong)
        assert (answer.status, said in status_of(answer, PROTOBUF).message) == (401, True)
        assert wrong.encode() not in answer.body


def test_keys_are_compared_exactly(receiver: HttpReceiver) -> None:
    for wrong in (receiver.key.upper(), receiver.key + "x", receiver.key[:-1], "x", ""):
        assert receiver.post(body(), x_bee_authorization=wrong).status == 401


def test_a_revoked_key_is_refused_at_once(receiver: HttpReceiver) -> None:
    assert receiver.post(body()).status == 200
    ApiKey.objects.update(revoked_at="2020-01-01T00:00:00Z")
    assert receiver.post(body()).status == 401


def test_a_key_without_the_ingest_scope_is_403(receiver: HttpReceiver) -> None:
    ApiKey.objects.update(can_ingest=False)
    answer = receiver.post(body())
    assert answer.status == 403
    assert status_of(answer).code == 7


def test_the_use_of_a_key_is_noted(receiver: HttpReceiver) -> None:
    receiver.post(body())
    assert ApiKey.objects.get().last_used_at is not None


def test_the_key_is_checked_before_the_body_is_sent(receiver: HttpReceiver) -> None:
    head = f"POST /v1/traces HTTP/1.1\nHost: x\nContent-Type: {PROTOBUF}\nContent-Length: 1000000\n\n"
    with contextlib.closing(receiver.socket(head)) as connection:
        assert b" 401 " in connection.recv(1000)


# Limits


def test_an_announced_body_over_the_limit_is_refused_before_it_is_sent(receiver: HttpReceiver) -> None:
    length = django_settings.MAX_BODY_BYTES + 1
    head = f"POST /v1/traces HTTP/1.1\nHost: x\nContent-Type: {PROTOBUF}\nContent-Length: {length}\n"
    with contextlib.closing(receiver.socket(f"{head}x-bee-authorization: {receiver.key}\n\n")) as connection:
        assert b" 413 " in connection.recv(1000)


def test_a_chunked_body_over_the_limit_is_413(receiver: HttpReceiver, settings: Any) -> None:
    settings.MAX_BODY_BYTES = 100_000
    answer = receiver.post(bytes(10_000) for _ in range(20))
    assert answer.status == 413
    assert status_of(answer).code == 8


def test_a_body_that_inflates_over_the_limit_is_413(receiver: HttpReceiver, settings: Any) -> None:
    settings.MAX_BODY_BYTES = 100_000
    assert receiver.post(gzip.compress(bytes(100_001)), Content_Encoding="gzip").status == 413


def test_a_large_body_under_the_limit_is_stored_whole(receiver: HttpReceiver) -> None:
    request = export_request(*(span(attrs={"text": "x" * 1024 * 1024}) for _ in range(32)))
    assert receiver.post(gzip.compress(body(request), 1), Content_Encoding="gzip").status == 200
    assert Span.objects.count() == 32


def test_headers_over_the_limit_are_refused(receiver: HttpReceiver) -> None:
    with contextlib.closing(receiver.socket("POST /v1/traces HTTP/1.1\nHost: x\nX-Long: ")) as connection:
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(b"x" * 10_000)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = connection.recv(1000)
        assert answer == b"" or b" 431 " in answer
    assert receiver.post(body()).status == 200


def test_past_the_concurrency_limit_it_is_503_at_once(receiver: HttpReceiver, settings: Any) -> None:
    settings.MAX_CONCURRENT_EXPORTS = 0
    answer = receiver.post(body())
    assert answer.status == 503
    assert answer.headers["retry-after"] == str(django_settings.RETRY_AFTER_SECONDS)
    assert status_of(answer).code == 14


def test_a_body_that_comes_too_slowly_is_408(receiver: HttpReceiver, monkeypatch: Any) -> None:
    monkeypatch.setattr("traces.otlp.gate.BODY_SECONDS", 0.3)
    with contextlib.closing(receiver.socket(head(receiver, 100), b"x")) as connection:
        assert b" 408 " in connection.recv(1000)


def head(receiver: HttpReceiver, length: int) -> str:
    fields = f"Content-Type: {PROTOBUF}\nx-bee-authorization: {receiver.key}\nContent-Length: {length}"
    return f"POST /v1/traces HTTP/1.1\nHost: x\n{fields}\n\n"


def test_slow_senders_and_idle_connections_hinder_nobody(receiver: HttpReceiver) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(contextlib.closing(receiver.socket(head(receiver, 1000), b"half")))
        for _ in range(800):
            stack.enter_context(contextlib.closing(receiver.socket("")))
        started = time.monotonic()
        assert receiver.post(body()).status == 200
        assert time.monotonic() - started < 3


def test_slow_senders_on_other_paths_hinder_nobody(receiver: HttpReceiver) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            start = "POST /admin/login/ HTTP/1.1\nHost: x\nContent-Length: 1000\n\n"
            stack.enter_context(contextlib.closing(receiver.socket(start, b"half")))
        connection = receiver.connect()
        connection.request("GET", "/v1/traces", headers=receiver.headers())
        assert reply(connection).status == 200
        connection.close()


def test_bodies_of_other_paths_are_limited_too(receiver: HttpReceiver) -> None:
    answer = receiver.post((bytes(100_000) for _ in range(40)), "/v1/other", content_type=JSON)
    assert answer.status == 413
    assert json.loads(answer.body)["code"] == "FST_ERR_CTP_BODY_TOO_LARGE"


def test_an_aborted_body_stores_nothing_and_is_not_logged(receiver: HttpReceiver, caplog: Any) -> None:
    content = body()
    connection = receiver.socket(head(receiver, len(content) + 10), content)
    time.sleep(0.2)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    assert receiver.post(b"").status == 200
    assert Span.objects.count() == 0
    assert "Traceback" not in caplog.text


def test_a_hundred_clients_at_once_are_all_served(receiver: HttpReceiver) -> None:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(receiver.post(body()).status)) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 100
    assert Span.objects.count() == 100


# The database at fault


@contextlib.contextmanager
def locked_database() -> Iterator[None]:
    """Another process holds the write lock (SQLite) or the span table (PostgreSQL)."""
    ready, release = threading.Event(), threading.Event()

    def hold() -> None:
        with database.cursor() as cursor:
            if database.vendor == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            else:
                cursor.execute("BEGIN")
                cursor.execute("LOCK TABLE spans_span, traces_trace")
            ready.set()
            release.wait(30)
            cursor.execute("ROLLBACK")
        database.close()

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait(10)
    try:
        yield
    finally:
        release.set()
        thread.join()


def test_a_locked_database_is_503_before_the_exporter_gives_up_and_heals(receiver: HttpReceiver) -> None:
    content = body()
    with locked_database():
        started = time.monotonic()
        answer = receiver.post(content)
        assert time.monotonic() - started < 9.5
        assert answer.status == 503
        assert "retry-after" in answer.headers
        assert status_of(answer).code == 14
    wait_for(lambda: receiver.post(content).status == 200, 15)
    assert Span.objects.count() == 1


# What must be accepted whole


def test_five_thousand_spans_in_one_request_are_stored(receiver: HttpReceiver) -> None:
    assert receiver.post(body(export_request(*(span() for _ in range(5000))))).status == 200
    assert Span.objects.count() == 5000


def test_two_thousand_resources_in_one_request_are_stored(receiver: HttpReceiver) -> None:
    request = ExportTraceServiceRequest()
    for number in range(2000):
        request.MergeFrom(export_request(span(), service=f"service-{number}"))
    assert receiver.post(body(request)).status == 200
    assert Span.objects.values("service_name").distinct().count() == 2000


def test_ten_thousand_attributes_and_a_thousand_events_and_links_are_stored(receiver: HttpReceiver) -> None:
    message = span(attrs={f"key-{number}": number for number in range(10_000)})
    for number in range(1000):
        message.events.add(name="event", time_unix_nano=number)
        message.links.add(trace_id=b"x" * 16, span_id=b"y" * 8)
    assert receiver.post(body(export_request(message))).status == 200
    stored = Span.objects.get()
    assert (len(stored.attributes), len(stored.events), len(stored.links)) == (10_000, 1000, 1000)


def test_the_body_of_a_site_request_counts_until_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(None)
    counted: list[int] = []

    async def site(*_: Any) -> None:
        counted.append(gate.body_bytes)
        raise ZeroDivisionError

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"12345", "more_body": False}

    monkeypatch.setattr(gate, "site", site)
    headers = [(b"content-length", b"5")]
    scope = {"type": "http", "method": "POST", "path": "/admin/", "query_string": b"", "headers": headers}
    with pytest.raises(ZeroDivisionError):
        run_apart(gate(scope, receive, site))
    assert (counted, gate.body_bytes) == ([5], 0)
