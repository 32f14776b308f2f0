"""For load balancers and orchestrators: is this process alive, and may it get requests?

Readiness is looked at by threads beside the requests, each over a connection of its own, so that a request gets an
answer in time from a database, Redis or MLflow that hangs: what was found last, and how long ago.
"""

import shutil
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe
from redis import Redis
from redis.exceptions import RedisError

from mlflow_sync.client import MlflowClient, MlflowError, is_enabled
from mlflow_sync.models import MirrorStatus
from spans.models import utc_today
from spans.partitions import partition_days
from traces.api.encoding import CONTENT_TYPE
from traces.ingest.database_faults import DISK_FULL, READ_ONLY, recent_fault

# How long a request waits for a look that has just begun.
PATIENCE_SECONDS = 0.08
# A look that takes longer counts as no answer.
STALE_SECONDS = 5
REDIS_SECONDS = 1
LOW_DISK_BYTES = 1024**3
FULL_DISK_BYTES = 16 * 1024**2
REFUSED = "exports are answered with 503"
DAYS_OF_PARTITIONS = 2

OK, OFF, WARNING, FAILING = "ok", "off", "warning", "failing"


@dataclass(frozen=True)
class Finding:
    """The state of something this process depends on, without addresses or credentials: anybody may read it."""

    state: str
    detail: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)


Findings = dict[str, Finding]


class Probe:
    """One look at a time, in a thread of its own, and not again before `fresh_seconds` have passed."""

    def __init__(self, names: tuple[str, ...], look: Callable[[], Findings], fresh_seconds: float) -> None:
        self.names = names
        self._look = look
        self._fresh_seconds = fresh_seconds
        self._changed = threading.Condition()
        self._is_looking = False
        self._began_at = 0.0
        self._found_at: float | None = None
        self._findings: Findings = {}

    def start(self) -> None:
        """Begin a look, unless one is under way or what was found is still fresh."""
        with self._changed:
            now = monotonic()
            if not self._is_looking and (self._found_at is None or now - self._found_at > self._fresh_seconds):
                self._is_looking, self._began_at = True, now
                threading.Thread(target=self._run, name=f"probe {self.names[0]}", daemon=True).start()

    def read(self) -> tuple[Findings, float]:
        """What was found last and its age in seconds. Waits at most PATIENCE_SECONDS after a look began."""
        with self._changed:
            patience = self._began_at + PATIENCE_SECONDS - monotonic()
            self._changed.wait_for(lambda: not self._is_looking, max(0.0, patience))
            return self._known(monotonic())

    def _known(self, now: float) -> tuple[Findings, float]:
        waiting = now - self._began_at if self._is_looking else 0.0
        if self._found_at is None:
            return self._unanswered("no answer yet"), waiting
        age = now - self._found_at
        if waiting > STALE_SECONDS:
            return self._unanswered(f"no answer for {waiting:.0f} s"), age
        return self._findings, age

    def _unanswered(self, detail: str) -> Findings:
        return {name: Finding(FAILING, detail) for name in self.names}

    def _run(self) -> None:
        findings = self._unanswered("the look at it failed")
        try:
            findings = self._look()
        finally:
            with self._changed:
                self._is_looking = False
                self._findings, self._found_at = findings, monotonic()
                self._changed.notify_all()


def look_at_database() -> Findings:
    """Connection, migrations, partitions and disk. Four or five queries over a new connection."""
    try:
        return {
            "database": database_state(),
            "migrations": migrations_state(),
            "partitions": partitions_state(),
            "disk": disk_state(),
            "mirror": mirror_state(),
        }
    except Error:
        answer = dict.fromkeys(DATABASE_NAMES, Finding(FAILING, "not known while the database does not answer"))
        return answer | {"database": Finding(FAILING, "the database does not answer"), "disk": disk_state()}
    finally:
        connection.close()


def database_state() -> Finding:
    with connection.cursor() as cursor:
        started = perf_counter()
        is_postgres = connection.vendor == "postgresql"
        cursor.execute("SHOW transaction_read_only" if is_postgres else "SELECT 'off'")
        is_read_only = cursor.fetchone()[0] == "on"
        numbers = {"round_trip_ms": round((perf_counter() - started) * 1000, 2)}
    if is_read_only or (not is_postgres and refuses_writes(connection.connection)):
        return Finding(WARNING, f"the database is read-only: {REFUSED}", numbers)
    if recent := recent_fault():
        says = {DISK_FULL: "the database has no space left on its disk", READ_ONLY: "the database is read-only"}
        return Finding(WARNING, f"{says[recent]}: {REFUSED}", numbers)
    return Finding(OK, "", numbers)


