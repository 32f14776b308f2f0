"""Which traces are taken up for the mirror, and how far it is behind."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from mlflow_sync import pull as pulling
from mlflow_sync.contract import mirror_states
from mlflow_sync.models import MirrorStatus, MlflowTrace
from mlflow_sync.pull import is_sampled, mirror_again, mirror_lag, pull
from projects.models import Project
from tests.builders import new_trace_id, span
from tests.mlflow_sync.conftest import pull_now
from traces.models import Trace

pytestmark = pytest.mark.django_db
Ingest = Callable[..., Trace]
FAILED = Status(code=Status.STATUS_CODE_ERROR)


def set_policy(project: Project, policy: str, percent: int = 100) -> None:
    project.mirror_policy = policy
    project.mirror_sample_percent = percent
    project.save()


def test_a_trace_is_left_alone_until_it_is_quiet(ingest: Ingest) -> None:
    ingest(span())
    assert pull() == 0
    assert pull_now() == 1
    assert MlflowTrace.objects.get().state == MlflowTrace.State.WAITING


def test_a_trace_is_taken_up_once_a_change(ingest: Ingest) -> None:
    trace_id = new_trace_id()
    ingest(span(trace_id=trace_id))
    assert [pull_now(), pull_now()] == [1, 0]
    ingest(span(trace_id=trace_id))
    assert [pull_now(), pull_now()] == [1, 0]


def test_the_policy_none_takes_nothing(ingest: Ingest, project: Project) -> None:
    set_policy(project, "none")
    ingest(span())
    assert pull_now() == 0


def test_the_policy_errors_takes_a_trace_once_it_has_an_error(ingest: Ingest, project: Project) -> None:
    set_policy(project, "errors")
    trace_id = new_trace_id()
    ingest(span(trace_id=trace_id))
    assert pull_now() == 0
    ingest(span("late", trace_id=trace_id, parent_span_id="0" * 15 + "1", status=FAILED))
    assert pull_now() == 1


def test_a_sampled_share_takes_the_same_traces_every_time(ingest: Ingest, project: Project) -> None:
    set_policy(project, "sampled", 40)
    ids = [new_trace_id() for _ in range(50)]
    wanted = {trace_id for trace_id in ids if is_sampled(trace_id, 40)}
    assert 5 < len(wanted) < 40
    for trace_id in ids:
        ingest(span(trace_id=trace_id))
    pull_now()
    assert set(MlflowTrace.objects.values_list("trace_id", flat=True)) == wanted


def test_no_share_is_nothing_and_the_whole_share_everything() -> None:
    ids = [new_trace_id() for _ in range(200)]
    assert not any(is_sampled(trace_id, 0) for trace_id in ids)
    assert all(is_sampled(trace_id, 100) for trace_id in ids)


def test_a_mirrored_trace_stays_up_to_date_when_the_policy_would_no_longer_take_it(
    ingest: Ingest, project: Project
) -> None:
    trace_id = new_trace_id()
    ingest(span(trace_id=trace_id))
    pull_now()
    set_policy(project, "errors")
    ingest(span(trace_id=trace_id))
    assert pull_now() == 1


def test_a_change_that_was_committed_late_is_found(ingest: Ingest) -> None:
    ingest(span())
    pull_now()
    late = ingest(span())
    Trace.objects.filter(pk=late.pk).update(refreshed_at=timezone.now() - datetime.timedelta(seconds=40))
    assert pull_now() == 1


def test_a_change_that_was_committed_much_later_is_found_by_the_hourly_look_back(ingest: Ingest) -> None:
    ingest(span())
    pull_now()
    late = ingest(span())
    Trace.objects.filter(pk=late.pk).update(refreshed_at=timezone.now() - datetime.timedelta(hours=2))
    assert pull_now() == 0
    MirrorStatus.objects.update(swept_at=timezone.now() - datetime.timedelta(hours=2))
    assert pull_now() == 1


def test_a_row_whose_trace_was_deleted_while_it_was_made_asks_for_the_deletion_within_the_hour(ingest: Ingest) -> None:
    trace = ingest(span())
    pull_now()
    Trace.objects.filter(pk=trace.pk)._raw_delete("default")
    pull_now()
    assert MlflowTrace.objects.get().delete_requested_at is None
    MirrorStatus.objects.update(swept_at=timezone.now() - datetime.timedelta(hours=2))
    pull_now()
    assert MlflowTrace.objects.get().delete_requested_at is not None


def test_pulling_goes_on_over_pages_and_pulls(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "PAGE", 2)
    monkeypatch.setattr(pulling, "MAX_PAGES", 2)
    for _ in range(7):
        ingest(span())
    Trace.objects.update(refreshed_at=timezone.now() - datetime.timedelta(days=3))
    assert pull_now() + pull_now() == 7
    assert MlflowTrace.objects.count() == 7


def test_a_day_of_more_unwanted_traces_than_a_pull_looks_at_holds_up_no_change(
    ingest: Ingest, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "PAGE", 2)
    monkeypatch.setattr(pulling, "MAX_PAGES", 2)
    set_policy(project, "errors")
    for _ in range(9):
        ingest(span())
    Trace.objects.update(refreshed_at=timezone.now() - datetime.timedelta(hours=2))
    MirrorStatus.load()
    MirrorStatus.objects.update(pulled_until=timezone.now(), swept_at=timezone.now() - datetime.timedelta(hours=2))
    ingest(span(status=FAILED))
    assert [pull_now(), pull_now()] == [1, 0]
    assert timezone.now() - MirrorStatus.load().swept_at < datetime.timedelta(minutes=1)


def test_a_pull_looks_at_a_thousand_traces_with_few_queries(
    ingest: Ingest, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for _ in range(30):
        ingest(span())
    MirrorStatus.load()
    with django_assert_max_num_queries(10):
        assert pull_now() == 30


def test_mirroring_again_ignores_the_policy(ingest: Ingest, project: Project) -> None:
    set_policy(project, "none")
    trace = ingest(span())
    assert mirror_again([trace.pk]) == 1
    assert MlflowTrace.objects.due(timezone.now()).count() == 1


def test_the_lag_counts_what_is_waiting_and_its_age(ingest: Ingest) -> None:
    assert mirror_lag().waiting == 0
    assert mirror_lag().oldest_seconds == 0
    ingest(span())
    pull_now()
    MlflowTrace.objects.update(changed_at=timezone.now() - datetime.timedelta(minutes=5))
    lag = mirror_lag()
    assert (lag.waiting, lag.failed) == (1, 0)
    assert 299 < lag.oldest_seconds < 330


def test_the_lag_grows_while_no_worker_runs(ingest: Ingest) -> None:
    ingest(span())
    pull_now()
    MlflowTrace.objects.update(next_try_at=None, mirrored_at=timezone.now())
    unseen = ingest(span())
    hour_ago = timezone.now() - datetime.timedelta(hours=1)
    Trace.objects.filter(pk=unseen.pk).update(refreshed_at=hour_ago)
    MirrorStatus.objects.update(pulled_until=hour_ago - datetime.timedelta(minutes=1))
    assert 3599 < mirror_lag().oldest_seconds < 3630


def test_a_trace_that_is_not_to_be_mirrored_counts_as_closed_for_bee_clients(
    ingest: Ingest, project: Project, settings: Any
) -> None:
    settings.MLFLOW_TRACKING_URI = "http://127.0.0.1:1"
    trace = ingest(span())
    assert mirror_states([trace], include_tree=False) == {}
    set_policy(project, "none")
    trace.refresh_from_db()
    state = mirror_states([trace], include_tree=False)[trace.pk]
    assert (state["step"], state["request_id"]) == ("CLOSE_TRACE", f"tr-{trace.trace_id}")
