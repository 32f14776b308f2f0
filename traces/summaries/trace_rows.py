"""Many rows of traces in one statement: inserting the new and locking those that exist, and writing summaries."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import DateField, UUIDField

from spans.batches import batches
from spans.cluster import is_cluster
from traces.models import Trace
from traces.summaries.summary import SUMMARY_COLUMNS, TraceSummary

_COLUMNS = ("id", "project_id", "trace_id", *SUMMARY_COLUMNS, "refresh_due", "day", "created_at", "refreshed_at")
_table = Trace._meta.db_table
# One parameter for all rows: binding each value of each row costs more than the rest of the insert.
_ROWS = {
    "postgresql": f"SELECT {', '.join(_COLUMNS)} FROM json_populate_recordset(NULL::{_table}, %s)",  # noqa: S608
    "sqlite": f"SELECT {', '.join(f'value ->> {name!r}' for name in _COLUMNS)} FROM json_each(%s) WHERE TRUE",  # noqa: S608
}
_INSERT = (
    f"INSERT INTO {_table} ({', '.join(_COLUMNS)}) {{rows}} "
    "ON CONFLICT (id) DO UPDATE SET refresh_due = TRUE RETURNING id, refresh_due, span_count, day"
)
_SET = (*SUMMARY_COLUMNS, "refreshed_at")
_SET_FROM_JSON = ", ".join(f"{name} = value ->> {name!r}" for name in _SET)
_SET_FROM_ROW = ", ".join(f"{name} = made.{name}" for name in _SET)
_UPDATE = {
    "postgresql": f"UPDATE {_table} SET refresh_due = FALSE, {_SET_FROM_ROW} "  # noqa: S608
    f"FROM json_populate_recordset(NULL::{_table}, %s) AS made WHERE {_table}.id = made.id",
    "sqlite": f"UPDATE {_table} SET refresh_due = FALSE, {_SET_FROM_JSON} "  # noqa: S608
    f"FROM json_each(%s) WHERE {_table}.id = value ->> 'id'",
}
_UPDATE_ONE = (
    f"UPDATE {_table} SET refresh_due = FALSE, {', '.join(f'{name} = %s' for name in _SET)} "  # noqa: S608
    f'WHERE "{_table}"."id" = %s'
)
_values = attrgetter(*SUMMARY_COLUMNS)
_uuid, _date = UUIDField(), DateField()
# PostgreSQL binds at most so many values, which a cluster gets one by one.
MAX_VALUES = 65_535
ROWS_A_STATEMENT = MAX_VALUES // len(_COLUMNS)


class Claim(NamedTuple):
    """A trace that a transaction brings spans of, with the summary that it has if it is new."""

    key: UUID
    project_id: int
    trace_id: str
    summary: TraceSummary


class Existing(NamedTuple):
    """A trace that was there before: the span count of its last summary, and the partition of its spans."""

    span_count: int
    day: datetime.date


def claim(claims: Iterable[Claim], now: datetime.datetime) -> dict[UUID, Existing]:
    """Insert the traces that are new, complete with their summaries, and lock those that exist, in the given order.

    The order is that of the keys, so that writers wait for each other and never deadlock. One statement for some 1,900.
    Returns those that exist; they are marked as due until `rollup.update` clears the mark.
    """
    time = str(connection.ops.adapt_datetimefield_value(now))
    ends = {"refresh_due": False, "day": now.date(), "created_at": time, "refreshed_at": time}
    rows = [
        _row(made.key, made.summary) | {"project_id": made.project_id, "trace_id": made.trace_id} | ends
        for made in claims
    ]
    existing: dict[UUID, Existing] = {}
    for part in batches(rows, ROWS_A_STATEMENT):
        if is_cluster():
            statement, parameters = _each_bound(part)
        else:
            statement, parameters = _ROWS[connection.vendor], [orjson.dumps(part).decode()]
        with connection.cursor() as cursor:
            cursor.execute(_INSERT.format(rows=statement), parameters)
            for id_, was_there, span_count, day in cursor.fetchall():
                if was_there:
                    existing[_uuid.to_python(id_)] = Existing(span_count, _date.to_python(day))
    return existing


def _each_bound(rows: Sequence[dict[str, Any]]) -> tuple[str, list[Any]]:
    """Rows as Citus spreads them without storing them first: what a SELECT makes would take a connection a shard."""
    marks = f"({', '.join(['%s'] * len(_COLUMNS))})"
    return f"VALUES {', '.join([marks] * len(rows))}", [row[name] for row in rows for name in _COLUMNS]


def write_summaries(summaries: Mapping[UUID, TraceSummary], now: datetime.datetime) -> None:
    """Set the summaries of traces that the caller has locked, and that they are not due any more.

    One statement; on a cluster one for each, so that each goes to its shard only.
    """
    time = str(connection.ops.adapt_datetimefield_value(now))
    rows = [_row(key, summary) | {"refreshed_at": time} for key, summary in summaries.items()]
    if not rows:
        return
    with connection.cursor() as cursor:
        if is_cluster():
            cursor.executemany(_UPDATE_ONE, [[row[name] for name in (*_SET, "id")] for row in rows])
        else:
            cursor.execute(_UPDATE[connection.vendor], [orjson.dumps(rows).decode()])


def _row(key: UUID, summary: TraceSummary) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(SUMMARY_COLUMNS, _values(summary), strict=True))
    row["id"] = key.hex
    row["model_names"] = orjson.dumps(summary.model_names).decode()
    row["cost_usd"] = None if summary.cost_usd is None else str(summary.cost_usd)
    return row
