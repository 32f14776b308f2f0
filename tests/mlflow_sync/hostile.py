"""A server that behaves as badly as told, in MLflow's place: plain sockets, so that nothing mends what it sends."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket], None]


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(data: bytes) -> Behaviour:
    return lambda connection: connection.sendall(data)


def trickles(head: bytes, endless: bytes = b" ") -> Behaviour:
    """The head, then a byte every 50 ms, for ever."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(endless)
            time.sleep(0.05)

    return trickle


def floods(head: bytes, block: bytes) -> Behaviour:
    """The head, then 600 MB."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(600 * 1024 * 1024 // len(block)):
            connection.sendall(block)

    return flood


def hangs(connection: socket.socket) -> None:
    time.sleep(60)


def closes(connection: socket.socket) -> None:
    connection.close()


OK_JSON = answer(b"{}", "Content-Type: application/json")
HTML = answer(b"<html>Sign in</html>", "Content-Type: text/html")


@dataclass
class HostileServer:
    """`bad` is how it answers requests whose path or body fits `pattern`; all others get `{}`."""

    url: str
    bad: Behaviour = field(default_factory=lambda: says(OK_JSON))
    pattern: str = ""
    requests: list[bytes] = field(default_factory=list)

    def answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while request := read_request(connection):
                self.requests.append(request)
                behave = self.bad if re.search(self.pattern.encode(), request) else says(OK_JSON)
                behave(connection)


def read_request(connection: socket.socket) -> bytes:
    """Head and body; b"" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (block := connection.recv(65536)):
            return b""
        data += block
    head = data.partition(b"\r\n\r\n")[0]
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while len(data) < len(head) + 4 + (int(length[1]) if length else 0):
        data += connection.recv(65536)
    return data


@contextlib.contextmanager
def hostile_server() -> Iterator[HostileServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HostileServer(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=server.answer, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server


def trace_infos(*infos: object) -> bytes:
    return answer(json.dumps({"trace_infos": infos}).encode(), "Content-Type: application/json")
