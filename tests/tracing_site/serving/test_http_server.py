"""`manage.py web` and `manage.py grpc` as processes: start, drain, end."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
import requests

from tests import servers
from tests.builders import export_request, span
from traces.otlp.signals import TRACES

ADD_KEY = """
from projects.models import ApiKey, Project
ApiKey.objects.issue(Project.objects.create(slug="p", name="P"), "k", key="test-key")
"""


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with servers.temporary_directory() as folder:
        variables = servers.clean_environment(
            DATA_DIR=str(folder), PORT=str(servers.free_port()), GRPC_PORT=str(servers.free_port())
        )
        for arguments in (["migrate", "-v0"], ["shell", "-v0", "-c", ADD_KEY]):
            subprocess.run([sys.executable, "manage.py", *arguments], cwd=servers.ROOT, env=variables, check=True)
        yield variables


def listens(port: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 1):
        return True
    return False


@contextlib.contextmanager
def command(name: str, port: str, environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with servers.running(
        [sys.executable, "manage.py", name],
        environment=environment,
        log=tmp_path / "log",
        ready=lambda: listens(port),
    ) as process:
        yield process


@pytest.mark.parametrize("workers", ["1", "2"])
def test_web_finishes_what_is_under_way_and_ends(environment: dict[str, str], tmp_path: Path, workers: str) -> None:
    body = export_request(span()).SerializeToString()
    head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
    head += f"x-bee-authorization: test-key\r\nContent-Length: {len(body)}\r\n\r\n"
    variables = environment | {"WEB_WORKERS": workers}
    with (
        command("web", variables["PORT"], variables, tmp_path) as process,
        socket.create_connection(("127.0.0.1", int(variables["PORT"])), 30) as connection,
    ):
        connection.sendall(head.encode() + body[:20])
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        connection.sendall(body[20:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert process.wait(20) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()


def test_web_processes_end_when_their_parent_is_killed(environment: dict[str, str], tmp_path: Path) -> None:
    with command("web", environment["PORT"], environment | {"WEB_WORKERS": "2"}, tmp_path) as process:
        process.kill()
        deadline = time.monotonic() + 10
        while listens(environment["PORT"]) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not listens(environment["PORT"])


def test_web_processes_are_replaced_when_the_one_they_were_forked_from_is_killed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with command("web", environment["PORT"], environment | {"WEB_WORKERS": "2"}, tmp_path) as process:
        left_alone = servers.web_processes(process.pid)
        assert len(left_alone) == 2
        fork_server = servers.fork_server(process.pid)
        assert fork_server is not None
        fork_server.kill()
        assert not psutil.wait_procs(left_alone, timeout=10)[1]
        deadline = time.monotonic() + 20
        while len(servers.web_processes(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert requests.get(f"http://127.0.0.1:{environment['PORT']}/health", timeout=10).ok


def test_web_processes_are_forked_from_one_that_has_loaded_everything(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Also if it is started elsewhere, and if the samples are over its limits."""
    variables = environment | {"WEB_WORKERS": "2", "MAX_SPANS_PER_REQUEST": "5"}
    with servers.running(
        [sys.executable, str(servers.ROOT / "manage.py"), "web"],
        environment=variables,
        log=tmp_path / "log",
        ready=lambda: listens(variables["PORT"]),
        cwd=tmp_path,
    ) as process:
        fork_server = servers.fork_server(process.pid)
        assert fork_server is not None
        assert any("psycopg" in region.path for region in fork_server.memory_maps())
        assert requests.get(f"http://127.0.0.1:{variables['PORT']}/health", timeout=10).ok


def test_grpc_ends_at_sigterm(environment: dict[str, str], tmp_path: Path) -> None:
    port = environment["GRPC_PORT"]
    with command("grpc", port, environment, tmp_path) as process:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            body = export_request(span()).SerializeToString()
            channel.unary_unary(TRACES.grpc_method)(body, metadata=(("x-bee-authorization", "test-key"),), timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize(("name", "variable"), [("web", "PORT"), ("grpc", "GRPC_PORT")])
def test_a_taken_port_is_said_clearly(environment: dict[str, str], name: str, variable: str) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(environment[variable])))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "manage.py", name], cwd=servers.ROOT, env=environment, capture_output=True, text=True
        )
    assert done.returncode == 1
    assert f"Set {variable} to a free port" in done.stderr
    assert "Traceback" not in done.stderr


def test_processes_share_the_connections_evenly(environment: dict[str, str], tmp_path: Path) -> None:
    """Six clients that keep their connections: each process soon has three of them."""
    variables = environment | {"WEB_WORKERS": "2"}
    with command("web", variables["PORT"], variables, tmp_path) as process:
        workers = servers.web_processes(process.pid)
        clients = [requests.Session() for _ in range(6)]

        def connections() -> list[int]:
            for client in clients:
                assert client.get(f"http://127.0.0.1:{variables['PORT']}/health", timeout=10).ok
            return [
                sum(c.status == psutil.CONN_ESTABLISHED and c.laddr.port == int(variables["PORT"]) for c in of)
                for of in (worker.net_connections() for worker in workers)
            ]

        deadline = time.monotonic() + 20
        while sorted(connections()) != [3, 3] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert sorted(connections()) == [3, 3]
