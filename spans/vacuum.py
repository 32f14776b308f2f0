"""Giving the space of deleted rows back to the file system, and leaving no text of theirs in SQLite's files."""

import time

from django.db import connection, connections
from django.db.backends.utils import CursorWrapper

PAGES_A_STEP = 1_000
# How long writers may wait in a try to empty the log, while a long read is in its way
BUSY_MS = 200
RETRY_SECONDS = 0.5


def set_auto_vacuum(using: str) -> None:
    """Let a new SQLite file remember where its free pages are; other databases stay as they are.

    As part of opening a connection, the PRAGMA would write to the file each time, and so wait for other writers.
    """
    database = connections[using]
    if database.vendor == "sqlite" and not database.introspection.table_names():
        with database.cursor() as cursor:
            cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
            cursor.execute("VACUUM")  # puts it into the file's header


def give_back_space() -> int:
    """Cut the free pages off the SQLite file, 1,000 pages (4 MB) a transaction, so that writers wait for milliseconds.

    Returns how many there were; none on other databases, and in files from before `auto_vacuum` was set.
    """
    if connection.vendor != "sqlite":
        return 0
    with connection.cursor() as cursor:
        free = first = _free_pages(cursor)
        while free:
            cursor.execute(f"PRAGMA incremental_vacuum({PAGES_A_STEP})").fetchall()  # a page a row that is read
            before, free = free, _free_pages(cursor)
            if free >= before:
                break
        return first - free


def empty_log(patience_seconds: float = 0) -> bool:
    """Move SQLite's write-ahead log into the file, and cut it to nothing: it holds what was deleted as it was before.

    Tries for so many seconds, since a reader that began earlier still needs the log. Returns whether it is empty; True
    on other databases and inside a transaction, which has not deleted anything yet.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return True
    deadline = time.monotonic() + patience_seconds
    with connection.cursor() as cursor:
        usual_ms = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        try:
            while is_busy := cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() >= deadline:
                    break
                time.sleep(RETRY_SECONDS)
            return not is_busy
        finally:
            cursor.execute(f"PRAGMA busy_timeout={int(usual_ms)}")


def _free_pages(cursor: CursorWrapper) -> int:
    return int(cursor.execute("PRAGMA freelist_count").fetchone()[0])
