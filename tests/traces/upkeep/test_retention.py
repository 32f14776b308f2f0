"""Expiry of traces."""

import datetime
import re
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from projects.models import Project, RetentionRule
from spans.models import Span, SpanLog
from spans.partitions import KEPT_DAY, partition_days, partition_name
from tests.builders import export_request, new_trace_id, span
from traces.models import Trace
from traces.otlp.receiver import export
from traces.reading.queries import load_spans
from traces.summaries import rollup
from traces.upkeep import retention
from traces.upkeep.retention import delete_expired

pytestmark = pytest.mark.django_db


def trace_of_age(project: Project, days: float, spans: int = 1) -> Trace:
    trace_id = new_trace_id()
    export(export_request(*(span(trace_id=trace_id) for _ in range(spans))), project)
    trace = Trace.objects.get(trace_id=trace_id)
    trace.created_at = timezone.now() - datetime.timedelta(days=days)
    trace.save(update_fields=["created_at"])
    return trace


def old_partition() -> datetime.date:
    """A day that expired long ago, with a partition."""
    day = (timezone.now() - datetime.timedelta(days=100)).date()
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {partition_name(day)} PARTITION OF {Span._meta.db_table} "
            f"FOR VALUES FROM ('{day}') TO ('{day + datetime.timedelta(days=1)}')"
        )
    return day


def trace_of_day(project: Project, day: datetime.date, spans: int = 2) -> Trace:
    trace = trace_of_age(project, 0, spans)
    noon = datetime.datetime.combine(day, datetime.time(12), datetime.UTC)
    Trace.objects.filter(pk=trace.pk).update(created_at=noon, day=day)
    Span.objects.filter(trace_row=trace).update(day=day)
    return trace


def test_traces_past_the_general_retention_go_with_their_spans(project: Project, settings: Any) -> None:
    settings.DATA_EXPIRATION_IN_DAYS = 7
    trace_of_age(project, 7.1, spans=3)
    kept = trace_of_age(project, 6.9)
    assert delete_expired() == 1
    assert list(Trace.objects.values_list("pk", flat=True)) == [kept.pk]
    assert list(Span.objects.values_list("trace_row", flat=True)) == [kept.pk]


def test_a_projects_own_retention_counts_for_its_traces_only(project: Project, other_project: Project) -> None:
    project.retention_days = 1
    project.save()
    trace_of_age(project, 2)
    kept = trace_of_age(other_project, 2)
    assert delete_expired() == 1
    assert Trace.objects.get() == kept


def test_the_traces_of_a_deleted_project_go(project: Project, other_project: Project) -> None:
    trace_of_age(project, 0)
    kept = trace_of_age(other_project, 0)
    project.delete()
    assert delete_expired() == 1
    assert Trace.objects.get() == kept


def test_expiry_goes_on_batch_by_batch_and_tells_its_progress(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "TRACES_A_BATCH", 2)
    for _ in range(5):
        trace_of_age(project, 100)
    told: list[int] = []
    assert delete_expired(progress=told.append) == 5
    assert told == [2, 2, 1]
    assert delete_expired() == 0


def test_a_day_that_expired_everywhere_loses_its_partition(project: Project) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has partitions")
    day = old_partition()
    gone = trace_of_day(project, day)
    kept = trace_of_age(project, 0)
    for trace in (gone, kept):
        log = {"span_id": "1" * 16, "name": "event", "time_unix_nano": 1}
        SpanLog.objects.create(trace_row=trace, id=uuid4(), project=project, **log)
    assert delete_expired() == 1
    assert day not in partition_days()
    assert SpanLog.objects.get().trace_row_id == kept.pk
    assert Span.objects.get().trace_row_id == kept.pk


