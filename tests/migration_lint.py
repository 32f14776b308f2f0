"""Which operations of a migration would stop a running platform.

That is those that lock a large table for longer than a moment, and those that the version before can't live with.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import connection, migrations
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED
from django.db.models.expressions import Value

# Tables that grow with what is received, by app and model name
LARGE = {
    ("spans", "span"),
    ("spans", "spanlog"),
    ("traces", "trace"),
    ("traces", "exportreceipt"),
    ("traces", "rejectedspans"),
    ("mlflow_sync", "mlflowtrace"),
}
# PostgreSQL builds no index CONCURRENTLY on these.
PARTITIONED = {("spans", "span")}

ALWAYS_SAFE = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.AlterModelTableComment,
)


def problems(migration: Any, state: Any) -> Iterator[str]:
    """A sentence for each operation that must not run beside a working platform; `state` is what comes before it.

    A migration that somebody has looked at says why it is harmless in `safe_because`, and has no problems.
    """
    if getattr(migration, "safe_because", ""):
        return
    for operation in migration.operations:
        problem = operation_problem(operation, migration, state)
        if problem:
            yield f"{migration.app_label}.{migration.name}, {operation.describe()}: {problem}"
        operation.state_forwards(migration.app_label, state)


def operation_problem(operation: Operation, migration: Any, state: Any) -> str:
    if isinstance(operation, ALWAYS_SAFE):
        return ""
    if isinstance(operation, migrations.RunPython | migrations.RunSQL | migrations.SeparateDatabaseAndState):
        return "nobody can see from outside what it locks"
    table = (migration.app_label, table_name(operation))
    is_large = table in LARGE
    if isinstance(operation, migrations.RemoveField | migrations.DeleteModel):
        return "the version before still uses it; remove it one release after the code"
    if isinstance(operation, migrations.RenameField | migrations.RenameModel | migrations.AlterModelTable):
        return "the version before knows the old name; add, copy and remove over several releases"
    if isinstance(operation, migrations.AddField):
        return added_field_problem(operation.field, is_large)
    if isinstance(operation, migrations.AlterField):
        return "" if is_same_column(operation, migration.app_label, state) else "it may rewrite or scan the table"
    if not is_large:
        return ""
    if isinstance(operation, AddIndexConcurrently | RemoveIndexConcurrently):
        return "" if table not in PARTITIONED else "an index of a partitioned table is built partition by partition"
    if isinstance(operation, AddConstraintNotValid | ValidateConstraint):
        return ""
    return "it locks out writers while it reads the whole table"


def table_name(operation: Operation) -> str:
    """The lower-case model name an operation is about."""
    return str(getattr(operation, "model_name", getattr(operation, "name", ""))).lower()


def added_field_problem(field: Any, is_large: bool) -> str:
    default = field.db_default
    is_constant = isinstance(default, Value) or not hasattr(default, "resolve_expression")
    if not field.null and (default is NOT_PROVIDED or not is_constant):
        return "the version before inserts rows without it; it needs null=True or a constant db_default"
    if is_large and (field.unique or field.db_index or (field.remote_field and field.db_constraint)):
        return "its index or constraint locks out writers; make that an operation of its own"
    return ""


def is_same_column(operation: migrations.AlterField, app_label: str, state: Any) -> bool:
    """Whether only what Django knows of the field changes: help text, choices, validators."""
    after = state.clone()
    operation.state_forwards(app_label, after)
    old, new = (
        each.apps.get_model(app_label, operation.model_name)._meta.get_field(operation.name) for each in (state, after)
    )
    return not connection.schema_editor()._field_should_be_altered(old, new)
