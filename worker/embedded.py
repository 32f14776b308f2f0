"""The worker as threads of the web process, for installations without Redis."""

import threading

from projects.background_work import lanes
from worker.lanes import run_lanes

STOP_SECONDS = 10


class EmbeddedWorker:
    """A running worker. `stop` lets it finish what it is at; beyond ten seconds it ends with the process."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=run_lanes, args=(lanes(with_redis=False), self._stop), name="embedded worker", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(STOP_SECONDS)


def start_worker() -> EmbeddedWorker:
    """Start the work that is nobody's request: mirroring, expiry, summaries."""
    return EmbeddedWorker()
