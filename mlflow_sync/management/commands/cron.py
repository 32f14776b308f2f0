"""The scheduler process."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mlflow_sync.jobs import CRON_TASKS, run_tasks


class Command(BaseCommand):
    help = (
        "Give workers their jobs: what is due for MLflow every two seconds, expiry every hour; also make the "
        "database's partitions ahead. Needs REDIS_URL. One process is enough, more do no harm. SIGTERM stops it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError("cron fills the queue in Redis, so it needs REDIS_URL. Without it, run only `worker`.")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        run_tasks(CRON_TASKS, stop)
