"""How long a day takes to expire on PostgreSQL: python -m benchmarks.retention [--spans 1000000]

Fills the partition of a day long past with traces of 100 spans of 2.5 KB, a thousandth of them pinned, and expires it.
"""

# ruff: noqa: PLC0415  Django is set up once its database runs.

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from typing import Any, LiteralString

import psycopg

from tests import servers

DAY = "2020-01-01"
TRACE_COLUMNS = "id, project_id, trace_id, name, root_span_id, service_name, start_time_unix_nano, end_time_unix_nano, "
TRACE_COLUMNS += "duration_ns, span_count, error_count, status, model_names, session_id, user_id, input_preview, "
TRACE_COLUMNS += "output_preview, framework_trace_id, refresh_due, day, pinned, created_at, refreshed_at"


def value(connection: psycopg.Connection[Any], sql: LiteralString) -> int:
    row = connection.execute(sql).fetchone()
    return row[0] if row else 0


def fill(connection: psycopg.Connection[Any], spans: int) -> None:
    """Copies of one stored span, under keys of their own."""
    connection.execute(
        f"CREATE TABLE spans_span_20200101 PARTITION OF spans_span FOR VALUES FROM ('{DAY}') TO ('2020-01-02')"
    )
    connection.execute(
        f"INSERT INTO traces_trace ({TRACE_COLUMNS}) SELECT md5('t' || n)::uuid, 1, md5('t' || n), '', '', '', 0, 0, "
        f"0, 100, 0, 'OK', '[]', '', '', '', '', '', false, '{DAY}', n %% 1000 = 0, '{DAY} 12:00+00', now() "
        "FROM generate_series(1, %s) n",
        [spans // 100],
    )
    catalog = "SELECT attname FROM pg_attribute WHERE attrelid = 'spans_span'::regclass AND attnum > 0 ORDER BY attnum"
    columns = [name for (name,) in connection.execute(catalog)]
    fresh = {
        "id": "md5('s' || n || '.' || s)::uuid",
        "trace_row_id": "md5('t' || n)::uuid",
        "day": f"'{DAY}'::date",
        "span_id": "lpad(s::text, 16, '0')",
    }
    values = ", ".join(fresh.get(column, f"source.{column}") for column in columns)
    connection.execute(
        f"INSERT INTO spans_span ({', '.join(columns)}) SELECT {values} FROM generate_series(1, %s) n, "
        "generate_series(1, 100) s, (SELECT * FROM spans_span LIMIT 1) source",
        [spans // 100],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    counts = parser.parse_args().spans
    with servers.postgres(fsync=True) as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DATABASE_URL": url, "DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "tracing_site.settings"}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], check=True)
        import django

        django.setup()
        measure(url, counts)


def measure(url: str, counts: list[int]) -> None:
    from django.db import connection as django_connection

    from projects.models import Project
    from spans import partitions
    from tests.builders import export_request, span
    from traces.otlp.receiver import export
    from traces.upkeep import retention

    project = Project.objects.create(slug="first", name="first")
    export(export_request(span(attrs={"text": os.urandom(1_000).hex()})), project)
    seconds = {"locked": 0.0, "drop": 0.0}
    drop = partitions.drop_partition

    def time_statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        started = time.perf_counter()
        result = execute(sql, params, many, context)
        if sql.startswith("DROP TABLE"):
            seconds["locked"] = time.perf_counter() - started
        return result

    def time_drop(day: datetime.date) -> None:
        started = time.perf_counter()
        with django_connection.execute_wrapper(time_statement):
            drop(day)
        seconds["drop"] = time.perf_counter() - started

    setattr(retention, "drop_partition", time_drop)  # noqa: B010  only its place in the module is known
    # PostgreSQL gives the lock back before it removes the files.
    print(f"{'spans':>10} {'size':>8} {'locked':>8} {'drop':>8} {'all':>8} {'kept traces':>12}")
    with psycopg.connect(url, autocommit=True) as connection:
        for spans in counts:
            fill(connection, spans)
            size = value(connection, "SELECT pg_total_relation_size('spans_span_20200101')")
            # As a day is that has passed: autovacuum is done with it, and holds no lock that the drop would wait for
            connection.execute("VACUUM (ANALYZE) spans_span_20200101")
            connection.execute("CHECKPOINT")
            os.sync()
            started = time.perf_counter()
            retention.delete_expired()
            everything = time.perf_counter() - started
            kept = value(connection, "SELECT count(*) FROM traces_trace WHERE pinned")
            print(
                f"{spans:>10,} {size / 2**20:>5.0f} MB {seconds['locked'] * 1000:>5.0f} ms "
                f"{seconds['drop'] * 1000:>5.0f} ms {everything:>6.1f} s {kept:>12}",
                flush=True,
            )
            connection.execute("DELETE FROM traces_trace WHERE pinned")
            connection.execute("TRUNCATE spans_span_kept")


if __name__ == "__main__":
    main()
