"""More than one of everything: processes, a pooler, a replica, over one real PostgreSQL."""

import contextlib
import random
import subprocess
import sys
import threading
import time
import uuid
from urllib.parse import urlsplit

import grpc
import psycopg
import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests import servers
from tests.builders import export_request, new_trace_id, span

KEY = "the-key-of-this-test"
HEADERS = {"x-bee-authorization": KEY, "Content-Type": "application/x-protobuf"}
TRACES, SPANS_A_TRACE = 20, 30


@pytest.fixture
def database_url(postgres_url):
    """A fresh database on the shared server."""
    name = f"scale_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def environment(tmp_path, url, **variables):
    common = {"SECRET_KEY": "x" * 50, "AUTH_KEY": KEY, "DATA_DIR": str(tmp_path / "data"), "MLFLOW_TRACKING_URI": "off"}
    return servers.clean_environment(**(common | {"DATABASE_URL": url} | variables))


def manage(*arguments, environment):
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=servers.ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def process(command, tmp_path, variables, ready=lambda: True):
    log = tmp_path / f"{command}-{uuid.uuid4().hex[:6]}.log"
    with servers.running(
        [sys.executable, "manage.py", command], environment=variables, log=log, ready=ready
    ) as running:
        yield running


@contextlib.contextmanager
def web(tmp_path, variables):
    port = servers.free_port()
    url = f"http://127.0.0.1:{port}"
    with process("web", tmp_path, variables | {"PORT": str(port)}, lambda: servers.answers(f"{url}/health")):
        yield url


@contextlib.contextmanager
def grpc_server(tmp_path, variables):
    port = servers.free_port()
    with process("grpc", tmp_path, variables | {"GRPC_PORT": str(port)}, lambda: servers.is_listening(port)):
        yield f"127.0.0.1:{port}"


def post(url, request):
    answer = requests.post(f"{url}/v1/traces", data=request.SerializeToString(), headers=HEADERS, timeout=30)
    assert answer.status_code == 200, answer.text


def call(target, request):
    with grpc.insecure_channel(target) as channel:
        TraceServiceStub(channel).Export(request, metadata=[("x-bee-authorization", KEY)], timeout=30)


def overlapping_requests():
    """Requests in random order that hold pieces of all traces; every span comes twice, to whoever it may be."""
    now = time.time_ns()
    usage = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 7}
    spans = []
    for _ in range(TRACES):
        trace_id = new_trace_id()
        ids = [f"{number:016x}" for number in range(1, SPANS_A_TRACE + 1)]
        spans += [
            span("root", trace_id=trace_id, span_id=span_id, start_ns=now)
            if span_id == ids[0]
            else span("call", trace_id=trace_id, span_id=span_id, parent_span_id=ids[0], start_ns=now, attrs=usage)
            for span_id in ids
        ]
    twice = spans * 2
    random.Random(4).shuffle(twice)
    return [export_request(*twice[start : start + 25]) for start in range(0, len(twice), 25)]


def send_all(senders, batches):
    """Each sender takes the next request when it is free, two threads a sender."""
    remaining = iter(batches)
    lock = threading.Lock()
    errors = []

    def work(send):
        while True:
            with lock:
                request = next(remaining, None)
            if request is None:
                return
            try:
                send(request)
            except (AssertionError, requests.RequestException, grpc.RpcError) as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=work, args=(send,)) for send in senders for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def stored(url):
    """(spans, distinct spans, traces, traces with a right summary)."""
    with psycopg.connect(url) as connection:
        spans = connection.execute("SELECT count(*), count(DISTINCT id), count(DISTINCT trace_row_id) FROM spans_span")
        right = connection.execute(
            "SELECT count(*) FROM traces_trace WHERE span_count = %s AND input_tokens = %s AND NOT refresh_due "
            "AND root_span_id = %s",
            [SPANS_A_TRACE, 7 * (SPANS_A_TRACE - 1), f"{1:016x}"],
        )
        return (*spans.fetchone(), right.fetchone()[0])


EVERYTHING = (TRACES * SPANS_A_TRACE, TRACES * SPANS_A_TRACE, TRACES, TRACES)


def test_two_of_every_process_lose_and_double_nothing(database_url, redis_url, mlflow_server, tmp_path):
    answer = requests.post(
        f"{mlflow_server}/api/2.0/mlflow/experiments/create", json={"name": uuid.uuid4().hex}, timeout=30
    )
    experiment = answer.json()["experiment_id"]
    variables = environment(
        tmp_path,
        database_url,
        REDIS_URL=redis_url,
        MLFLOW_TRACKING_URI=mlflow_server,
        MLFLOW_DEFAULT_EXPERIMENT_ID=experiment,
    )
    manage("prepare", environment=variables)
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(web(tmp_path, variables)) for _ in range(2)]
        targets = [stack.enter_context(grpc_server(tmp_path, variables)) for _ in range(2)]
        for command in ("worker", "worker", "cron", "cron"):
            stack.enter_context(process(command, tmp_path, variables))
        senders = [lambda request, url=url: post(url, request) for url in urls]
        senders += [lambda request, target=target: call(target, request) for target in targets]
        send_all(senders, overlapping_requests())
        assert stored(database_url) == EVERYTHING

        deadline = time.monotonic() + 120
        while (found := mirrored(database_url)) != {(TRACES, SPANS_A_TRACE)}:
            assert time.monotonic() < deadline, found
            time.sleep(0.5)
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    listed = requests.post(
        f"{mlflow_server}/api/3.0/mlflow/traces/search", json={"locations": [location], "max_results": 500}, timeout=30
    ).json()["traces"]
    assert len(listed) == len({trace["trace_id"] for trace in listed}) == TRACES


