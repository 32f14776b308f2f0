"""Even shares of the connections for the processes of one web server.

Whichever process wakes up first takes a new connection, and exporters keep theirs for hours. So a process that has more
than its share closes what is too many with the answers to their next requests; the clients connect again, likely to an
idler process.
"""

import os
import time
from contextlib import suppress
from typing import Any

# Clients take a moment to connect again; until then nobody knows how even the shares have become.
SETTLING_SECONDS = 0.25


class Shares:
    """How many connections each process has, in memory that they share. Made by the process that starts them."""

    def __init__(self, context: Any, processes: int) -> None:
        self._counts = context.Array("q", processes)
        self._pids = context.Array("q", processes)
        self._place: int | None = None
        self._surplus = 0
        self._counted_at = float("-inf")

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

    def let_go(self) -> bool:
        """Whether the connection that asks is to be closed: yes for as many in SETTLING_SECONDS as are too many."""
        now = time.monotonic()
        if now - self._counted_at >= SETTLING_SECONDS:
            self._surplus, self._counted_at = self.surplus(), now
        if not self._surplus:
            return False
        self._surplus -= 1
        return True

    def surplus(self) -> int:
        """How many connections this process has above the average, if another living one has two fewer or less."""
        if self._place is None:
            return 0
        own = self._counts.get_obj()[self._place]
        if min(self._counts.get_obj()) >= own - 1:
            return 0
        living = [count for count, pid in zip(self._counts, self._pids, strict=True) if is_alive(pid)]
        return own - sum(living) // len(living) if min(living) < own - 1 else 0


def is_alive(pid: int) -> bool:
    """Whether there is such a process; 0 stands for none."""
    with suppress(OSError):
        if pid:
            os.kill(pid, 0)
            return True
    return False
