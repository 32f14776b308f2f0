"""The lock around a writing transaction, and how long it waits: SQLite has a single writer, PostgreSQL locks rows."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import OperationalError, connection

_sqlite_writer = threading.Lock()


@contextmanager
def writer_lock(lock_seconds: float | None = None) -> Iterator[None]:
    """Around an ingest transaction: one writer of this process at a time. Raises OperationalError.

    SQLite lets one writer in and makes the others poll with growing pauses, so that some wait for seconds; a lock in
    the process hands over at once, or gives up after `lock_seconds`, else LOCK_TIMEOUT_SECONDS. PostgreSQL's writers
    wait for each other by the rows that they lock, and need no lock here.
    """
    if connection.vendor != "sqlite":
        yield
        return
    if not _sqlite_writer.acquire(timeout=settings.LOCK_TIMEOUT_SECONDS if lock_seconds is None else lock_seconds):
        raise OperationalError("the database is busy with other writers")
    try:
        yield
    finally:
        _sqlite_writer.release()


def limit_waiting(lock_seconds: float | None = None) -> None:
    """First in an ingest transaction: on PostgreSQL bound its waits for locks, and each of its statements.

    Locks are waited for LOCK_TIMEOUT_SECONDS if nothing else is said. The bounds end with the transaction, so they hold
    behind PgBouncer too and touch nothing else. One round trip.
    """
    if connection.vendor == "postgresql":
        lock_ms = (settings.LOCK_TIMEOUT_SECONDS if lock_seconds is None else lock_seconds) * 1000
        statement_ms = settings.STATEMENT_TIMEOUT_SECONDS * 1000
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {lock_ms:.0f}; SET LOCAL statement_timeout = {statement_ms:.0f}")
