"""Receipts of refused requests, on their way to the table beside everything else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future

from traces.ingest.receipts import note_refusals
from traces.models import ExportReceipt

# A flood of refused requests costs one small INSERT in this time.
WRITE_SECONDS = 0.5
MAX_WAITING = 100


class Refusals:
    """Writes them together, and of a flood only some. Used by one event loop.

    `run` calls a function with its arguments and a connection that holds, in a thread of the executor.
    """

    def __init__(self, executor: Executor, run: Callable[..., object]) -> None:
        self._executor = executor
        self._run = run
        self._waiting: list[ExportReceipt] = []
        self._writing: Future[None] | None = None

    def note(self, receipt: ExportReceipt) -> bool:
        """Have it written soon, without anybody waiting for it. False if too many are on their way."""
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append(receipt)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(WRITE_SECONDS, self._write)
        return True

    def _write(self) -> None:
        if self._writing is not None and not self._writing.done():
            asyncio.get_running_loop().call_later(WRITE_SECONDS, self._write)
        else:
            self._begin()

    def finish(self) -> None:
        """Return when all that are waiting are written. For another thread than the event loop's, at its end."""
        self._begin()
        if self._writing is not None:
            self._writing.result()

    def _begin(self) -> None:
        noted, self._waiting = self._waiting, []
        if noted:
            self._writing = self._executor.submit(note_refusals, noted, self._run)
