"""Whose answer still waits: a sender is never told to send again what is committed all the same."""

import threading
from contextvars import ContextVar


class Overdue(Exception):
    """The sender has been told to send again, so nothing of this request may be stored."""


class Deadline:
    """Of one request: either its answer gives up or its commit begins, and after the one never the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._commits = False
        self.is_over = False

    def give_up(self) -> bool:
        """For whoever waits. False if the commit has begun: then it has to be waited for."""
        with self._lock:
            self.is_over = not self._commits
            return self.is_over

    def begin_commit(self) -> bool:
        """For whoever writes, as the last thing before COMMIT; again where that has failed. False if it is too late."""
        with self._lock:
            self._commits = not self.is_over
            return self._commits


# Of the request that this thread works on. Without a sender that waits there is none that could give up.
_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def set_deadline(deadline: Deadline) -> None:
    _current.set(deadline)


def current_deadline() -> Deadline:
    return _current.get() or Deadline()
