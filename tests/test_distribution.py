"""The schema and the statements of the ingest path fit a database that is spread by the trace's key.

What Citus asks of a distributed table is checked on any database; `tests/cluster` looks where the statements really go.
"""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from spans import writer
from spans.cluster import is_cluster
from spans.models import Span
from tests.builders import export_request, new_trace_id, span
from traces.models import RejectedSpans
from traces.otlp.receiver import export
from traces.summaries import rollup
from tracing_site.distribution import DISTRIBUTED, LOCAL, REFERENCE

pytestmark = pytest.mark.django_db
OUR_APPS = ("projects", "spans", "traces", "evaluations", "mlflow_sync")
ROOT = Path(__file__).resolve().parents[2]
on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no catalog and no shards")
TABLES = {model._meta.db_table: column for model, column in DISTRIBUTED.items()}


def test_every_table_of_ours_has_its_place():
    ours = {model for label in OUR_APPS for model in apps.get_app_config(label).get_models() if not model._meta.proxy}
    placed = [*DISTRIBUTED, *REFERENCE, *LOCAL]
    assert len(placed) == len(set(placed))
    assert ours <= set(placed)


def test_no_foreign_key_of_or_to_a_distributed_table_is_a_constraint():
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey) and {model, field.related_model} & set(DISTRIBUTED):
                assert not field.db_constraint, f"{model.__name__}.{field.name}"


@on_postgres
def test_the_database_has_no_such_constraint_either():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' "
            "AND (conrelid::regclass::text = ANY(%s) OR confrelid::regclass::text = ANY(%s))",
            [list(TABLES), list(TABLES)],
        )
        assert cursor.fetchall() == []


@on_postgres
def test_every_unique_key_carries_the_distribution_column():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indrelid::regclass::text, array_agg(attname::text) FROM pg_index "
            "JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) "
            "WHERE indisunique AND indrelid::regclass::text = ANY(%s) GROUP BY indexrelid, indrelid",
            [list(TABLES)],
        )
        found = cursor.fetchall()
    assert {table for table, _ in found} == set(TABLES)
    for table, columns in found:
        assert TABLES[table] in columns, (table, columns)


def routed(sql: str, table: str, column: str) -> bool:
    """Whether the statement names the shards of the table: by inserting the column, or by comparing it."""
    if match := re.match(rf'INSERT (?:OR IGNORE )?INTO "?{table}"? \(([^)]*)\)', sql):
        return column in re.findall(r"\w+", match[1])
    return re.search(rf'"{table}"\."{column}" (=|IN) ', sql) is not None


@on_postgres
def test_every_statement_of_an_export_goes_to_the_shards_of_its_traces(project, monkeypatch):
    monkeypatch.setattr("traces.summaries.trace_rows.is_cluster", lambda: True)
    trace_ids = [new_trace_id(), new_trace_id()]
    call = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5}
    first = [span("call", trace_id=trace_id, span_id="1" * 16, attrs=call) for trace_id in trace_ids]
    later = [span("call", trace_id=trace_id, span_id="1" * 16, attrs=call | {"more": "x"}) for trace_id in trace_ids]
    child = span("child", trace_id=trace_ids[0], parent_span_id="1" * 16, attrs=call)
    rejected = span()
    rejected.trace_id = b"short"
    with CaptureQueriesContext(connection) as captured:
        export(export_request(*first), project)
        export(export_request(*first), project)
        export(export_request(*later, child, rejected), project)
        monkeypatch.setattr(rollup, "IMMEDIATE_SPANS", 0)
        export(export_request(span("late", trace_id=trace_ids[1])), project)
    assert (Span.objects.count(), RejectedSpans.objects.count()) == (4, 1)
    checked = set()
    for query in captured:
        sql = re.sub(r"^\d+ times: ", "", query["sql"])
        assert "FOR UPDATE" not in sql.upper()
        for table, column in TABLES.items():
            if re.search(rf"\b{table}\b", sql) and not sql.startswith("COPY"):
                checked.add((table, sql.split()[0]))
                assert routed(sql, table, column), sql
    assert {("traces_trace", "INSERT"), ("spans_span", "SELECT"), ("spans_span", "DELETE")} <= checked
    assert "trace_row_id" in writer.COLUMNS


def test_more_new_traces_than_one_statement_can_bind_are_stored(project, monkeypatch):
    monkeypatch.setattr("traces.summaries.trace_rows.is_cluster", lambda: True)
    export(export_request(*(span(trace_id=new_trace_id()) for _ in range(3_000))), project)
    assert Span.objects.count() == 3_000


def test_nothing_locks_rows_by_select():
    for app in OUR_APPS:
        for path in (ROOT / app).rglob("*.py"):
            text = path.read_text()
            assert "select_for_update" not in text, path
            assert "FOR UPDATE" not in text, path


def test_distribute_names_its_statements_and_what_is_missing():
    out = StringIO()
    call_command("distribute", "--dry-run", stdout=out)
    lines = out.getvalue().splitlines()
    assert "SELECT create_distributed_table('spans_span', 'trace_row_id', colocate_with => 'traces_trace');" in lines
    assert lines[0].endswith("SET citus.propagate_set_commands = 'local';")
    assert lines.index("SELECT create_reference_table('auth_user');") < lines.index(
        "SELECT create_reference_table('projects_projectmembership');"
    )
    if is_cluster():
        call_command("distribute", stdout=out)
        assert out.getvalue().splitlines()[-1].startswith("All tables are distributed.")
    else:
        with pytest.raises(CommandError, match="Citus"):
            call_command("distribute")