def refuses_writes(sqlite: Any) -> bool:
    """Whether SQLite's file can't be written, over a connection without a transaction. One that others write to can."""
    if sqlite.in_transaction:
        return False
    sqlite.execute("PRAGMA busy_timeout = 0")
    try:
        ((version,),) = sqlite.execute("PRAGMA user_version").fetchall()
        sqlite.execute("BEGIN IMMEDIATE")
        sqlite.execute(f"PRAGMA user_version = {version}")
    except sqlite3.OperationalError as error:
        return getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY")
    finally:
        if sqlite.in_transaction:
            sqlite.execute("ROLLBACK")
    return False


def migrations_state() -> Finding:
    missing = migrations_on_disk() - set(MigrationRecorder(connection).applied_migrations())
    if missing:  # those that others replace count only where the executor would apply them
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            return Finding(FAILING, f"{len(plan)} migrations are not applied; run manage.py migrate")
    return Finding(OK)


@cache
def migrations_on_disk() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


def partitions_state() -> Finding:
    """Days without a partition lose nothing, but can't expire by being dropped."""
    if connection.vendor != "postgresql":
        return Finding(OFF)
    ahead = sum(day >= utc_today() for day in partition_days())
    if ahead < DAYS_OF_PARTITIONS:
        return Finding(WARNING, "no partitions ahead: is `worker` or `cron` running?", {"days": ahead})
    return Finding(OK, "", {"days": ahead})


def disk_state() -> Finding:
    """Room beside the SQLite file; where the database is elsewhere, its own monitoring says."""
    if connection.vendor != "sqlite":
        return Finding(OFF)
    free = shutil.disk_usage(Path(connection.settings_dict["NAME"]).parent).free
    if free < FULL_DISK_BYTES:
        return Finding(WARNING, f"the disk is full: {REFUSED}", {"free_bytes": free})
    if free < LOW_DISK_BYTES:
        return Finding(WARNING, "less than 1 GiB is free", {"free_bytes": free})
    return Finding(OK, "", {"free_bytes": free})


def mirror_state() -> Finding:
    """What the mirror last noticed of MLflow."""
    if not is_enabled():
        return Finding(OFF)
    status = MirrorStatus.objects.filter(pk=1).first()
    if status and status.problem:
        return Finding(WARNING, "nothing can be mirrored; the home page of the admin says why")
    return Finding(OK)


def look_at_redis() -> Findings:
    if not settings.REDIS_URL:
        return {"redis": Finding(OFF)}
    seconds = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    try:
        with Redis.from_url(settings.REDIS_URL, **seconds) as redis:
            started = perf_counter()
            redis.ping()
    except RedisError:
        return {"redis": Finding(WARNING, "Redis does not answer; jobs wait in the database until it does")}
    return {"redis": Finding(OK, "", {"round_trip_ms": round((perf_counter() - started) * 1000, 2)})}


def look_at_mlflow() -> Findings:
    if not is_enabled():
        return {"mlflow": Finding(OFF)}
    try:
        with MlflowClient() as client:
            client.check()
    except MlflowError:
        return {"mlflow": Finding(WARNING, "MLflow does not answer as it should; traces wait until it does")}
    return {"mlflow": Finding(OK)}


DATABASE_NAMES = ("database", "migrations", "partitions", "disk", "mirror")
# Serving is impossible without these two; nothing that is sent gets lost without the others.
NEEDED = ("database", "migrations")


def make_probes() -> list[Probe]:
    return [
        Probe(DATABASE_NAMES, look_at_database, fresh_seconds=1),
        Probe(("redis",), look_at_redis, fresh_seconds=2),
        Probe(("mlflow",), look_at_mlflow, fresh_seconds=10),
    ]


PROBES = make_probes()


def findings() -> dict[str, tuple[Finding, float]]:
    """Every finding with its age in seconds, within a tenth of a second."""
    for probe in PROBES:
        probe.start()
    found: dict[str, tuple[Finding, float]] = {}
    for probe in PROBES:
        states, age = probe.read()
        found |= {name: (finding, age) for name, finding in states.items()}
    return found


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST", "OPTIONS"])
def health(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers, without a key. Looks at nothing else."""
    return JsonResponse({"status": "ok"}, content_type=CONTENT_TYPE)


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if the database answers and has every migration, else 503. No key, and no query of its own.

    Without Redis or MLflow nothing that is sent gets lost, so their failures leave the process ready, but "degraded".
    """
    found = findings()
    states = {name: finding.state for name, (finding, _) in found.items()}
    if FAILING in {states[name] for name in NEEDED}:
        status = "unavailable"
    else:
        status = "degraded" if {WARNING, FAILING} & set(states.values()) else "ok"
    answer: dict[str, Any] = {"status": status}
    for name, (finding, age) in found.items():
        answer[name] = {
            "state": finding.state,
            "detail": finding.detail,
            "age_seconds": round(age, 3),
            **finding.numbers,
        }
    return JsonResponse(answer, status=503 if status == "unavailable" else 200, content_type=CONTENT_TYPE)
