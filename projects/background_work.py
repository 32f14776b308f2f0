"""Work that is nobody's request: an app registers it in its module `tasks`, and the app `worker` does it.

Every function may run twice, and at the same time.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Task(NamedTuple):
    """Something to do every so many seconds, and at once again where it returns True."""

    seconds: float
    run: Callable[[], object]


# Tasks of a lane run one after the other, and lanes beside each other: an MLflow that hangs holds up no expiry, a long
# expiry no summary. They are done where the lanes run and need the database and nothing else, except with Redis.
_alone: dict[str, list[Task]] = defaultdict(list)
_with_redis: dict[str, list[Task]] = defaultdict(list)
_jobs: set[str] = set()


def register_task(
    lane: str, seconds: float, run: Callable[[], object], with_redis: Callable[[], object] | None = None
) -> None:
    """Do something every so many seconds, after what the lane does already.

    lane: "summaries" for what takes seconds at most, "upkeep" for what may take an hour, or a new one beside these.
    with_redis: what `cron` does instead, where workers take jobs from Redis.
    """
    _alone[lane].append(Task(seconds, run))
    _with_redis[lane].append(Task(seconds, with_redis or run))


def register_job(function: Callable[..., object]) -> None:
    """Let workers run this function as a job from Redis; they run no other."""
    _jobs.add(f"{function.__module__}.{function.__qualname__}")


def lanes(*, with_redis: bool) -> Mapping[str, list[Task]]:
    """The registered tasks by lane: of `cron` with Redis, of the embedded worker without."""
    return _with_redis if with_redis else _alone


def is_job(name: str) -> bool:
    """Whether a dotted name is that of a registered job."""
    return name in _jobs
