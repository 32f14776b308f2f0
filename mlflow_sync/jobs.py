"""The mirror's work: as django-rq jobs with Redis, in the embedded worker without.

The rows of MlflowTrace are the queue, and Redis only spreads the work: jobs that it loses are made again after a
minute. Every function may run twice, and at the same time.
"""

import datetime
import logging
from uuid import UUID

import django_rq
from django.utils import timezone

from mlflow_sync.client import MlflowClient, MlflowError, is_enabled
from mlflow_sync.mirror import mirror
from mlflow_sync.models import MirrorStatus, MlflowTrace
from mlflow_sync.pull import pull
from mlflow_sync.turns import due_in_turn
from spans.batches import batches

logger = logging.getLogger(__name__)

TRACES_A_JOB = 20
JOB_SECONDS = 6 * 3600  # MLflow stores 200 spans a second; what hangs is ended by the request's own timeout
MAX_QUEUED_JOBS = 8
# How long a row waits for its job; then the job counts as lost, and another one may get the row.
RESERVED = datetime.timedelta(minutes=1)
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
