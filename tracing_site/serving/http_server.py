"""uvicorn as the platform runs it."""

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
from typing import Any

import uvicorn
from django.conf import settings

from tracing_site.serving.connection_shares import Shares
from tracing_site.serving.connections import Connections
from tracing_site.serving.web_protocol import WebProtocol

# Longer than the pause between two exports, so that exporters keep their connection.
KEEP_ALIVE_SECONDS = 72
# Orchestrators kill after 30 s.
DRAIN_SECONDS = 25
# How long a busy thread keeps the event loop, which everybody waits for, from running: a fifth of Python's own
SWITCH_SECONDS = 0.001
# How soon a process sees that it was left alone
PARENT_SECONDS = 1
PRELOAD = "tracing_site.serving.preload"


class WebConfig(uvicorn.Config):
    """uvicorn's configuration. `shares` is set where several processes serve together: they are forked from one that
    has imported PRELOAD, and end with the process that started them.
    """

    shares: Shares | None = None
    connections: Connections

    def load(self) -> None:
        super().load()
        self.connections = Connections()
        sys.setswitchinterval(SWITCH_SECONDS)
        if PRELOAD not in sys.modules:
            spare_collector()
        if self.shares is not None:
            self.shares.join()
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=end_after, args=(parent,), name="end with parent", daemon=True).start()


def spare_collector() -> None:
    """Leave what the application has loaded to itself, and look for cycles less often: an export makes thousands of
    objects that live until it is answered, and a look at them finds nothing. Five per cent of a web process's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def end_after(parent: Any) -> None:
    """Drain and end this process once the one that started it is gone, or the one that it was forked from, even by
    SIGKILL: its socket would keep the port, and nobody would know of it.
    """
    forked_from = os.getppid()
    while parent.is_alive() and os.getppid() == forked_from:
        parent.join(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def make_config(**changes: Any) -> WebConfig:
    """The configuration of a web process on HOST and PORT."""
    defaults: dict[str, Any] = {
        "app": "tracing_site.asgi:application",
        "host": settings.HOST,
        "port": settings.PORT,
        "workers": settings.WEB_WORKERS,
        "http": WebProtocol,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "proxy_headers": bool(settings.TRUSTED_PROXIES),
        "forwarded_allow_ips": settings.TRUSTED_PROXIES,
        "server_header": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
    }
    return WebConfig(**(defaults | changes))


def make_server(**changes: Any) -> uvicorn.Server:
    """One web process for use inside another program: `run()` it in a thread, end it by `should_exit = True`."""
    return uvicorn.Server(make_config(**changes))


def check_port(host: str, port: int) -> None:
    """Raises OSError if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
