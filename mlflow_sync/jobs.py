"""Work that happens beside requests: as django-rq jobs with Redis, in the embedded worker without.

The rows of MlflowTrace are the queue, and Redis only spreads the work: jobs that it loses are made again after a
minute. Every function may run twice, and at the same time.
"""

import datetime
import logging
from collections.abc import Callable, Mapping
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple
from uuid import UUID

import django_rq
from django.core.management import call_command
from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone
from redis.exceptions import RedisError

from evaluations.otlp_scores import pull_scores
from evaluations.upkeep import delete_orphans
from mlflow_sync.client import MlflowClient, MlflowError, is_enabled
from mlflow_sync.erasure import confirm_erasures
from mlflow_sync.mirror import mirror
from mlflow_sync.models import MirrorStatus, MlflowTrace
from mlflow_sync.pull import pull
from mlflow_sync.turns import due_in_turn
from projects.audit import delete_expired_events
from spans.batches import batches
from spans.partitions import create_partitions
from spans.vacuum import empty_log
from traces.ingest import span_logs
from traces.ingest.receipts import delete_expired_receipts
from traces.summaries import rollup
from traces.upkeep import retention
from traces.upkeep.tombstones import delete_expired_tombstones

logger = logging.getLogger(__name__)

TRACES_A_JOB = 20
JOB_SECONDS = 6 * 3600  # MLflow stores 200 spans a second; what hangs is ended by the request's own timeout
MAX_QUEUED_JOBS = 8
# How long a row waits for its job; then the job counts as lost, and another one may get the row.
RESERVED = datetime.timedelta(minutes=1)
# After a failure a task doesn't wait for its next turn, which may be an hour away.
RETRY_SECONDS = 60
FAILED_JOB_SECONDS = 7 * 24 * 3600


def mirror_traces(keys: list[str]) -> int:
    """Job: bring MLflow up to date with these traces, given as keys of trace rows. Returns the successes."""
    return _mirror([UUID(key) for key in keys])


def enqueue_due() -> bool:
    """Look for changed traces and give what is due to jobs. Returns whether there may be more."""
    if not is_enabled():
        return False
    pull()
    queue = django_rq.get_queue("default")
    free = MAX_QUEUED_JOBS - queue.count
    keys = due_in_turn(free * TRACES_A_JOB) if free > 0 else []
    if not keys or not _is_mlflow_ready():
        return False
    now = timezone.now()
    MlflowTrace.objects.due(now).filter(pk__in=keys).update(next_try_at=now + RESERVED, claimed_at=None)
    for batch in batches(keys, TRACES_A_JOB):
        names = [key.hex for key in batch]
        queue.enqueue(mirror_traces, names, job_timeout=JOB_SECONDS, failure_ttl=FAILED_JOB_SECONDS)
    return False


def mirror_due() -> bool:
    """Look for changed traces and mirror some of what is due, here. Returns whether there is more."""
    if not is_enabled():
        return False
    pull()
    keys = due_in_turn(TRACES_A_JOB)
    if not keys or not _is_mlflow_ready():
        return False
    return _mirror(keys) > 0


def _is_mlflow_ready() -> bool:
    """Whether MLflow can be worked with; if not, the status row says why, and no trace's attempts are spent."""
    try:
        with MlflowClient() as client:
            client.check()
    except MlflowError as error:
        _note_problem(error)
        return False
    MirrorStatus.load().note_problem("")
    return True


def _mirror(keys: list[UUID]) -> int:
    try:
        with MlflowClient() as client:
            return mirror(keys, client)
    except MlflowError as error:
        _note_problem(error)
        return 0


def _note_problem(error: MlflowError) -> None:
    status = MirrorStatus.load()
    if status.problem != str(error):
        logger.warning("Nothing can be mirrored: %s", error)
    status.note_problem(str(error))


def refresh_summaries() -> bool:
    """Do what ingest left for later: summaries of large traces, log records of new ones. Whether there may be more."""
    return rollup.refresh_due() + span_logs.attach_pending() > 0


def delete_expired() -> bool:
    """Delete traces past their retention; their rows then ask for the deletion in MLflow."""
    retention.delete_expired()
    return False


def keep_house() -> bool:
    """Make the span table's partitions ahead, and delete expired receipts, rejected spans, tombstones and admin
    sessions.
    """
    create_partitions()
    delete_expired_receipts()
    delete_expired_events()
    delete_expired_tombstones()
    call_command("clearsessions")
    return False


def empty_database_log() -> bool:
    """What people and programs deleted leaves SQLite's log as well."""
    empty_log()
    return False


class Task(NamedTuple):
    """Something to do every so many seconds, and at once again where it returns True."""

    seconds: float
    run: Callable[[], bool]


# Tasks of a lane run one after the other, and lanes beside each other: an MLflow that hangs holds up no expiry, a long
# expiry no summary. What is not the mirror's is done where the lanes run; it needs the database and nothing else.
SUMMARIES = [
    Task(1, refresh_summaries),
    Task(2, pull_scores),
    Task(10, confirm_erasures),
    Task(60, empty_database_log),
]
UPKEEP = [Task(3600, keep_house), Task(3600, delete_expired), Task(3600, delete_orphans)]
CRON_LANES = {"summaries": SUMMARIES, "upkeep": UPKEEP, "mirror": [Task(2, enqueue_due)]}
EMBEDDED_LANES = {"summaries": SUMMARIES, "upkeep": UPKEEP, "mirror": [Task(2, mirror_due)]}


def run_lanes(lanes: Mapping[str, list[Task]], stop: Event) -> None:
    """Run each lane in a thread of its own until `stop` is set; what is under way then is finished first."""
    threads = [
        Thread(target=_run_lane, args=(tasks, stop), name=f"worker {name}", daemon=True)
        for name, tasks in lanes.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _run_lane(tasks: list[Task], stop: Event) -> None:
    try:
        run_tasks(tasks, stop)
    finally:
        connections.close_all()


def run_tasks(tasks: list[Task], stop: Event) -> None:
    """Run the tasks in turn until `stop` is set; what is under way then is finished first."""
    next_run = dict.fromkeys(tasks, 0.0)
    while not stop.is_set():
        for task in tasks:
            if next_run[task] <= monotonic() and not stop.is_set():
                next_run[task] = _run(task) + monotonic()
        stop.wait(max(0.0, min(next_run.values()) - monotonic()))


def _run(task: Task) -> float:
    """Run a task; returns after how many seconds it is due again. What fails is logged and comes again soon."""
    name = task.run.__name__
    pause = min(task.seconds, RETRY_SECONDS)
    try:
        close_old_connections()
        return 0 if task.run() else task.seconds
    except (DatabaseError, RedisError) as error:
        logger.warning("%s is tried again in %g seconds: %s", name, pause, error)
    except Exception:
        logger.exception("%s failed; it is tried again in %g seconds", name, pause)
    return pause
