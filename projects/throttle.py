"""How often a wrong password may be tried: so often for an account from an address, so often from an address at all.

Both name the address, so nobody locks anybody out from elsewhere. Counts are shared through Redis where there is one;
without it, and while it does not answer, each process counts for itself. Nothing is written to the database.
"""

import hashlib
import logging
import math
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from projects.origin import network_of

logger = logging.getLogger(__name__)

REDIS_SECONDS = 1.0
NAMESPACE = "tracing-sign-in"
Step = Callable[[MovingWindowRateLimiter, str, str], int]


def _limits() -> tuple[RateLimitItem, RateLimitItem]:
    minutes = settings.LOGIN_FAILURE_MINUTES
    return (
        RateLimitItemPerMinute(settings.LOGIN_FAILURES, minutes, namespace=NAMESPACE),
        RateLimitItemPerMinute(settings.LOGIN_FAILURES_OF_ADDRESS, minutes, namespace=NAMESPACE),
    )


def _keys(name: str, address: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whom the two limits are for. A typed name may be anything of any length, so its hash stands for it."""
    network = network_of(address)
    return (network, hashlib.sha256(name.encode(errors="replace")).hexdigest()), (network,)


class Throttle:
    """The failures of a process, or of all of them. Nothing is connected or started before the first use."""

    @cached_property
    def _memory(self) -> MovingWindowRateLimiter:
        return MovingWindowRateLimiter(MemoryStorage())

    @cached_property
    def _shared(self) -> MovingWindowRateLimiter | None:
        if not settings.REDIS_URL:
            return None
        options: Any = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
        return MovingWindowRateLimiter(RedisStorage(settings.REDIS_URL, wrap_exceptions=True, **options))

    def wait_seconds(self, name: str, address: str) -> int:
        """How long nobody may try this account from this address; 0: it may be tried now."""
        return self._do(_wait_seconds, name, address)

    def note_failure(self, name: str, address: str) -> bool:
        """Count a wrong password. Whether this was the last one that is let in for now."""
        return self._do(_note_failure, name, address) == 1

    def forget(self, name: str, address: str) -> None:
        """The right password was given."""
        self._do(_forget, name, address)

    def clear(self) -> None:
        """Forget what this process has counted."""
        self.__dict__.pop("_memory", None)

    def _do(self, step: Step, name: str, address: str) -> int:
        if self._shared is not None:
            try:
                return step(self._shared, name, address)
            except StorageError as error:
                logger.warning("Failed sign-ins are counted without Redis: %s", type(error.__cause__ or error).__name__)
        return step(self._memory, name, address)


def _wait_seconds(limiter: MovingWindowRateLimiter, name: str, address: str) -> int:
    waits = [0.0]
    for limit, key in zip(_limits(), _keys(name, address), strict=True):
        if not limiter.test(limit, *key):
            waits.append(max(1.0, limiter.get_window_stats(limit, *key).reset_time - time.time()))
    return math.ceil(max(waits))


def _note_failure(limiter: MovingWindowRateLimiter, name: str, address: str) -> int:
    pairs = list(zip(_limits(), _keys(name, address), strict=True))
    for limit, key in pairs:
        limiter.hit(limit, *key)
    return int(any(not limiter.test(limit, *key) for limit, key in pairs))


def _forget(limiter: MovingWindowRateLimiter, name: str, address: str) -> int:
    """Of the account only: one known password must not buy an address more tries at others."""
    limiter.clear(_limits()[0], *_keys(name, address)[0])
    return 0


throttle = Throttle()
