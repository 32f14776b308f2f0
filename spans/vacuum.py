"""Giving the space of deleted rows back to the file system, which SQLite does not do by itself."""

from django.db import connection, connections
from django.db.backends.utils import CursorWrapper

PAGES_A_STEP = 1_000


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


def _free_pages(cursor: CursorWrapper) -> int:
    return int(cursor.execute("PRAGMA freelist_count").fetchone()[0])
