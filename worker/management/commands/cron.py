"""The scheduler process."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from projects.background_work import lanes
from worker.lanes import run_lanes


class Command(BaseCommand):
    help = (
        "Give workers what is due for MLflow, and do what needs the database alone: expiry, summaries of large traces, "
        "the database's partitions. Needs REDIS_URL. One process is enough, more do no harm. SIGTERM stops it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError("cron fills the queue in Redis, so it needs REDIS_URL. Without it, run only `worker`.")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        run_lanes(lanes(with_redis=True), stop)
