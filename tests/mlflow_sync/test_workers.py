"""Worker processes on a real Redis and a real MLflow: together, killed, and started again."""

import contextlib
import datetime
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_rq
import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from mlflow_sync import jobs
from mlflow_sync.jobs import enqueue_due
from mlflow_sync.models import MlflowTrace
from mlflow_sync.turns import due_in_turn
from projects.background_work import Task, lanes
from projects.models import Project
from tests.builders import new_span_id, new_trace_id, span
from tests.mlflow_sync.conftest import MlflowApi, let_waits_end, mirror_all, pull_now, wait_for
from tests.mlflow_sync.hostile import hangs, hostile_server
from tests.servers import ROOT, clean_environment
from traces.models import Trace
from traces.upkeep.deletion import delete_traces
from worker.embedded import start_worker
from worker.lanes import RETRY_SECONDS, _run, run_lanes, run_tasks

pytestmark = pytest.mark.django_db(transaction=True)
Ingest = Callable[..., Trace]


def database_url() -> str:
    """The test database, for another process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}").geturl()


@contextlib.contextmanager
def process(command: str, log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A management command in a process of its own, on the test database; killed in the end if it still runs."""
    environment = clean_environment(DATABASE_URL=database_url(), SECRET_KEY="test", **variables)
    with log.open("ab") as output:
        running = subprocess.Popen(
            [sys.executable, "manage.py", command], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def states() -> set[str]:
    return {row.state for row in MlflowTrace.objects.all()}


@pytest.fixture
def queue(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The default queue of this process, on the test's Redis."""
    monkeypatch.setitem(settings.RQ_QUEUES["default"], "URL", redis_url)
    return django_rq.get_queue("default")


def test_a_worker_killed_at_any_moment_leaves_one_complete_trace(
    mlflow: MlflowApi, ingest: Ingest, tmp_path: Path
) -> None:
    trace_id, root = new_trace_id(), new_span_id()
    steps = [span(f"step {n}", trace_id=trace_id, parent_span_id=root) for n in range(1200)]
    trace = ingest(span("root", trace_id=trace_id, span_id=root), *steps)
    pull_now()
    for delay in (0.0, 0.3, 0.9):
        let_waits_end()
        with process("worker", tmp_path / "log", MLFLOW_TRACKING_URI=mlflow.url) as worker:
            before = MlflowTrace.objects.get(pk=trace.pk).claimed_at

            def is_claimed(before: Any = before) -> bool:
                row = MlflowTrace.objects.get(pk=trace.pk)
                return row.claimed_at not in (None, before) or row.mirrored_at is not None

            wait_for(is_claimed)
            time.sleep(delay)
            worker.kill()
            worker.wait()
        if not delay:
            assert MlflowTrace.objects.get(pk=trace.pk).mirrored_at is None
    let_waits_end()
    mirror_all()
    assert states() == {"mirrored"}
    assert list(mlflow.traces()) == [f"tr-{trace_id}"]
    assert len(mlflow.spans(f"tr-{trace_id}")) == 1201


def test_cron_and_workers_mirror_and_delete_through_redis_even_if_it_is_flushed(
    mlflow: MlflowApi, ingest: Ingest, redis_url: str, tmp_path: Path
) -> None:
    variables = {"MLFLOW_TRACKING_URI": mlflow.url, "REDIS_URL": redis_url}
    traces = [ingest(span()) for _ in range(30)]
    with contextlib.ExitStack() as stack:
        cron = stack.enter_context(process("cron", tmp_path / "cron", **variables))
        wait_for(lambda: redis.Redis.from_url(redis_url).llen("rq:queue:default") > 0)
        redis.Redis.from_url(redis_url).flushall()
        let_waits_end()  # the minute after which a job counts as lost
        workers = [stack.enter_context(process("worker", tmp_path / f"worker{n}", **variables)) for n in range(2)]
        wait_for(lambda: MlflowTrace.objects.mirrored().count() == 30, seconds=60)
        assert set(mlflow.traces()) == {f"tr-{trace.trace_id}" for trace in traces}
        delete_traces([trace.pk for trace in traces])
        wait_for(lambda: not MlflowTrace.objects.exists())
        assert mlflow.traces() == {}
        for running in [cron, *workers]:
            running.send_signal(signal.SIGTERM)
        assert [running.wait(20) for running in [cron, *workers]] == [0, 0, 0]


def test_what_waits_in_the_queue_is_not_queued_twice(mlflow: MlflowApi, ingest: Ingest, queue: Any) -> None:
    for _ in range(25):
        ingest(span())
    pull_now()
    let_waits_end()
    enqueue_due()
    assert queue.count == 2
    enqueue_due()
    assert queue.count == 2
    let_waits_end()
    enqueue_due()
    assert queue.count == 4, "after a minute a job counts as lost"


def test_a_job_that_runs_twice_does_its_work_once(mlflow: MlflowApi, ingest: Ingest, queue: Any) -> None:
    trace = ingest(span())
    pull_now()
    assert jobs.mirror_traces([trace.pk.hex]) == 1
    assert jobs.mirror_traces([trace.pk.hex]) == 0


def test_a_lane_that_hangs_holds_up_no_other() -> None:
    stop, hanging, done = threading.Event(), threading.Event(), threading.Event()

    def hang() -> bool:
        hanging.set()
        return not stop.wait(30)

    def work() -> bool:
        if hanging.wait(10):
            done.set()
        return False

    running = threading.Thread(target=run_lanes, args=({"mirror": [Task(1, hang)], "upkeep": [Task(1, work)]}, stop))
    running.start()
    assert done.wait(10)
    stop.set()
    running.join(10)
    assert not running.is_alive()


def test_expiry_does_not_wait_for_an_mlflow_that_hangs(ingest: Ingest, settings: Any) -> None:
    with hostile_server() as server:
        server.bad = hangs
        settings.MLFLOW_TRACKING_URI = server.url
        ingest(span())
        expired = ingest(span())
        Trace.objects.filter(pk=expired.pk).update(created_at=timezone.now() - datetime.timedelta(days=30))
        pull_now()
        let_waits_end()
        worker = start_worker()
        wait_for(lambda: server.requests, seconds=5)
        wait_for(lambda: not Trace.objects.filter(pk=expired.pk).exists(), seconds=5)
        assert len(server.requests) == 1, "the mirror still waits for its first answer"
        settings.MLFLOW_TRACKING_URI = "off"
        worker.stop()


def test_cron_keeps_the_mirror_apart_too() -> None:
    assert set(lanes(with_redis=True)) == set(lanes(with_redis=False)) == {"summaries", "upkeep", "mirror"}
    assert [task.run for task in lanes(with_redis=True)["mirror"]] == [enqueue_due]
    assert [task.run for task in lanes(with_redis=False)["mirror"]] == [jobs.mirror_due]


def test_projects_take_turns(ingest: Ingest, project: Project, other_project: Project) -> None:
    for _ in range(30):
        ingest(span(), into=other_project)
    ours = {ingest(span()).pk for _ in range(3)}
    pull_now()
    let_waits_end()
    keys = due_in_turn(20)
    assert len(keys) == 13
    assert ours <= set(keys[:6]), "one of each in turn"
    assert len(due_in_turn(1)) == 1
    MlflowTrace.objects.update(next_try_at=None)
    assert due_in_turn(20) == []
    delete_traces([*ours])
    assert set(due_in_turn(20)) == ours


def test_a_deleted_projects_deletions_get_their_turn(ingest: Ingest, project: Project) -> None:
    trace = ingest(span())
    pull_now()
    MlflowTrace.objects.update(next_try_at=None, delete_requested_at=timezone.now(), project_id=987_654)
    assert due_in_turn(20) == [trace.pk]


def test_the_embedded_worker_mirrors_without_redis_and_stops(mlflow: MlflowApi, ingest: Ingest) -> None:
    trace = ingest(span())
    worker = start_worker()
    wait_for(lambda: MlflowTrace.objects.mirrored().exists())
    worker.stop()
    assert not worker._thread.is_alive()
    assert set(mlflow.traces()) == {f"tr-{trace.trace_id}"}


def test_without_a_mirror_nothing_is_taken_up(ingest: Ingest, settings: Any) -> None:
    settings.MLFLOW_TRACKING_URI = "off"
    ingest(span())
    assert enqueue_due() is False
    assert jobs.mirror_due() is False
    assert not MlflowTrace.objects.exists()
    with pytest.raises(CommandError, match="There is no mirror"):
        call_command("mirrortraces", "--all")


def test_a_task_that_fails_comes_again() -> None:
    stop = threading.Event()
    calls: list[int] = []

    def fail() -> bool:
        calls.append(1)
        if len(calls) == 3:
            stop.set()
        raise ValueError("broken")

    run_tasks([Task(0.01, fail)], stop)
    assert len(calls) == 3


def test_cron_without_redis_says_what_to_run(settings: Any) -> None:
    settings.REDIS_URL = ""
    with pytest.raises(CommandError, match="run only `worker`"):
        call_command("cron")


def test_mirrortraces_mirrors_failed_ones_again(
    mlflow: MlflowApi, ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, other = ingest(span()), ingest(span())
    mirror_all()
    MlflowTrace.objects.filter(pk=trace.pk).update(error_code="NOT_FOUND")
    call_command("mirrortraces", "--failed")
    assert "1 traces are due" in capsys.readouterr().out
    assert list(MlflowTrace.objects.due(timezone.now()).values_list("pk", flat=True)) == [trace.pk]
    call_command("mirrortraces", "--now", other.trace_id)
    assert "1 of 1 traces mirrored." in capsys.readouterr().out
    with pytest.raises(CommandError, match="Say which traces"):
        call_command("mirrortraces")
    with pytest.raises(CommandError, match="No such trace"):
        call_command("mirrortraces", new_trace_id())


def test_a_worker_is_not_stopped_by_a_port_that_nobody_answers(ingest: Ingest, settings: Any, tmp_path: Path) -> None:
    ingest(span())
    pull_now()
    let_waits_end()
    with process("worker", tmp_path / "log", MLFLOW_TRACKING_URI="http://127.0.0.1:1") as worker:
        wait_for(lambda: b"does not answer at http://127.0.0.1:1" in (tmp_path / "log").read_bytes())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    assert states() == {"waiting"}


def test_a_task_that_failed_does_not_wait_for_its_next_turn() -> None:
    def fail() -> bool:
        raise DatabaseError("away")

    assert _run(Task(3600, fail)) == RETRY_SECONDS
    assert _run(Task(2, fail)) == 2
    assert _run(Task(3600, lambda: False)) == 3600
    assert _run(Task(3600, lambda: True)) == 0
