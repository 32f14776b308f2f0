"""Group commit: what arrives while a transaction is under way is written together by the next one.

One thread at a time leads: it writes its own item and all that wait beside it, and hands over to the first that came in
the meantime. So the cost of a transaction is shared under load, and nobody waits without load.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[T]):
    item: T
    called: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    is_written: bool = False


class GroupCommit(Generic[T]):
    """Writes the items of concurrent callers in groups. `write` writes all of a group or raises and writes none.

    `size` is an item's size, of which a group has at most `max_size`, or one item.
    """

    def __init__(self, write: Callable[[Sequence[T]], object], size: Callable[[T], int], max_size: int) -> None:
        self._write = write
        self._size = size
        self._max_size = max_size
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket[T]] = deque()
        self._is_led = False

    def commit(self, item: T) -> bool:
        """Whether the item was written with its group. If not, the caller tries alone, and learns what is wrong."""
        ticket = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads, self._is_led = not self._is_led, True
        if not ticket.leads:
            ticket.called.wait()
        if ticket.leads:
            self._lead()
        return ticket.is_written

    def _lead(self) -> None:
        """Write the first group of those that wait, the caller's item among them."""
        group = self._take()
        try:
            with suppress(Exception):
                self._write([ticket.item for ticket in group])
                for ticket in group:
                    ticket.is_written = True
        finally:
            self._hand_over(group)

    def _take(self) -> list[_Ticket[T]]:
        with self._lock:
            group = [self._waiting.popleft()]
            size = self._size(group[0].item)
            while self._waiting and (size := size + self._size(self._waiting[0].item)) <= self._max_size:
                group.append(self._waiting.popleft())
        return group

    def _hand_over(self, group: Sequence[_Ticket[T]]) -> None:
        with self._lock:
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].called.set()
        for ticket in group:
            ticket.leads = False
            ticket.called.set()