def mirrored(url):
    """How many traces rest mirrored, by the number of spans that were sent."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT count(*), span_count FROM mlflow_sync_mlflowtrace "
            "WHERE next_try_at IS NULL AND error_code = '' GROUP BY span_count"
        )
        return set(rows.fetchall())


@pytest.mark.parametrize("prepared", [0, 100] if servers.pgbouncer_prepares() else [0])
def test_ingest_and_reading_work_through_pgbouncer_in_transaction_mode(database_url, tmp_path, prepared):
    """Prepared statements from PgBouncer 1.21 on: CONTRIBUTING.md says how to run the tests with a newer one."""
    manage("prepare", environment=environment(tmp_path, database_url))
    with servers.pgbouncer(database_url, pool_size=3, prepared_statements=prepared) as pooled:
        threshold = "5" if prepared else "0"
        variables = environment(
            tmp_path, pooled, DATABASE_TRANSACTION_POOLING="true", DATABASE_PREPARE_THRESHOLD=threshold
        )
        with web(tmp_path, variables) as first, web(tmp_path, variables) as second:
            batches = overlapping_requests() * (6 if prepared else 1)
            send_all([lambda request, url=url: post(url, request) for url in (first, second)], batches)
            assert stored(database_url) == EVERYTHING
            listed = requests.get(f"{second}/v1/traces?limit=100", headers=HEADERS, timeout=30).json()
            assert listed["total_count"] == TRACES
            trace_id = listed["results"][0]["trace_id"]
            spans = requests.get(f"{first}/v1/traces/{trace_id}/spans", headers=HEADERS, timeout=30).json()
            assert spans["total_count"] == SPANS_A_TRACE
            assert requests.get(f"{first}/readyz", timeout=30).status_code == 200
        with psycopg.connect(pooled) as connection:
            on_server = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()[0]
        assert (on_server > 0) == (prepared > 0)
        assert "20 traces refreshed." in manage("refreshrollups", environment=variables)
        assert "0 traces deleted." in manage("prunetraces", environment=variables)


def test_reads_come_from_the_replica_and_writes_go_to_the_primary(database_url, tmp_path):
    manage("prepare", environment=environment(tmp_path, database_url))
    with servers.standby(database_url) as replica_url, psycopg.connect(replica_url, autocommit=True) as replica:
        variables = environment(tmp_path, database_url, DATABASE_REPLICA_URL=replica_url)
        with web(tmp_path, variables) as url:

            def names(path="/v1/traces"):
                rows = requests.get(f"{url}{path}", headers=HEADERS, timeout=30).json()["results"]
                return [row["name"] for row in rows]

            trace_id = new_trace_id()
            replica.execute("SELECT pg_wal_replay_pause()")
            while replica.execute("SELECT pg_get_wal_replay_pause_state()").fetchone()[0] != "paused":
                time.sleep(0.1)
            post(url, export_request(span("new", trace_id=trace_id)))
            assert (names(), names("/v1/spans")) == ([], [])
            # Ingest reads the primary: it meets its own span again.
            post(url, export_request(span("new", trace_id=trace_id), span("child", trace_id=trace_id)))
            replica.execute("SELECT pg_wal_replay_resume()")
            deadline = time.monotonic() + 20
            while not names():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            paths = [f"/v1/traces/{trace_id}?include_tree=true&include_mlflow=true", f"/v1/traces/{trace_id}/otlp"]
            assert [requests.get(url + path, headers=HEADERS, timeout=30).status_code for path in paths] == [200, 200]
            assert requests.delete(f"{url}/v1/traces/{trace_id}", headers=HEADERS, timeout=30).status_code == 204
            while names():
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_a_threshold_makes_statements_prepared_ones(database_url, tmp_path):
    code = (
        "from django.db import connection as c\n"
        "from projects.models import Project\n"
        "[list(Project.objects.filter(slug='x')) for _ in range(3)]\n"
        "rows = c.cursor().execute('SELECT statement FROM pg_prepared_statements').fetchall()\n"
        "print([sql for (sql,) in rows if 'slug' in sql])"
    )
    manage("migrate", environment=environment(tmp_path, database_url))
    never, prepared = (
        manage("shell", "-c", code, environment=environment(tmp_path, database_url, DATABASE_PREPARE_THRESHOLD=number))
        for number in ("0", "2")
    )
    assert never.splitlines()[-1] == "[]"
    assert '"slug" = $1' in prepared
