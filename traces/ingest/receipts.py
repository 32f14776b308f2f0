"""Writing, keeping and expiring the receipts of export requests."""

import datetime
import logging
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError, connection, models
from django.utils import timezone

from traces.models import MAX_USER_AGENT, ExportReceipt, ReceiptStatus, RejectedSpans, time_ordered_id

logger = logging.getLogger(__name__)

ROWS_A_BATCH = 5_000

_table = ExportReceipt._meta.db_table
_fields = ExportReceipt._meta.concrete_fields
_columns = [str(field.column) for field in _fields]
# One parameter for all rows, as in traces.summaries.trace_rows.
_ROWS = {
    "postgresql": f"SELECT {', '.join(_columns)} FROM json_populate_recordset(NULL::{_table}, %s)",  # noqa: S608
    "sqlite": f"SELECT {', '.join(f'value ->> {name!r}' for name in _columns)} FROM json_each(%s) WHERE TRUE",  # noqa: S608
}
_INSERT = f"INSERT INTO {_table} ({', '.join(_columns)}) {{rows}} ON CONFLICT (id) DO NOTHING"


def open_receipt(
    project_id: int,
    transport: str,
    api_key_id: int | None = None,
    client_address: str = "",
    user_agent: str = "",
    signal: str = ExportReceipt.Signal.TRACES,
) -> ExportReceipt:
    """An unsaved receipt, made when the request is let in."""
    return ExportReceipt(
        project_id=project_id,
        signal=signal,
        api_key_id=api_key_id,
        transport=transport,
        client_address=client_address[:64].replace("\0", ""),
        user_agent=user_agent[:MAX_USER_AGENT].replace("\0", ""),
    )


def write_receipts(receipts: Sequence[ExportReceipt]) -> None:
    """Insert the receipts that are not there yet. One statement."""
    rows = [_row(receipt) for receipt in receipts]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT.format(rows=_ROWS[connection.vendor]), [orjson.dumps(rows).decode()])


def _row(receipt: ExportReceipt) -> dict[str, Any]:
    row: dict[str, Any] = {str(field.column): getattr(receipt, field.attname) for field in _fields}
    row["id"] = receipt.pk.hex
    row["records"] = None if receipt.records is None else orjson.dumps(receipt.records).decode()
    row["rejections"] = orjson.dumps(receipt.rejections).decode()
    row["created_at"] = str(connection.ops.adapt_datetimefield_value(receipt.created_at))
    return row


def note_refusals(refused: Sequence[ExportReceipt], run: Callable[..., object]) -> None:
    """Write the receipts of requests that were refused for good; a database that can't take them loses only the notes.

    `run` calls a function with its arguments and a connection that holds.
    """
    for receipt in refused:
        receipt.status = ReceiptStatus.REFUSED
    try:
        run(write_receipts, refused)
    except DatabaseError as error:
        logger.warning("Receipts of %d refused requests were not recorded: %s", len(refused), type(error).__name__)


def delete_expired_receipts() -> int:
    """Delete receipts and rejected spans past their days, in batches, each its own transaction. Returns how many."""
    return _delete_before(ExportReceipt, settings.RECEIPT_DAYS) + _delete_before(
        RejectedSpans, settings.REJECTED_SPANS_DAYS
    )


def _delete_before(model: type[models.Model], days: int) -> int:
    """The keys are ordered by time, so the primary key's index finds what has expired."""
    before = timezone.now() - datetime.timedelta(days=days)
    expired = model._default_manager.filter(pk__lt=time_ordered_id(int(before.timestamp() * 1000))).order_by("pk")
    deleted = 0
    while keys := list(expired.values_list("pk", flat=True)[:ROWS_A_BATCH]):
        # Between keys, not by a list of them: SQLite bounds the parameters of a statement.
        batch: Any = model._default_manager.filter(pk__gte=keys[0], pk__lte=keys[-1])
        deleted += batch._raw_delete(batch.db)
    return deleted
