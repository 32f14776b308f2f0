"""Why the database failed, as far as an operator has to know it, from the codes of both drivers."""

from dataclasses import dataclass
from time import monotonic

from django import db

from traces.ingest.counters import DATABASE_ERRORS


@dataclass(frozen=True, slots=True)
class DatabaseFault:
    """A kind of failure: its name in the metrics and what a client is told."""

    kind: str
    message: str


# How long a fault that a write met counts as being there.
RECENT_SECONDS = 60
_last_seen: "dict[DatabaseFault, float]" = {}

UNAVAILABLE = DatabaseFault("unavailable", "the database is not available; send again")
DISK_FULL = DatabaseFault("disk full", "the database has no space left on its disk; send again when there is")
READ_ONLY = DatabaseFault("read-only", "the database is read-only now; send again when it takes writes")

# SQLSTATE, PostgreSQL documentation, appendix A
_BY_SQLSTATE = {"53100": DISK_FULL, "25006": READ_ONLY}
# Result codes, https://www.sqlite.org/rescode.html
_BY_SQLITE_NAME = {"SQLITE_FULL": DISK_FULL, "SQLITE_READONLY": READ_ONLY}


def database_fault(error: db.Error) -> DatabaseFault:
    """The kind of failure that Django's error stands for."""
    cause = error.__cause__
    sqlite_name = "_".join(getattr(cause, "sqlite_errorname", "").split("_")[:2])
    return _BY_SQLSTATE.get(getattr(cause, "sqlstate", None) or "") or _BY_SQLITE_NAME.get(sqlite_name, UNAVAILABLE)


def count_database_error(error: db.Error) -> DatabaseFault:
    """The kind of failure, counted in the metrics."""
    fault = database_fault(error)
    DATABASE_ERRORS.labels(fault.kind).inc()
    if fault is not UNAVAILABLE:
        _last_seen[fault] = monotonic()
    return fault


def recent_fault() -> DatabaseFault | None:
    """A full disk or a read-only database that a write of this process met in the last minute."""
    now = monotonic()
    return next((fault for fault, seen_at in _last_seen.items() if now - seen_at < RECENT_SECONDS), None)


def leave_read_only_session(error: db.Error) -> None:
    """Close this thread's connection if its server takes no writes: the next one may lead to the new primary."""
    if database_fault(error) is READ_ONLY:
        db.connection.close()
