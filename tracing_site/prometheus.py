"""GET /metrics in Prometheus' format: what this web server's processes counted, and the state of what they share.

The state is that of the whole platform, read from the database and Redis at each scrape, so it is the same whichever
web process answers; workers and cron need no metrics of their own.
"""

import hmac
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import django_rq
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY, CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from rq import Worker

from mlflow_sync.client import is_enabled
from mlflow_sync.pull import mirror_lag
from projects.acquaintances import acquaintances
from projects.authentication import INVALID_KEY, InvalidKey, find_key
from projects.models import hash_key
from projects.request_context import project_id
from projects.sent_keys import readings
from traces.ingest.database_faults import database_fault
from traces.models import RunningTotal, Trace
from traces.reading.lists import count_up_to_limit
from tracing_site.addresses import is_loopback
from tracing_site.health import FAILING, OK, Finding, findings

logger = logging.getLogger(__name__)

FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="metrics"'}


@csrf_exempt
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics in the text format that the Accept header asks for. 401 and 403 as `may_read` says."""
    try:
        is_allowed = may_read(request)
    except InvalidKey as error:
        return HttpResponse(f"{error}\n", status=401, content_type="text/plain", headers=CHALLENGE)
    except Error as error:
        return HttpResponse(f"{database_fault(error).message}\n", status=503, content_type="text/plain")
    if not is_allowed:
        raise PermissionDenied("this key may not read metrics")
    encode, content_type = exposition.choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(make_registry()), content_type=content_type)


def may_read(request: HttpRequest) -> bool:
    """Whether the bearer token is METRICS_TOKEN or, while that is unset, the client is this machine itself, without a
    key or with one that may read: the metrics are totals of all projects, which no project's key opens to the network.

    Raises InvalidKey where a token or key is needed or wrong.
    """
    if settings.METRICS_TOKEN:
        token = settings.METRICS_TOKEN.encode()
        if not any(hmac.compare_digest(text.encode(), token) for text in readings(request.headers)):
            raise InvalidKey(INVALID_KEY, "the metrics need METRICS_TOKEN as a bearer token")
        acquaintances.note(hash_key(settings.METRICS_TOKEN))
        return True
    if not is_own_machine(request):
        raise InvalidKey(INVALID_KEY, "without METRICS_TOKEN only clients on the same machine may read the metrics")
    if not any(readings(request.headers)):
        return True
    key = find_key(request.headers)
    project_id.set(key.project_id)
    return key.can_read


def is_own_machine(request: HttpRequest) -> bool:
    """Whether the client is on loopback and no proxy, which may be there as well, speaks for somebody else."""
    is_forwarded = settings.PUBLIC_URL or any(name in request.headers for name in FORWARDING)
    return not is_forwarded and is_loopback(request.META.get("REMOTE_ADDR", ""))


def make_registry() -> CollectorRegistry:
    """What the processes of this web server counted, and the platform's state."""
    registry = CollectorRegistry()
    if settings.PROMETHEUS_MULTIPROC_DIR:
        forget_dead_processes(Path(settings.PROMETHEUS_MULTIPROC_DIR))
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(StateCollector())
    return registry


def forget_dead_processes(folder: Path) -> None:
    """Drop the gauges of processes that were killed; their counts stay."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tracing_{name}", text, value=value)


class StateCollector(Collector):
    """About ten small queries; none if the database is known not to answer."""

    def collect(self) -> Iterator[Metric]:
        found = {name: finding for name, (finding, _) in findings().items()}
        yield from dependency_metrics(found)
        yield from redis_metrics()
        if found["database"].state != FAILING:
            try:
                yield from list(database_metrics())
            except Error as error:
                logger.warning("The metrics lack what the database holds", exc_info=error)

    def describe(self) -> list[Metric]:
        return []


def dependency_metrics(found: dict[str, Finding]) -> Iterator[Metric]:
    up = GaugeMetricFamily("tracing_dependency_ok", "1 if /readyz finds it ok, else 0.", labels=["name"])
    for name, finding in found.items():
        if finding.state != "off":
            up.add_metric([name], float(finding.state == OK))
    yield up
    for name, key, metric, text, scale in (
        ("database", "round_trip_ms", "database_round_trip_seconds", "A query that does nothing.", 1e-3),
        ("redis", "round_trip_ms", "redis_round_trip_seconds", "A PING.", 1e-3),
        ("partitions", "days", "partitions_ahead_days", "Days from today that have a partition.", 1),
        ("disk", "free_bytes", "disk_free_bytes", "Free space beside the SQLite file.", 1),
    ):
        if key in found[name].numbers:
            yield gauge(metric, text, found[name].numbers[key] * scale)


def redis_metrics() -> Iterator[Metric]:
    if not settings.REDIS_URL:
        return
    with suppress(RedisError):
        queue = django_rq.get_queue("default")
        values = {
            "jobs_queued": ("Jobs that wait for a worker.", queue.count),
            "jobs_failed": ("Jobs that failed, of the last seven days.", queue.failed_job_registry.count),
            "workers": ("Worker processes.", Worker.count(queue=queue)),
        }
        for name, (text, value) in values.items():
            yield gauge(name, text, value)


def database_metrics() -> Iterator[Metric]:
    """The backlogs, counted up to COUNT_LIMIT + 1."""
    due = count_up_to_limit(Trace.objects.filter(refresh_due=True))
    yield gauge("refresh_due_traces", "Large traces whose summary is behind their spans.", due)
    if is_enabled():
        lag = mirror_lag()
        yield gauge("mirror_waiting_traces", "Traces that MLflow does not have as they are here.", lag.waiting)
        yield gauge("mirror_failed_traces", "Traces whose mirror gave up.", lag.failed)
        yield gauge("mirror_lag_seconds", "Age of the oldest change that MLflow does not have.", lag.oldest_seconds)
    for total in RunningTotal.objects.order_by("name"):
        yield CounterMetricFamily(f"tracing_{total.name}", RunningTotal.MEANINGS[total.name], value=total.value)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT numbackends, current_setting('max_connections')::int FROM pg_stat_database "
                "WHERE datname = current_database()"
            )
            taken, allowed = cursor.fetchone()
        yield gauge("database_connections", "Connections to the database, whoever's they are.", taken)
        yield gauge("database_connections_max", "Connections that the server allows.", allowed)
