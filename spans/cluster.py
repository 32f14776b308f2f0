"""Whether the tables are spread over the machines of a Citus cluster. docs/adr/009-citus.md has what depends on it."""

from functools import cache

from django.db import connection


@cache
def is_cluster() -> bool:
    """Whether the database has Citus. One query in the life of a process, which starts after `distribute`."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_dist_partition') IS NOT NULL")
        return bool(cursor.fetchone()[0])
