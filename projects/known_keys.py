"""API keys that were looked up a moment ago: a sender that goes on sending costs no query a request.

What this process changes, it knows at once; what another one changes, after REMEMBERED_SECONDS.
"""

import time
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from projects.models import ApiKey

REMEMBERED_SECONDS = 1.0
REMEMBERED_KEYS = 1_000


class KnownKeys:
    """Keys with their projects, by the hash of their text."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: dict[str, tuple[float, ApiKey]] = {}

    def get(self, key_hash: str) -> "ApiKey | None":
        """The key, if it was looked up just now and is still usable."""
        found = self._keys.get(key_hash)
        if found is None or time.monotonic() - found[0] > REMEMBERED_SECONDS or not found[1].is_usable:
            return None
        return found[1]

    def remember(self, key: "ApiKey") -> None:
        with self._lock:
            if len(self._keys) >= REMEMBERED_KEYS:
                self._keys.clear()
            self._keys[key.key_hash] = time.monotonic(), key

    def forget(self, **_: Any) -> None:
        """Forget all: a key or a project has changed. A receiver of signals."""
        with self._lock:
            self._keys.clear()


known_keys = KnownKeys()


class ForgettingQuerySet(models.QuerySet[Any]):
    """Of models that known keys hold: changes that send no signal are noticed, too."""

    def update(self, **values: Any) -> int:
        try:
            return super().update(**values)
        finally:
            known_keys.forget()
