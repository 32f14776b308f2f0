"""Indexes that are built beside a running platform."""

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Index

from spans.index_operations import AddIndexBeside
from spans.models import SpanLog

pytestmark = pytest.mark.django_db(transaction=True)


def indexes():
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, SpanLog._meta.db_table)


def test_what_an_interrupted_build_left_behind_is_built_anew():
    operation = AddIndexBeside("spanlog", Index(fields=["name", "position"], name="example"))
    before = MigrationLoader(None).project_state()
    after = before.clone()
    operation.state_forwards("spans", after)
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX example ON spans_spanlog (name)")
    try:
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("spans", editor, before, after)
        assert indexes()["example"]["columns"] == ["name", "position"]
    finally:
        with connection.schema_editor(atomic=False) as editor:
            operation.database_backwards("spans", editor, after, before)
    assert "example" not in indexes()
