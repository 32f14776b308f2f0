"""The worker as a thread of the web process, for installations without Redis."""

import threading

from django.db import connections

from mlflow_sync.jobs import EMBEDDED_TASKS, run_tasks

STOP_SECONDS = 10


class EmbeddedWorker:
    """A running worker thread. `stop` lets it finish what it is at; beyond ten seconds it ends with the process."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="embedded-worker", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            run_tasks(EMBEDDED_TASKS, self._stop)
        finally:
            connections.close_all()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(STOP_SECONDS)


def start_worker() -> EmbeddedWorker:
    """Start mirroring, expiry and the other work that is nobody's request."""
    return EmbeddedWorker()
