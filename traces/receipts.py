"""Writing, keeping and expiring the receipts of export requests."""

import datetime
import logging
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, models
from django.utils import timezone

from traces.receipt_models import MAX_USER_AGENT, ExportReceipt, ReceiptStatus, RejectedSpans, time_ordered_id

logger = logging.getLogger(__name__)

ROWS_A_BATCH = 5_000

_fields = ExportReceipt._meta.concrete_fields
_columns = ", ".join(str(field.column) for field in _fields)
_INSERT = f"INSERT INTO {ExportReceipt._meta.db_table} ({_columns}) VALUES ({', '.join(['%s'] * len(_fields))})"  # noqa: S608


def open_receipt(
    project_id: int, transport: str, api_key_id: int | None = None, client_address: str = "", user_agent: str = ""
) -> ExportReceipt:
    """An unsaved receipt, made when the request is let in."""
    return ExportReceipt(
        project_id=project_id,
        api_key_id=api_key_id,
        transport=transport,
        client_address=client_address[:64].replace("\0", ""),
        user_agent=user_agent[:MAX_USER_AGENT].replace("\0", ""),
    )


def write_receipt(receipt: ExportReceipt) -> None:
    """Insert the receipt. One statement, for every request: past the ORM, which takes four times as long."""
    values = [field.get_db_prep_save(getattr(receipt, field.attname), connection) for field in _fields]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)


def note_refusal(receipt: ExportReceipt) -> None:
    """Write the receipt of a request that was refused for good; a database that can't take it loses only the note."""
    receipt.status = ReceiptStatus.REFUSED
    try:
        write_receipt(receipt)
    except DatabaseError as error:
        logger.warning("The receipt of a refused request was not recorded: %s", type(error).__name__)


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
