"""manage.py serve: the whole platform, ready to use; on SQLite in one process."""

import logging
import signal
import threading
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from mlflow_sync.client import is_enabled, server_url
from projects.models import Project
from traces.otlp.grpc_server import start_server
from traces.otlp.samples import load_samples, rehearse
from traces.otlp.self_tracing import start_exporting
from tracing_site.client_guides import fill_in, guides
from tracing_site.serving.children import Child, local_mlflow, manage
from tracing_site.serving.first_start import ADMIN_NAME, FirstStart, prepare
from tracing_site.serving.http_server import check_port, make_server
from worker.embedded import start_worker

READY_SECONDS = 120
# How often the accounts are counted
ACCOUNTS_SECONDS = 10
logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Run everything with nothing to set up: web (HOST, PORT), OTLP/gRPC (GRPC_PORT), the worker and a local MLflow "
        "(MLFLOW_PORT; for one account only), on a SQLite file in DATA_DIR. The first start makes an account and an "
        "API key and shows them. "
        "DATABASE_URL, REDIS_URL and MLFLOW_TRACKING_URI (a URL, or off) put other servers in place of its own. "
        "docs/settings.md lists every variable."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="also load a few sample traces into a project “Demo”")

    def handle(self, *args: Any, demo: bool, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        has_local_mlflow = local_mlflow_problem() is None
        check_ports(has_local_mlflow)
        self.stdout.write("Starting …")
        with ExitStack() as stack:
            mlflow = start_mlflow(stack) if has_local_mlflow else None
            first_start = prepare()
            if demo:
                project, _ = Project.objects.get_or_create(slug="demo", defaults={"name": "Demo"})
                self.stdout.write(f"{load_samples(project)} sample spans loaded.")
            start_receivers(stack)
            rehearse()
            if not wait_until_ready(stop, has_local_mlflow):
                return
            start_workers(stack)
            self.stdout.write(banner(first_start))
            self.stdout.flush()
            while not stop.wait(ACCOUNTS_SECONDS):
                mlflow = mlflow and keep_mlflow(mlflow)
            self.stdout.write("Stopping …")
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)  # a second Ctrl-C does not wait


def check_ports(has_local_mlflow: bool) -> None:
    """Raises CommandError, naming the variable to set."""
    ports = {"PORT": (settings.HOST, settings.PORT), "GRPC_PORT": (settings.HOST, settings.GRPC_PORT)}
    if has_local_mlflow:
        ports["MLFLOW_PORT"] = ("127.0.0.1", settings.MLFLOW_PORT)
    for variable, (host, port) in ports.items():
        try:
            check_port(host, port)
        except OSError as error:
            raise CommandError(
                f"Port {port} on {host} can't be used: {error.strerror}. "
                f"Set {variable} to a free port, for example {variable}={port + 10}."
            ) from error
    if len({port for _, port in ports.values()}) < len(ports):
        raise CommandError(f"{', '.join(ports)} must be different ports.")


def local_mlflow_problem() -> str | None:
    """Why there shall be no local MLflow; None if there shall be one. One query, none before there are tables."""
    if settings.MLFLOW_CONFIGURED or settings.LOCAL_MLFLOW == "off":
        return "off"
    if settings.LOCAL_MLFLOW == "always":
        return None
    try:
        has_several_accounts = User.objects.filter(is_active=True).count() > 1
    except DatabaseError:
        return None
    return "off, because there are several accounts (LOCAL_MLFLOW, docs/mlflow.md)" if has_several_accounts else None


def start_mlflow(stack: ExitStack) -> Child:
    """The local MLflow, which is still starting, set as the one to mirror to."""
    child = local_mlflow(settings.DATA_DIR / "mlflow", settings.MLFLOW_PORT)
    stack.callback(child.stop)
    settings.MLFLOW_TRACKING_URI = f"http://127.0.0.1:{settings.MLFLOW_PORT}"
    return child


def keep_mlflow(mlflow: Child) -> Child | None:
    """Stop the local MLflow if there are several accounts by now, because it would show each what others sent."""
    close_old_connections()
    problem = local_mlflow_problem()
    if problem is None:
        return mlflow
    logger.warning("The local MLflow is %s.", problem)
    settings.MLFLOW_TRACKING_URI = "off"
    mlflow.stop()
    return None


def start_receivers(stack: ExitStack) -> None:
    """HTTP and gRPC; stopped, they finish what is under way."""
    start_exporting()
    stack.callback(start_server(settings.HOST, settings.GRPC_PORT).stop)
    if settings.WEB_WORKERS > 1:
        stack.callback(manage("web").stop)
    else:
        stack.enter_context(web_server())


def start_workers(stack: ExitStack) -> None:
    """The thread, or with Redis the processes, that mirror and delete."""
    if settings.REDIS_URL:
        for command in ("worker", "cron"):
            stack.callback(manage(command).stop)
    else:
        stack.callback(start_worker().stop)


@contextmanager
def web_server() -> Iterator[None]:
    server = make_server(workers=1)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # the banner says it better
    thread = threading.Thread(target=server.run, name="web")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def local_url(port: int) -> str:
    """Where a browser on this machine finds the port."""
    host = "127.0.0.1" if settings.HOST in {"0.0.0.0", "::"} else settings.HOST  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def wait_until_ready(stop: threading.Event, has_local_mlflow: bool) -> bool:
    """True when all that was started answers, False if it shall stop first. Raises CommandError after READY_SECONDS."""
    waiting = [f"{local_url(settings.PORT)}/readyz"]
    if has_local_mlflow:
        waiting.append(f"{settings.MLFLOW_TRACKING_URI}/health")
    deadline = time.monotonic() + READY_SECONDS
    while waiting := [url for url in waiting if not answers(url)]:
        if time.monotonic() > deadline:
            raise CommandError(f"No answer after {READY_SECONDS} s from {', '.join(waiting)}. See {settings.DATA_DIR}.")
        if stop.wait(0.2):
            return False
    return True


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own addresses
            return bool(response.status == 200)
    except OSError:
        return False


def banner(first_start: FirstStart) -> str:
    web = local_url(settings.PORT)
    key = settings.AUTH_KEY if first_start.auth_key_is_new else first_start.new_key
    any_sdk = guides()["opentelemetry"].fences[0].text
    variables = fill_in(any_sdk, web, local_url(settings.GRPC_PORT), quote(key, safe="") if key else "")
    if first_start.new_password:
        login = f"user {ADMIN_NAME}, password {first_start.new_password} (shown only now)"
    else:
        login = f"user {ADMIN_NAME} (forgotten? manage.py changepassword {ADMIN_NAME})"
    lines = [
        "",
        f"  Admin     {web}/admin/",
        f"            {login}",
        f"  API docs  {web}/docs",
        f"  MLflow    {server_url() if is_enabled() else local_mlflow_problem()}",
        f"  Data      {settings.DATA_DIR}",
        "",
        "Point any OpenTelemetry SDK here:",
        "",
        *(f"  {line}" for line in variables.splitlines()),
        "",
        f"  # or by gRPC: OTEL_EXPORTER_OTLP_ENDPOINT={local_url(settings.GRPC_PORT)} OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
        f"  # For each client, with this key filled in: {web}/admin/send/",
    ]
    if key:
        lines.append("  # The key is shown only now.")
    elif settings.AUTH_KEY:
        lines.append("  # The key is the AUTH_KEY of the settings.")
    else:
        lines.append(f"  # The first start showed a key. A new one: {web}/admin/projects/apikey/add/")
    return "\n".join([*lines, "", "Ctrl-C stops everything.", ""])
