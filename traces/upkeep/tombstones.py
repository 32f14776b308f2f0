"""Traces that people deleted stay deleted: what still arrives of them does not bring them back.

Expiry leaves no tombstones. A trace's tombstone is looked for while its row, which deleting locks, is held.
"""

import datetime
from collections.abc import Collection, Iterable
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import UUIDField
from django.utils import timezone

from spans.batches import batches
from traces.models import DeletedTrace, Trace

KEYS_A_STATEMENT = 5_000
_table = f'"{DeletedTrace._meta.db_table}"'
_uuid = UUIDField()


def bury(traces: Iterable[Trace]) -> None:
    """Note that these traces are being deleted, in the transaction that deletes them. One statement for 5,000."""
    if not settings.DELETED_TRACE_DAYS:
        return
    now = timezone.now()
    for part in batches(list(traces), KEYS_A_STATEMENT):
        DeletedTrace.objects.bulk_create(
            [DeletedTrace(pk=trace.pk, project_id=trace.project_id, deleted_at=now) for trace in part],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["deleted_at"],
        )


def buried(keys: Collection[UUID]) -> set[UUID]:
    """Those that were deleted less than DELETED_TRACE_DAYS ago. One statement for 5,000, by primary key, past the ORM:
    every request asks it.
    """
    if not settings.DELETED_TRACE_DAYS:
        return set()
    found: set[UUID] = set()
    oldest = connection.ops.adapt_datetimefield_value(_oldest())
    for part in batches(list(keys), KEYS_A_STATEMENT):
        marks = ", ".join(["%s"] * len(part))
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT id FROM {_table} WHERE {_table}."id" IN ({marks}) AND deleted_at > %s',  # noqa: S608
                [*(_uuid.get_db_prep_value(key, connection) for key in part), oldest],
            )
            found.update(_uuid.to_python(key) for (key,) in cursor.fetchall())
    return found


def reason() -> str:
    """Why spans were rejected whose trace is buried."""
    days = settings.DELETED_TRACE_DAYS
    return (
        "their trace was deleted, and what arrives of a deleted trace is not taken for "
        f"{days} day{'' if days == 1 else 's'} (DELETED_TRACE_DAYS)"
    )


def delete_expired_tombstones() -> int:
    """Forget the deletions of DELETED_TRACE_DAYS ago and earlier. Returns how many. One statement."""
    return DeletedTrace.objects.filter(deleted_at__lte=_oldest()).delete()[0]


def _oldest() -> datetime.datetime:
    return timezone.now() - datetime.timedelta(days=settings.DELETED_TRACE_DAYS)
