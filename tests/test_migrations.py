"""Migrations after the first release run beside the version before, and lock nothing for long."""

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

from tests.migration_lint import LARGE, problems

OURS = {"spans", "traces", "evaluations", "mlflow_sync", "projects"}
# They make the first release's tables.
FIRST_RELEASE = {
    ("projects", "0001_initial"),
    ("spans", "0001_initial"),
    ("spans", "0002_partition_by_day"),
    ("traces", "0001_initial"),
    ("mlflow_sync", "0001_initial"),
}


@pytest.fixture(scope="module")
def loader():
    return MigrationLoader(None)


def test_no_migration_stops_a_running_platform(loader):
    found = []
    for key, migration in loader.disk_migrations.items():
        if key[0] in OURS and key not in FIRST_RELEASE:
            found += problems(migration, loader.project_state(key, at_end=False))
    assert found == []


def test_the_large_tables_exist(loader):
    assert set(loader.project_state().models) >= LARGE


def lint(loader, app_label, *operations, **attributes):
    migration = migrations.Migration("9999_example", app_label)
    migration.operations = list(operations)
    for name, value in attributes.items():
        setattr(migration, name, value)
    return list(problems(migration, loader.project_state()))


INDEX = models.Index(fields=["name"], name="example")
POSITIVE = models.CheckConstraint(condition=models.Q(span_count__gte=0), name="example")


@pytest.mark.parametrize(
    ("app_label", "operation"),
    [
        ("traces", migrations.AddField("trace", "colour", models.TextField(null=True))),
        ("traces", migrations.AddField("trace", "colour", models.TextField(db_default=""))),
        ("traces", migrations.CreateModel("Colour", [("id", models.BigAutoField(primary_key=True))])),
        ("traces", AddIndexConcurrently("trace", INDEX)),
        ("traces", AddConstraintNotValid("trace", POSITIVE)),
        ("traces", migrations.AlterField("trace", "name", models.TextField(blank=True, help_text="The root's name."))),
        ("traces", migrations.AlterModelOptions("trace", {"verbose_name": "a trace"})),
        ("projects", migrations.AddIndex("project", INDEX)),
    ],
)
def test_what_runs_beside_a_working_platform_passes(loader, app_label, operation):
    assert lint(loader, app_label, operation) == []


@pytest.mark.parametrize(
    ("app_label", "operation"),
    [
        ("traces", migrations.AddField("trace", "colour", models.TextField(default=""))),
        ("traces", migrations.AddField("trace", "colour", models.TextField(null=True, db_index=True))),
        ("traces", migrations.AddIndex("trace", INDEX)),
        ("spans", AddIndexConcurrently("span", INDEX)),
        ("traces", migrations.AddConstraint("trace", POSITIVE)),
        ("traces", migrations.AlterField("trace", "name", models.CharField(max_length=100))),
        ("traces", migrations.RemoveField("trace", "name")),
        ("traces", migrations.RenameField("trace", "name", "title")),
        ("projects", migrations.RemoveField("project", "name")),
        ("spans", migrations.RunSQL("LOCK TABLE spans_span")),
        ("spans", migrations.RunPython(migrations.RunPython.noop)),
    ],
)
def test_what_locks_or_breaks_the_version_before_is_refused(loader, app_label, operation):
    assert len(lint(loader, app_label, operation)) == 1


def test_a_migration_that_says_why_it_is_harmless_passes(loader):
    operation = migrations.RunSQL("SELECT 1")
    assert lint(loader, "spans", operation, safe_because="It reads one row.") == []
