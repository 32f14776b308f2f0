"""Rows of the mirror, taken by one worker at a time: claimed by compare-and-set, and given back with what came out."""

import datetime
import logging
import random
from typing import Any
from uuid import UUID

from django.db.models import Case, Q, Value, When
from django.utils import timezone

from mlflow_sync.client import MlflowError
from mlflow_sync.models import MlflowTrace

logger = logging.getLogger(__name__)

# A claim is renewed with every request for spans, and a request may take two minutes.
CLAIM = datetime.timedelta(minutes=5)
FIRST_RETRY = datetime.timedelta(seconds=10)
LAST_RETRY = datetime.timedelta(hours=1)
MAX_ATTEMPTS = 12


class ClaimLost(Exception):
    """The claim ended before the work did, and somebody else has the row now: nothing more may be written to it."""


def claim(key: UUID) -> MlflowTrace | None:
    """The row, if it has something to do and nobody has it. Two queries."""
    now = timezone.now()
    row = MlflowTrace.objects.filter(pk=key).first()
    if row is None or (row.next_try_at is None and row.delete_requested_at is None):
        return None
    if row.claimed_at is not None and row.next_try_at is not None and row.next_try_at > now:
        return None
    unchanged = MlflowTrace.objects.filter(pk=key, claimed_at=row.claimed_at, next_try_at=row.next_try_at)
    if not unchanged.update(claimed_at=now, next_try_at=now + CLAIM):
        return None
    row.claimed_at, row.next_try_at = now, now + CLAIM
    return row


def update(row: MlflowTrace, **values: Any) -> None:
    """Write to a claimed row, or raise ClaimLost."""
    if not MlflowTrace.objects.filter(pk=row.pk, claimed_at=row.claimed_at).update(**values):
        raise ClaimLost(str(row.pk))


def finish(row: MlflowTrace, seen_change: datetime.datetime, **values: Any) -> None:
    """Give a row back. It is due again at once if a change or a deletion came while it was claimed."""
    news = Q(changed_at__gt=seen_change) | Q(delete_requested_at__isnull=False)
    next_try_at = Case(When(news, then=Value(timezone.now())), default=None)
    update(row, **({"next_try_at": next_try_at} | values), claimed_at=None)


def record(row: MlflowTrace, error: MlflowError) -> None:
    """Write a failure down and when to try again: soon and then more rarely, or never where that would not help."""
    attempts = row.attempts + (not error.systemic)
    is_retried = error.retryable or error.systemic or row.delete_requested_at is not None
    delay = min(LAST_RETRY, FIRST_RETRY * 2 ** min(attempts, 16)) * random.uniform(0.5, 1)  # noqa: S311  jitter
    values: dict[str, Any] = {
        "attempts": attempts,
        "step": row.step,
        "error_code": error.code,
        "error_message": error.message,
        "error_reason": error.reason,
    }
    if is_retried and (attempts < MAX_ATTEMPTS or row.delete_requested_at is not None):
        values["next_try_at"] = timezone.now() + delay
    logger.warning("Cannot mirror %s: %s", row, error)
    try:
        finish(row, row.changed_at, **values)
    except ClaimLost:
        logger.warning("Lost the claim of %s", row)
