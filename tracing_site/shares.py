"""Even shares of the connections for the processes of one web server.

Whichever process wakes up first takes a new connection, and exporters keep theirs for hours. So a process that has more
than its share closes one with the answer to its next request; the client connects again, likely to an idler process.
"""

import os
from contextlib import suppress
from typing import Any


class Shares:
    """How many connections each process has, in memory that they share. Made by the process that starts them."""

    def __init__(self, context: Any, processes: int) -> None:
        self._counts = context.Array("q", processes)
        self._pids = context.Array("q", processes)
        self._place: int | None = None

    def join(self) -> None:
        """Take the place of this process; that of one that has died is free."""
        with self._pids.get_lock():
            self._place = next((place for place, pid in enumerate(self._pids) if not is_alive(pid)), None)
            if self._place is not None:
                self._pids[self._place] = os.getpid()
                self._counts[self._place] = 0

    def note(self, connections: int) -> None:
        if self._place is None:
            self.join()  # a process that is being replaced may have kept its place until now
        if self._place is not None:
            self._counts.get_obj()[self._place] = connections

    def has_too_many(self) -> bool:
        """Whether one connection less here and one more in another living process would be fairer."""
        counts, pids = self._counts.get_obj(), self._pids.get_obj()
        if self._place is None:
            return False
        fair = counts[self._place] - 1
        return any(count < fair and is_alive(pid) for count, pid in zip(counts, pids, strict=True))


def is_alive(pid: int) -> bool:
    """Whether there is such a process; 0 stands for none."""
    with suppress(OSError):
        if pid:
            os.kill(pid, 0)
            return True
    return False
