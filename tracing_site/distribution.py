"""How the tables are spread over the machines of a Citus cluster. docs/scaling.md says why."""

from django.contrib.auth import get_user_model
from django.db import connection, models

from evaluations.models import Score, ScorePull
from mlflow_sync.models import Erasure, MirrorStatus, MlflowTrace
from projects.models import ApiKey, AuditEvent, DailyUsage, Project, ProjectMembership, RetentionRule, SignInStamp
from spans.models import MappingRule, ModelPrice, Span, SpanLog
from traces.models import DeletedTrace, ExportReceipt, RejectedSpans, RunningTotal, Trace

Model = type[models.Model]
# Distribution columns. A trace, its spans and its mirror state have the same value and lie on the same shard.
BY_TRACE: dict[Model, str] = {
    Trace: "id",
    DeletedTrace: "id",
    Span: "trace_row_id",
    SpanLog: "trace_row_id",
    Score: "trace_row_id",
    MlflowTrace: "trace_row_id",
}
BY_REQUEST: dict[Model, str] = {ExportReceipt: "id", RejectedSpans: "id"}
DISTRIBUTED = BY_TRACE | BY_REQUEST
# A copy on every machine, because queries of distributed tables join them; referenced tables first.
REFERENCE: tuple[Model, ...] = (get_user_model(), Project, ApiKey, ProjectMembership, SignInStamp, RetentionRule)
# On the coordinator only, as are Django's own tables: few rows, never joined with distributed ones.
LOCAL: tuple[Model, ...] = (
    DailyUsage,
    AuditEvent,
    RunningTotal,
    MappingRule,
    ModelPrice,
    MirrorStatus,
    ScorePull,
    Erasure,
)


def setting_statement() -> str:
    """Lets SET LOCAL reach the workers in sessions that begin afterwards: ingest bounds its waits for locks by it, and
    the locks are there. The role must own the database.
    """
    name = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
    return f"ALTER DATABASE {name} SET citus.propagate_set_commands = 'local'"


def statements() -> dict[str, str]:
    """The statement that spreads each table, by table, in the order to run them."""
    found = {_table(model): f"SELECT create_reference_table('{_table(model)}')" for model in REFERENCE}
    for group in (BY_TRACE, BY_REQUEST):
        together = "none"
        for model, column in group.items():
            table = _table(model)
            found[table] = f"SELECT create_distributed_table('{table}', '{column}', colocate_with => '{together}')"
            together = _table(next(iter(group)))
    return found


def _table(model: Model) -> str:
    return model._meta.db_table


def missing_extension() -> str:
    """What keeps the database from distributing tables, and what to do about it; "" where nothing does."""
    if connection.vendor != "postgresql":
        return "SQLite has one machine. Distributing needs PostgreSQL with the Citus extension: set DATABASE_URL."
    with connection.cursor() as cursor:
        cursor.execute("SELECT installed_version FROM pg_available_extensions WHERE name = 'citus'")
        found = cursor.fetchone()
    if found is None:
        return "This PostgreSQL server does not have Citus. Install it there and add it to shared_preload_libraries."
    return "" if found[0] else "Citus is not active in this database: CREATE EXTENSION citus, then add the workers."


def distributed_tables() -> set[str]:
    """The tables that Citus knows already."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT logicalrelid::text FROM pg_dist_partition")
        return {table for (table,) in cursor.fetchall()}
