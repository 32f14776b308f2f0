"""Cursors: where a page of a list ended, as an opaque text."""

import base64
import binascii
import datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

import orjson
from django.db.models import DateTimeField, DecimalField

from traces.api.errors import invalid_argument
from traces.reading.lists import Ordering, Position


def encode(ordering: Ordering, position: Position) -> str:
    value = position.value
    text = value.isoformat() if isinstance(value, datetime.datetime) else str(value)
    return base64.urlsafe_b64encode(orjson.dumps([signed_name(ordering), text, position.key.hex])).decode().rstrip("=")


def decode(ordering: Ordering, cursor: str) -> Position:
    """The position after which the list goes on. Raises ApiError (400) for a cursor of another list or none of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        name, text, key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if name == signed_name(ordering):
            return Position(_value(ordering, str(text)), UUID(str(key)))
    except (binascii.Error, ValueError, TypeError, OverflowError, InvalidOperation):
        raise invalid_argument(
            "querystring/cursor must be a cursor", "Pass the value of `next` of the page before, unchanged."
        ) from None
    raise invalid_argument(
        "querystring/cursor must be of the same ordering",
        "A cursor goes on in the list that it came from: keep `ordering` and the filters.",
    )


def signed_name(ordering: Ordering) -> str:
    return f"-{ordering.name}" if ordering.descending else ordering.name


def _value(ordering: Ordering, text: str) -> datetime.datetime | Decimal | int:
    if isinstance(ordering.field, DateTimeField):
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a time without a zone")
        return moment.astimezone(datetime.UTC)
    if isinstance(ordering.field, DecimalField):
        amount = Decimal(text)
        if not amount.is_finite() or not 0 <= amount < 10**10:
            raise ValueError("no amount")
        return amount
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("no 64-bit integer")
    return number
