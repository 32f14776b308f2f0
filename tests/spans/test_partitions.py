import datetime

import pytest
from django.db import connection

from spans import partitions
from spans.models import Span, utc_today
from spans.partitions import create_partitions, drop_partition, partition_days
from tests.builders import export_request, new_trace_id, span
from traces.models import Trace
from traces.otlp.receiver import export

on_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="only PostgreSQL's span table has partitions"
)
pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor == "postgresql", reason="PostgreSQL's span table has partitions")
def test_a_database_without_partitions_has_none_to_make():
    assert (create_partitions(), partition_days()) == ([], [])


@on_postgres
def test_migrate_makes_a_week_of_partitions_and_a_second_call_none():
    days = [utc_today() + datetime.timedelta(days=number) for number in range(partitions.DAYS_AHEAD + 1)]
    assert partition_days() == days
    assert create_partitions() == []


@on_postgres
def test_every_partition_compresses_by_lz4_where_the_server_has_it():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
        [(has_lz4,)] = cursor.fetchall()
        cursor.execute(
            "SELECT attrelid::regclass::text, attcompression FROM pg_attribute "
            "WHERE attname = 'attributes' AND attrelid::regclass::text ~ '^spans_span(_default|_kept|_[0-9]+)?$'"
        )
        found = dict(cursor.fetchall())
    assert len(found) == partitions.DAYS_AHEAD + 4
    assert set(found.values()) == {"l" if has_lz4 else ""}


@on_postgres
def test_a_day_is_dropped_at_once_and_takes_only_its_spans(project):
    export(export_request(span("new")), project)
    yesterday = utc_today() - datetime.timedelta(days=1)
    Span.objects.update(day=yesterday)
    export(export_request(span("today")), project)
    drop_partition(utc_today())
    assert [row.name for row in Span.objects.all()] == ["new"]


@on_postgres
def test_spans_of_a_day_without_a_partition_move_into_it_when_it_is_made(project):
    drop_partition(utc_today())
    export(export_request(span("early")), project)
    assert create_partitions() == [utc_today()]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name FROM {partitions.partition_name(utc_today())}")
        assert cursor.fetchall() == [("early",)]


def test_spans_that_come_on_a_later_day_join_the_day_of_their_trace(project):
    trace_id = new_trace_id()
    export(export_request(span("first", trace_id=trace_id, span_id="1" * 16)), project)
    yesterday = utc_today() - datetime.timedelta(days=1)
    Span.objects.update(day=yesterday)
    Trace.objects.update(day=yesterday)
    export(export_request(span("first", trace_id=trace_id, span_id="1" * 16), span("x", trace_id=trace_id)), project)
    assert set(Span.objects.values_list("day", flat=True)) == {yesterday}
    assert Span.objects.count() == Trace.objects.get().span_count == 2
