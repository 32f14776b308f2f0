"""Searches that ignore case in every script, on SQLite as on PostgreSQL.

SQLite's LIKE knows the case of A to Z only. Django's `icontains` is replaced by one that compares case-folded texts
there where the text that is sought has other letters; PostgreSQL's UPPER knows what the database's locale knows.
"""

import sqlite3
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, TextField, lookups
from django.db.models.sql.compiler import SQLCompiler

FUNCTION = "HOLDS_CASEFOLDED"


class IContains(lookups.IContains):
    """The column holds the text, case ignored; column and text may be of any script."""

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        if not isinstance(self.rhs, str) or self.rhs.isascii():
            sql, parameters = super().as_sql(compiler, connection)
            return sql, list(parameters)
        column, parameters = self.process_lhs(compiler, connection)
        return f"{FUNCTION}({column}, %s)", [*parameters, self.rhs.casefold()]


def holds_casefolded(text: Any, folded: str) -> bool:
    """Whether the text holds what is case-folded already; no text holds nothing."""
    return isinstance(text, str) and folded in text.casefold()


def add_function(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Give a new connection to SQLite the function that the lookup calls."""
    if isinstance(connection.connection, sqlite3.Connection):
        connection.connection.create_function(FUNCTION, 2, holds_casefolded, deterministic=True)


def register() -> None:
    for field in (CharField, TextField):
        field.register_lookup(IContains)
