"""Who was let in lately, by the hash of the key or session that their requests come with. Asking costs no query.

It gives no rights. Who is not known yet waits with strangers, who may invent as many keys and sessions as they like.
"""

import hashlib
import time

REMEMBERED_SECONDS = 3600.0
REMEMBERED = 10_000


class Acquaintances:
    """Those of this process; the longest unseen are forgotten first. Threads may meet: each step is one of a dict."""

    def __init__(self) -> None:
        self._seen: dict[bytes, float] = {}

    def note(self, text: str) -> None:
        """The key or session with this text was just let in."""
        digest = _digest(text)
        self._seen.pop(digest, None)
        self._seen[digest] = time.monotonic()
        while len(self._seen) > REMEMBERED:
            self._seen.pop(next(iter(self._seen), b""), None)

    def knows(self, text: str) -> bool:
        seen = self._seen.get(_digest(text))
        return seen is not None and time.monotonic() - seen < REMEMBERED_SECONDS


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).digest()


acquaintances = Acquaintances()
