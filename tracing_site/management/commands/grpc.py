"""manage.py grpc: receive OTLP over gRPC."""

import logging
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from traces.otlp.grpc_server import start_server
from traces.otlp.samples import rehearse
from traces.otlp.self_tracing import start_exporting
from tracing_site.serving.http_server import check_port, make_server


class Command(BaseCommand):
    help = (
        "Receive traces by OTLP/gRPC on HOST and GRPC_PORT until SIGTERM or SIGINT. With METRICS_PORT, also serve "
        "/metrics, /health and /readyz on HOST and that port."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            server = start_server(settings.HOST, settings.GRPC_PORT)
        except OSError as error:
            raise CommandError(f"{error} Set GRPC_PORT to a free port.") from error
        self.stdout.write(f"OTLP/gRPC on {server.address}")
        start_exporting()
        if settings.METRICS_PORT:
            start_operations_server()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        rehearse()
        stop.wait()
        server.stop()
        self.stdout.flush()
        logging.shutdown()
        os._exit(0)  # a thread stuck in the database can't hold the process


def start_operations_server() -> None:
    """Serve metrics and probes from a thread that ends with the process."""
    try:
        check_port(settings.HOST, settings.METRICS_PORT)
    except OSError as error:
        raise CommandError(f"METRICS_PORT {settings.METRICS_PORT} can't be used: {error.strerror}.") from error
    server = make_server(app="tracing_site.asgi:operations_application", port=settings.METRICS_PORT, workers=1)
    threading.Thread(target=server.run, name="operations", daemon=True).start()
