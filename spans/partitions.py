"""On PostgreSQL the span table is partitioned by day, so that a day expires by dropping a table.

The day is that of the trace's first arrival (UTC); all spans of a trace share it. Partitions are made ahead by the cron
job and after `migrate`; a day without one goes to the default partition, so that nothing is refused. What outlives its
day moves to a partition of kept spans first. On other databases the span table is a plain one.
"""

import datetime
from collections.abc import Collection
from uuid import UUID

from django.db import connection, transaction

from spans.models import Span, utc_today

TABLE = Span._meta.db_table
DEFAULT = f"{TABLE}_default"
KEPT = f"{TABLE}_kept"
# The day of spans that were kept when theirs was dropped. No later day has a date.
KEPT_DAY = datetime.date.max
# Who waits for a table's lock keeps everybody else waiting, so it gives up soon and tries again with the next run.
LOCK_TIMEOUT = "2s"
DAYS_AHEAD = 7


def partition_name(day: datetime.date) -> str:
    return f"{TABLE}_{day:%Y%m%d}"


def partition_days() -> list[datetime.date]:
    """The days that have a partition of their own, in order."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = %s::regclass AND child.relname NOT IN (%s, %s) ORDER BY 1",
            [TABLE, DEFAULT, KEPT],
        )
        names = [name for (name,) in cursor.fetchall()]
    return [datetime.datetime.strptime(name[len(TABLE) + 1 :], "%Y%m%d").date() for name in names]


def create_partitions(ahead: int = DAYS_AHEAD) -> list[datetime.date]:
    """Make the partitions from today to so many days ahead. Returns the days that had none.

    A partition is filled from the default one before it is attached, so attaching locks nobody out for longer than it
    takes to look at an empty default partition.
    """
    if connection.vendor != "postgresql":
        return []
    there = set(partition_days())
    wanted = [utc_today() + datetime.timedelta(days=number) for number in range(ahead + 1)]
    missing = [day for day in wanted if day not in there]
    for day in missing:
        name, after = partition_name(day), day + datetime.timedelta(days=1)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING ALL)")
            cursor.execute(f"SELECT 1 FROM {DEFAULT} WHERE day >= %s AND day < %s LIMIT 1", [day, after])  # noqa: S608
            if cursor.fetchone():
                cursor.execute(
                    f"WITH moved AS (DELETE FROM {DEFAULT} WHERE day >= %s AND day < %s RETURNING *) "  # noqa: S608
                    f"INSERT INTO {name} SELECT * FROM moved",
                    [day, after],
                )
            cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM ('{day}') TO ('{after}')")
    return missing


def keep_spans(traces: Collection[UUID], day: datetime.date) -> None:
    """Move the spans of these traces, which the caller has locked, out of the day's partition. One statement."""
    Span.objects.filter(trace_row__in=traces, day=day).order_by().update(day=KEPT_DAY)


def drop_partition(day: datetime.date) -> None:
    """Drop a day's spans at once. Gives up with an OperationalError if readers hold the table for two seconds."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        cursor.execute(f"DROP TABLE {partition_name(day)}")
