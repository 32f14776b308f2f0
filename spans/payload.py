"""How many bytes rows hold, asked of the database before they are loaded: an answer is bounded, whatever is stored.

A value may have 32 MB and a span several, so that a number of rows bounds nothing.
"""

import sqlite3
from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, F, Func, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce


class OctetLength(Func):
    """Bytes of a text in UTF-8. PostgreSQL, and SQLite from 3.43 on, know them without reading the text."""

    function = "OCTET_LENGTH"
    output_field: "BigIntegerField[Any, Any]" = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        if sqlite3.sqlite_version_info < (3, 43):
            context |= {"template": "LENGTH(CAST(%(expressions)s AS BLOB))"}
        return self.as_sql(compiler, connection, **context)


def stored_bytes(*columns: str) -> Combinable:
    """The bytes of these columns together; null has none."""
    return reduce(add, (Coalesce(OctetLength(F(column)), Value(0)) for column in columns))


def fitting(sizes: Iterable[int]) -> int:
    """How many of the first rows an answer reads: as many as fit into MAX_ANSWER_BYTES, but at least one."""
    count = total = 0
    for size in sizes:
        total += size
        if count and total > settings.MAX_ANSWER_BYTES:
            break
        count += 1
    return count
