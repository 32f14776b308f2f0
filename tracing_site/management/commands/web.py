"""manage.py web: serve HTTP."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn._subprocess
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from uvicorn.supervisors import Multiprocess

from traces.otlp.samples import rehearse
from tracing_site.serving.connection_shares import Shares
from tracing_site.serving.http_server import PRELOAD, check_port, make_config, make_server


class Command(BaseCommand):
    help = "Serve OTLP/HTTP, the REST API and the admin on HOST and PORT with WEB_WORKERS processes."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            check_port(settings.HOST, settings.PORT)
        except OSError as error:
            raise CommandError(
                f"{settings.HOST}:{settings.PORT} can't be listened on ({error.strerror}). Set PORT to a free port."
            ) from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, leave)
        if settings.WEB_WORKERS == 1:
            rehearse()
            make_server().run()
            return
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([PRELOAD])
        # Else some Pythons look for it in the working directory only (https://github.com/python/cpython/issues/117378).
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        uvicorn._subprocess.spawn = context  # type: ignore[assignment] # uvicorn leaves no choice of how to start processes
        config = make_config()
        config.shares = Shares(context, settings.WEB_WORKERS)
        with shared_metrics():
            Multiprocess(config, sockets=[config.bind_socket()]).run()


@contextmanager
def shared_metrics() -> Iterator[None]:
    """A folder in which the processes keep what they count, so that each can answer for all; gone in the end."""
    if settings.PROMETHEUS_MULTIPROC_DIR:
        yield
        return
    with TemporaryDirectory(prefix="tracing-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def leave(*_: Any) -> None:
    """End at once: uvicorn raises the signal again after its shutdown, and no stuck thread may hold the process."""
    logging.shutdown()
    os._exit(0)
