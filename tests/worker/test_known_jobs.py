"""Whoever can write to Redis makes a worker do no more than mirror traces."""

import pickle
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.conf import settings
from rq.exceptions import DeserializationError
from rq.job import Job

from worker.known_jobs import KnownJob

pytestmark = pytest.mark.django_db(transaction=True)


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture
def queue(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(settings.RQ_QUEUES["default"], "URL", redis_url)
    return django_rq.get_queue("default")


def work(queue: Any) -> None:
    django_rq.get_worker("default", serializer=queue.serializer).work(burst=True)


def test_our_jobs_are_json(queue: Any) -> None:
    job = queue.enqueue("mlflow_sync.jobs.mirror_traces", ["0" * 32])
    assert type(job) is KnownJob
    assert job.data == b'["mlflow_sync.jobs.mirror_traces", null, [["' + b"0" * 32 + b'"]], {}]'


def poison(queue: Any, **fields: bytes) -> Job:
    """A queued job whose fields in Redis were replaced."""
    job: Job = queue.enqueue("mlflow_sync.jobs.mirror_traces", [])
    queue.connection.hset(job.key, mapping=fields)
    return job


def test_a_pickled_job_is_refused_and_named(queue: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = tmp_path / "made"
    old = ("mlflow_sync.jobs.mirror_traces", None, ([Touch(made)],), {})
    job = poison(queue, data=pickle.dumps(old), meta=pickle.dumps(Touch(made)))
    work(queue)
    assert not made.exists()
    assert job.get_status() == "failed"
    assert queue.count == 0


@pytest.mark.parametrize(
    "data",
    [
        b'["pathlib.Path.touch", null, ["%s"], {}]',
        b'["os.mkdir", null, ["%s"], {}]',
        b'["mlflow_sync.jobs.delete_expired", null, [], {}]',
        b'["touch", "%s", [], {}]',
        b"[]",
        b"garbage",
    ],
)
def test_a_job_that_names_another_function_is_not_run(queue: Any, tmp_path: Path, data: bytes) -> None:
    made = tmp_path / "made"
    job = poison(queue, data=data.replace(b"%s", str(made).encode()))
    with pytest.raises(DeserializationError, match="the job"):
        _ = KnownJob.fetch(job.id, connection=queue.connection, serializer=queue.serializer).func
    work(queue)
    assert not made.exists()
    assert job.get_status() == "failed"


@pytest.mark.parametrize("name", ["success_callback_name", "failure_callback_name", "stopped_callback_name"])
def test_no_callback_is_called(queue: Any, name: str) -> None:
    job = poison(queue, **{name: b"os.abort"})
    found = KnownJob.fetch(job.id, connection=queue.connection, serializer=queue.serializer)
    assert getattr(found, name.removesuffix("_name")) is None


def test_a_job_without_a_named_serializer_is_not_unpickled(queue: Any, tmp_path: Path) -> None:
    made = tmp_path / "made"
    job = poison(queue, data=pickle.dumps(Touch(made)), meta=pickle.dumps(Touch(made)))
    (found,) = Job.fetch_many([job.id], connection=queue.connection)
    assert found is not None
    with pytest.raises(DeserializationError):
        _ = found.func_name
    assert not made.exists()
