"""What the tests of probes and metrics share."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tracing_site import health


@pytest.fixture
def settle(transactional_db: None, monkeypatch: Any) -> Iterator[Callable[[], None]]:
    """Probes that know nothing of other tests, and a function that waits until no look is under way."""
    monkeypatch.setattr(health, "PROBES", health.make_probes())
    yield wait_for_probes
    wait_for_probes()


def wait_for_probes() -> None:
    health.findings()
    deadline = time.monotonic() + 20
    while any(thread.name.startswith("probe") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
