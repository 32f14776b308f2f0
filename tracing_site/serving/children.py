"""Programs that the embedded default runs beside itself: started, started again if they end, and never left behind."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

# The shell leads a process group with the program in it. When the program ends, or when standard input closes because
# the parent is gone (also by SIGKILL), it ends the group.
GUARD = '{ "$@" </dev/null; kill -s TERM -- -$$; } & cat >/dev/null; kill -s TERM -- -$$'
GRACE_SECONDS = 15
RESTART_SECONDS = 5


class Child:
    """One program, its output since the first start in a log file of the data folder.

    `environment` is added to this process's: arguments can be read by everybody on the machine.
    """

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self.arguments = arguments
        self.environment = os.environ | environment
        self.log = settings.DATA_DIR / f"{name}.log"
        self.log.unlink(missing_ok=True)
        self.stopping = threading.Event()
        self.process = self._start()
        self.watcher = threading.Thread(target=self._watch, name=f"watch {name}", daemon=True)
        self.watcher.start()

    def stop(self) -> None:
        """End the program and all that it started: SIGTERM, and SIGKILL after GRACE_SECONDS."""
        self.stopping.set()
        self.watcher.join()
        signal_group(self.process, signal.SIGTERM)
        try:
            wait_for_group(self.process, GRACE_SECONDS)
        except TimeoutError:
            signal_group(self.process, signal.SIGKILL)
            self.process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - arguments are our own
                ["sh", "-c", GUARD, self.name, *self.arguments],  # noqa: S607 - any POSIX shell will do
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _watch(self) -> None:
        while not self.stopping.wait(1):
            if self.process.poll() is not None:
                logger.error("%s ended; its last words are in %s. It starts again.", self.name, self.log)
                if not self.stopping.wait(RESTART_SECONDS):
                    self.process = self._start()


def signal_group(leader: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, number)


def wait_for_group(leader: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait until no process of the group is left. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            leader.poll()  # reaps the leader, which would count as a member otherwise
            os.killpg(leader.pid, 0)
            time.sleep(0.05)
        raise TimeoutError


def local_mlflow(folder: Path, port: int) -> Child:
    """A real `mlflow server` on loopback with SQLite and files in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    arguments = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--workers", "1", "--uvicorn-opts", "--log-level warning"]
    arguments += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.sqlite3'}"]
    arguments += ["--artifacts-destination", str(folder / "artifacts")]
    return Child("mlflow", arguments, environment)


def manage(command: str) -> Child:
    """A management command of ours with this process's settings."""
    arguments = [sys.executable, str(settings.BASE_DIR / "manage.py"), command]
    return Child(command, arguments, {"MLFLOW_TRACKING_URI": settings.MLFLOW_TRACKING_URI})
