"""Running the registered tasks: each lane in a thread of its own."""

import logging
from collections.abc import Mapping
from threading import Event, Thread
from time import monotonic

from django.db import DatabaseError, close_old_connections, connections
from redis.exceptions import RedisError

from projects.background_work import Task

logger = logging.getLogger(__name__)

# After a failure a task doesn't wait for its next turn, which may be an hour away.
RETRY_SECONDS = 60


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
        return 0 if task.run() is True else task.seconds
    except (DatabaseError, RedisError) as error:
        logger.warning("%s is tried again in %g seconds: %s", name, pause, error)
    except Exception:
        logger.exception("%s failed; it is tried again in %g seconds", name, pause)
    return pause
