"""What somebody who means harm, or nothing by it, sends. Each is bounded in time, connections and bytes."""

import contextlib
import gzip
import http.client
import http.cookiejar
import itertools
import re
import secrets
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers import Site

MEGABYTE = 2**20
PROTOBUF = {"Content-Type": "application/x-protobuf"}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


PUBLIC = (
    "/docs",
    "/docs/yaml?y=1",
    "/docs/redoc",
    "/readyz",
    "/health",
    "/metrics",
    "/admin/login/",
    "/nothing",
    "/admin/x/",
)
COSTLY = (
    "/v1/traces?q=zzz&limit=100",
    "/v1/spans?q=zzz&limit=100",
    "/v1/spans?q=%C3%A4zz",
    "/v1/sessions?limit=100",
    "/v1/users?limit=100",
    "/v1/traces?include_tree=true&limit=100",
)


def in_turn(paths: Sequence[str]) -> Callable[[], str]:
    """The next of the paths, for several threads."""
    lock, rest = threading.Lock(), itertools.cycle(paths)

    def following() -> str:
        with lock:
            return next(rest)

    return following


@dataclass
class Attack:
    """One attack on a site, under way until `ends` (time.monotonic); counts what it was answered."""

    site: Site
    ends: float
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", urlsplit(self.site.url).port or 80

    def goes_on(self) -> bool:
        return time.monotonic() < self.ends

    def at_once(self, clients: int, one: Callable[[int], None]) -> None:
        """The same by so many threads."""
        threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, self.ends + 20 - time.monotonic()))

    def flood(
        self, clients: int, path: Callable[[], str], headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> None:
        """Requests without a pause."""

        def one(_number: int) -> None:
            while self.goes_on():
                self.note(self.ask("GET" if body is None else "POST", path(), headers or {}, body))

        self.at_once(clients, one)

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> str:
        """The status, or what kind of failure there was instead."""
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()

    def note(self, answer: str, times: int = 1) -> None:
        self.answers[answer] += times


def sign_in(site: Site, username: str, password: str) -> tuple[urllib.request.OpenerDirector, str]:
    """A browser that tried to sign in, and the page it sees then."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = browser.open(f"{site.url}/admin/login/", timeout=30).read().decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    fields = {"username": username, "password": password, "csrfmiddlewaretoken": found[1] if found else ""}
    data = urllib.parse.urlencode(fields | {"next": "/admin/"}).encode()
    request = urllib.request.Request(f"{site.url}/admin/login/", data, {"Referer": f"{site.url}/admin/login/"})
    return browser, browser.open(request, timeout=30).read().decode()


def export_with(field_name: str, size: int) -> ExportTraceServiceRequest:
    """A request with one span, one of whose fields has so many bytes."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    scope = group.scope_spans.add()
    span = scope.spans.add(trace_id=secrets.token_bytes(16), span_id=secrets.token_bytes(8), name="probe")
    span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns()
    long = "n" * size
    service = group.resource.attributes.add(key="service.name").value
    service.string_value = long if field_name == "service.name" else "probe"
    if field_name == "span name":
        span.name = long
    elif field_name == "scope name":
        scope.scope.name = long
    elif field_name == "status message":
        span.status.message = long
    elif field_name == "trace state":
        span.trace_state = long
    elif field_name == "session.id":
        span.attributes.add(key="session.id").value.string_value = long
    elif field_name == "attribute key":
        span.attributes.add(key=long).value.string_value = "v"
    elif field_name == "event name":
        span.events.add(name=long)
    return request


FIELDS = (
    "span name",
    "service.name",
    "session.id",
    "scope name",
    "status message",
    "trace state",
    "attribute key",
    "event name",
)


def pattern(attack: Attack) -> None:
    """A person who is signed in asks for a pattern that backtracks."""
    request = export_with("span name", 1)
    values = request.resource_spans[0].scope_spans[0].spans[0].attributes
    values.add(key="input.value").value.string_value = "a" * 60 + "!"
    values.add(key="openinference.span.kind").value.string_value = "CHAIN"
    headers = PROTOBUF | {"x-bee-authorization": attack.site.key}
    attack.ask("POST", "/v1/traces", headers, request.SerializeToString())
    browser, _ = sign_in(attack.site, attack.site.username, attack.site.password)
    for name in ("input_preview__regex", "name__regex", "input_preview__iregex"):
        try:
            answer = browser.open(f"{attack.site.url}/admin/traces/trace/?{name}=(a%2B)%2B%24", timeout=10)
            attack.note(str(answer.status))
        except urllib.error.HTTPError as error:
            attack.note(str(error.code))
        except OSError as error:
            attack.note(type(error).__name__)


def long_fields(attack: Attack) -> None:
    """Three clients send spans with a field of 30 MB each, compressed to 29 KB, one after the other."""
    bodies = [gzip.compress(export_with(name, 30 * MEGABYTE).SerializeToString(), 9) for name in FIELDS]
    headers = PROTOBUF | {"x-bee-authorization": attack.site.key, "Content-Encoding": "gzip"}
    queue = iter(bodies)
    lock = threading.Lock()

    def one(_number: int) -> None:
        while True:
            with lock:
                body = next(queue, None)
            if body is None:
                return
            attack.note(attack.ask("POST", "/v1/traces", headers, body))

    attack.at_once(3, one)
    listed = urllib.request.Request(
        f"{attack.site.url}/v1/traces?limit=100", headers={"x-bee-authorization": attack.site.key}
    )
    with contextlib.suppress(OSError), urllib.request.urlopen(listed, timeout=60) as answer:
        attack.note(f"list of {len(answer.read()) / 1e6:.1f} MB")


def longest_field(attack: Attack) -> None:
    """A span whose name is as long as a body may be."""
    body = gzip.compress(export_with("span name", 63 * MEGABYTE).SerializeToString(), 9)
    headers = PROTOBUF | {"x-bee-authorization": attack.site.key, "Content-Encoding": "gzip"}
    attack.note(attack.ask("POST", "/v1/traces", headers, body))


def long_fields_by_grpc(attack: Attack) -> None:
    """The same names over gRPC."""
    options = [("grpc.max_send_message_length", 128 * MEGABYTE)]
    with grpc.insecure_channel(attack.site.grpc_target, options, compression=grpc.Compression.Gzip) as channel:
        call = channel.unary_unary(EXPORT, lambda message: message.SerializeToString(), lambda answer: answer)
        for name in FIELDS[:3]:
            try:
                call(export_with(name, 30 * MEGABYTE), 20, (("x-bee-authorization", attack.site.key),))
                attack.note("OK")
            except grpc.RpcError as error:
                attack.note(str(error.code()))


def _hold(attack: Attack, count: int, beginning: bytes, more: bytes = b"") -> None:
    """Connections that send a beginning and then, at most, a piece a second."""
    held = []
    for _ in range(count):
        try:
            held.append(socket.create_connection(attack.address, 2))
            held[-1].sendall(beginning)
        except OSError as error:
            attack.note(type(error).__name__)
    while attack.goes_on():
        time.sleep(1)
        for connection in held:
            with contextlib.suppress(OSError):
                connection.sendall(more)
    open_still = 0
    for connection in held:
        with contextlib.suppress(OSError):
            connection.setblocking(False)
            try:
                open_still += connection.recv(100) != b""
            except BlockingIOError:
                open_still += 1
        connection.close()
    attack.note("still open", open_still)


def silent_connections(attack: Attack) -> None:
    """400 connections that send nothing."""
    _hold(attack, 400, b"")


def half_heads(attack: Attack) -> None:
    """400 connections that send half a head, and a byte a second."""
    _hold(attack, 400, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a")


def slow_bodies(attack: Attack) -> None:
    """100 senders with a key that stop in mid-body."""
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nx-bee-authorization: {attack.site.key}\r\n"
    _hold(
        attack, 100, (head + "Content-Type: application/x-protobuf\r\nContent-Length: 1000000\r\n\r\n").encode(), b"\0"
    )


def long_heads(attack: Attack) -> None:
    """Heads of 100 KB."""
    attack.flood(4, lambda: "/health", {"X-Long": "x" * 100_000})


def documents(attack: Attack) -> None:
    """The API document, each time by another query, from four connections without a key."""
    numbers = itertools.count()
    attack.flood(4, lambda: f"/docs/json?x={next(numbers)}")


def logins(attack: Attack) -> None:
    """Sixteen connections that guess passwords."""

    def one(number: int) -> None:
        while attack.goes_on():
            try:
                _, page = sign_in(attack.site, f"somebody{number % 4}", secrets.token_hex(4))
                attack.note("200" if "errornote" in page else "other page")
            except urllib.error.HTTPError as error:
                attack.note(str(error.code))
            except OSError as error:
                attack.note(type(error).__name__)

    attack.at_once(16, one)


def wrong_keys(attack: Attack) -> None:
    """Exports with ever different keys, from eight connections."""

    def one(_number: int) -> None:
        while attack.goes_on():
            key = {"x-bee-authorization": "llmt_" + secrets.token_urlsafe(32)}
            attack.note(attack.ask("POST", "/v1/traces", PROTOBUF | key, b""))

    attack.at_once(8, one)


def public_pages(attack: Attack) -> None:
    """What everybody may ask, from four connections: documents, state, login page, files, pages that are not there."""
    paths = itertools.cycle(
        (
            "/docs",
            "/docs/yaml?y=1",
            "/docs/redoc",
            "/readyz",
            "/health",
            "/metrics",
            "/admin/login/",
            "/nothing",
            "/admin/x/",
        )
    )
    lock = threading.Lock()

    def path() -> str:
        with lock:
            return next(paths)

    attack.flood(4, path)


def costly_reads(attack: Attack) -> None:
    """The dearest questions that a key may ask, from four connections."""
    attack.flood(4, in_turn(COSTLY), {"x-bee-authorization": attack.site.key})


ATTACKS: dict[str, Callable[[Attack], None]] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (
        pattern,
        long_fields,
        longest_field,
        long_fields_by_grpc,
        silent_connections,
        half_heads,
        slow_bodies,
        long_heads,
        documents,
        logins,
        wrong_keys,
        public_pages,
        costly_reads,
    )
}
