"""The worker process."""

import signal
import threading
from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand

from projects.background_work import lanes
from worker.lanes import run_lanes


class Command(BaseCommand):
    help = (
        "Mirror traces to MLflow. With REDIS_URL it takes jobs from the queue, which `cron` fills, and any number may "
        "run. Without, it does `cron`'s part too, such as deleting expired traces. SIGTERM lets it finish its job."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.REDIS_URL:
            queue = django_rq.get_queue("default")
            django_rq.get_worker("default", serializer=queue.serializer).work()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("Working without Redis. Stop with Ctrl-C.")
        run_lanes(lanes(with_redis=False), stop)
