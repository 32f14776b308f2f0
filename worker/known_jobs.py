"""What Redis may make a worker do: the platform's own jobs, and nothing else.

RQ unpickles what lies in Redis and calls whatever function it names, so that whoever can write there runs programs
here. Our jobs are JSON, and only functions that an app registers are called.
"""

from typing import Any

from rq import serializers
from rq.exceptions import DeserializationError
from rq.job import Job

from projects.background_work import is_job


class RefusedJob(DeserializationError):
    """Why a job is not run; the text quotes nothing of it and may stand in a log."""

    @property
    def log_text(self) -> str:
        return str(self)


class KnownJob(Job):
    """A job that calls a registered function. What else lies in Redis fails with the reason, uncalled."""

    def _deserialize_data(self) -> None:
        try:
            super()._deserialize_data()  # type: ignore[no-untyped-call]
        except DeserializationError:
            raise RefusedJob("the job is not JSON: an earlier version's, or not the platform's") from None
        if not is_job(str(self._func_name)) or self._instance is not None:
            raise RefusedJob("the job calls no function of the platform's")

    @property
    def success_callback(self) -> None:
        """Callbacks are functions by name too; our jobs have none."""

    failure_callback = stopped_callback = success_callback


def refuse_pickle() -> None:
    """Where rq and django-rq name no serializer, as django-rq's page of failed jobs, rq would unpickle."""
    module: Any = serializers
    module.PickleSerializer = module.DefaultSerializer = module.SERIALIZER_ALIASES["pickle"] = module.JSONSerializer