def test_what_is_kept_leaves_its_day_before_it_is_dropped_and_goes_on_growing(
    project: Project, other_project: Project
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has partitions")
    day = old_partition()
    gone, pinned, failed = (trace_of_day(project, day) for _ in range(3))
    Trace.objects.filter(pk=pinned.pk).update(pinned=True)
    Trace.objects.filter(pk=failed.pk).update(status="ERROR")
    RetentionRule.objects.create(project=project, status="ERROR", keep_days=200)
    trace_of_day(other_project, day)
    assert delete_expired() == 2
    assert day not in partition_days()
    assert set(Trace.objects.values_list("pk", "day")) == {(pinned.pk, KEPT_DAY), (failed.pk, KEPT_DAY)}
    assert set(Span.objects.values_list("trace_row", "day")) == {(pinned.pk, KEPT_DAY), (failed.pk, KEPT_DAY)}
    export(export_request(span(trace_id=pinned.trace_id), span(trace_id=gone.trace_id)), project)
    assert [len(load_spans(Trace.objects.get(trace_id=trace.trace_id), False)) for trace in (pinned, gone)] == [3, 1]
    assert delete_expired() == 0
    RetentionRule.objects.all().delete()
    assert delete_expired() == 1
    assert not Span.objects.filter(trace_row=failed.pk).exists()


def test_a_day_is_dropped_without_touching_its_spans(project: Project) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has partitions")
    day = old_partition()
    trace_of_day(project, day, spans=500)
    with CaptureQueriesContext(connection) as queries:
        delete_expired()
    about_spans = [query["sql"] for query in queries if re.search(r"spans_span\b|spans_span_\d", query["sql"])]
    about_spans = [sql for sql in about_spans if "pg_inherits" not in sql]
    assert about_spans == [f"DROP TABLE {partition_name(day)}"]


def matching(project: Project, **values: Any) -> Trace:
    trace = trace_of_age(project, 10)
    Trace.objects.filter(pk=trace.pk).update(**values)
    return trace


@pytest.mark.parametrize(
    ("rule", "met", "not_met"),
    [
        ({"status": "ERROR"}, {"status": "ERROR"}, {"status": "OK"}),
        ({"status": "OK"}, {"status": "OK"}, {"status": "ERROR"}),
        ({"min_error_count": 2}, {"error_count": 2}, {"error_count": 1}),
        ({"min_duration_ms": 5}, {"duration_ns": 5_000_000}, {"duration_ns": 4_999_999}),
        ({"min_cost_usd": Decimal("0.5")}, {"cost_usd": Decimal("0.5")}, {"cost_usd": None}),
        ({"service_name": "shop"}, {"service_name": "shop"}, {"service_name": "shop2"}),
        ({"session_id": "s"}, {"session_id": "s"}, {"session_id": ""}),
        ({"user_id": "u"}, {"user_id": "u"}, {"user_id": "v"}),
        (
            {"user_id": "u", "status": "ERROR"},
            {"user_id": "u", "status": "ERROR"},
            {"user_id": "u", "status": "OK"},
        ),
    ],
)
def test_a_rule_keeps_the_traces_that_meet_all_its_conditions(
    project: Project, other_project: Project, rule: Any, met: Any, not_met: Any
) -> None:
    RetentionRule.objects.create(project=project, keep_days=11, **rule)
    kept = matching(project, **met)
    matching(project, **not_met)
    matching(other_project, **met)
    assert delete_expired() == 2
    assert Trace.objects.get() == kept


def test_the_longest_time_that_applies_counts(project: Project) -> None:
    project.retention_days = 30
    project.save()
    RetentionRule.objects.create(project=project, status="ERROR", keep_days=10)
    RetentionRule.objects.create(project=project, status="ERROR", keep_days=50)
    RetentionRule.objects.create(project=project, min_error_count=1, keep_days=100)
    traces = [trace_of_age(project, days) for days in (20, 40, 60, 60)]
    Trace.objects.update(status="ERROR")
    Trace.objects.filter(pk=traces[3].pk).update(error_count=1)
    assert delete_expired() == 1
    assert not Trace.objects.filter(pk=traces[2].pk).exists()


def test_a_pinned_trace_never_expires_but_goes_with_its_project(project: Project) -> None:
    trace = trace_of_age(project, 10_000)
    Trace.objects.filter(pk=trace.pk).update(pinned=True)
    assert delete_expired() == 0
    project.delete()
    assert delete_expired() == 1


def test_a_trace_that_is_pinned_in_the_last_moment_stays(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_of_age(project, 100)
    lock = rollup.lock

    def pin_first(keys: Any) -> Any:
        Trace.objects.filter(pk=trace.pk).update(pinned=True)
        return lock(keys)

    monkeypatch.setattr(rollup, "lock", pin_first)
    assert delete_expired() == 0
    assert Trace.objects.get() == trace


@pytest.mark.django_db(transaction=True)
def test_expiry_gives_the_space_back_to_the_file_system(project: Project) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's partitions and autovacuum do it")
    trace_of_age(project, 100, spans=3_000)
    before = pages()
    assert delete_expired() == 1
    assert pages() < before / 2


def pages() -> int:
    with connection.cursor() as cursor:
        return cursor.execute("PRAGMA page_count").fetchone()[0]


def test_prunetraces_says_what_is_kept_and_by_what(project: Project) -> None:
    traces = [trace_of_age(project, 100) for _ in range(3)]
    Trace.objects.filter(pk=traces[0].pk).update(pinned=True)
    Trace.objects.filter(pk=traces[1].pk).update(cost_usd=3)
    RetentionRule.objects.create(project=project, min_cost_usd=1, keep_days=365)
    out = StringIO()
    call_command("prunetraces", "--dry-run", stdout=out)
    assert "first: 1 traces with 1 spans" in out.getvalue()
    assert "1 past that are kept: pinned" in out.getvalue()
    assert "1 past that are kept: cost ≥ $1: 365 days" in out.getvalue()


def test_prunetraces_says_what_would_go_and_deletes_nothing_in_a_dry_run(project: Project) -> None:
    trace_of_age(project, 100, spans=3)
    out = StringIO()
    call_command("prunetraces", "--dry-run", stdout=out)
    assert "first: 1 traces with 3 spans from before" in out.getvalue()
    assert "1 traces would be deleted." in out.getvalue()
    assert Trace.objects.count() == 1


def test_prunetraces_deletes_in_one_project(project: Project, other_project: Project) -> None:
    trace_of_age(project, 100)
    kept = trace_of_age(other_project, 100)
    out = StringIO()
    call_command("prunetraces", "--project", project.slug, stdout=out)
    assert "1 traces deleted." in out.getvalue()
    assert Trace.objects.get() == kept
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("prunetraces", "--project", "nowhere")


def test_refreshrollups_repairs_a_summary_and_leaves_right_ones_alone(project: Project) -> None:
    wrong, right = trace_of_age(project, 0, spans=2), trace_of_age(project, 0)
    Trace.objects.filter(pk=wrong.pk).update(span_count=99)
    out = StringIO()
    call_command("refreshrollups", stdout=out)
    assert "2 traces refreshed." in out.getvalue()
    assert Trace.objects.get(pk=wrong.pk).span_count == 2
    assert Trace.objects.get(pk=right.pk).refreshed_at == right.refreshed_at
    with pytest.raises(CommandError, match="No such trace"):
        call_command("refreshrollups", new_trace_id())
