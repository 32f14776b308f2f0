"""API keys that were looked up a moment ago, found or not: a sender that goes on sending costs no query a request.

What this process changes, it knows at once; what another one changes, after REMEMBERED_SECONDS.
"""

import time
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.db import connection, models, transaction

if TYPE_CHECKING:
    from projects.models import ApiKey

REMEMBERED_SECONDS = 1.0
REMEMBERED_KEYS = 1_000


class KnownKeys:
    """Keys with their projects, by the hash of their text."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: dict[str, tuple[float, ApiKey]] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self.changes = 0

    def get(self, key_hash: str) -> "ApiKey | None":
        """The key, if it was looked up just now and is still usable."""
        found = self._keys.get(key_hash)
        if found is None or time.monotonic() - found[0] > REMEMBERED_SECONDS or not found[1].is_usable:
            return None
        return found[1]

    def remember(self, key: "ApiKey", changes: int) -> None:
        """Remember a key, unless something has changed since `changes` was what it was before the look-up."""
        with self._lock:
            if changes != self.changes:
                return
            if len(self._keys) >= REMEMBERED_KEYS:
                self._keys.clear()
            self._keys[key.key_hash] = time.monotonic(), key

    def refusal(self, key_hash: str) -> str | None:
        """Why the key may not be used, if it was looked up just now and was not there, or not usable."""
        refused = self._refused.get(key_hash)
        if refused is None or time.monotonic() - refused[0] > REMEMBERED_SECONDS:
            return None
        return refused[1]

    def refuse(self, key_hash: str, changes: int, reason: str) -> None:
        """Remember that a key may not be used, unless something has changed since `changes` was read."""
        with self._lock:
            if changes != self.changes:
                return
            if len(self._refused) >= REMEMBERED_KEYS:
                self._refused.clear()
            self._refused[key_hash] = time.monotonic(), reason

    def forget(self, **_: Any) -> None:
        """Forget all, since a key or a project changes, now and when the change is committed. A receiver of signals."""
        self._clear()
        if connection.in_atomic_block:
            transaction.on_commit(self._clear)

    def _clear(self) -> None:
        with self._lock:
            self.changes += 1
            self._keys.clear()
            self._refused.clear()


known_keys = KnownKeys()


class ForgettingQuerySet(models.QuerySet[Any]):
    """Of models that known keys hold: changes that send no signal are noticed, too."""

    def update(self, **values: Any) -> int:
        try:
            return super().update(**values)
        finally:
            known_keys.forget()
