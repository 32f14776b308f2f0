"""The processes of compose.yaml, each with its own command, over real PostgreSQL, Redis and MLflow."""

import contextlib
import socket
import subprocess
import sys
import time

import grpc
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests import servers
from tests.builders import export_request, new_trace_id, span

KEY = "the-key-of-this-test"


def manage(command, environment, tmp_path, ready=lambda: True):
    return servers.running(
        [sys.executable, "manage.py", command],
        environment=environment,
        log=tmp_path / f"{command}.log",
        ready=ready,
    )


def is_listening(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def experiment_trace(mlflow_server, trace_id):
    """What MLflow knows of the trace, or None."""
    answer = requests.get(f"{mlflow_server}/api/3.0/mlflow/traces/tr-{trace_id}", timeout=10)
    return answer.json() if answer.ok else None


def test_separate_processes_receive_and_mirror(postgres_url, redis_url, mlflow_server, tmp_path):
    port, grpc_port = servers.free_port(), servers.free_port()
    environment = servers.clean_environment(
        SECRET_KEY="x5Jq0sVfWm8Lr2TzYb7Kd4Ng9Hc1Pe6Ua3Qi5Ro8Sw2Xv4Zt7By0Cn",
        DATABASE_URL=postgres_url,
        REDIS_URL=redis_url,
        MLFLOW_TRACKING_URI=mlflow_server,
        AUTH_KEY=KEY,
        DATA_DIR=str(tmp_path / "data"),
        STATIC_ROOT=str(tmp_path / "static"),
        PORT=str(port),
        GRPC_PORT=str(grpc_port),
        WEB_WORKERS="2",
    )
    for command in (["collectstatic", "--noinput"], ["prepare"], ["prepare"]):
        subprocess.run(
            [sys.executable, "manage.py", *command], cwd=servers.ROOT, env=environment, check=True, capture_output=True
        )
    url = f"http://127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        stack.enter_context(manage("web", environment, tmp_path, lambda: servers.answers(f"{url}/readyz")))
        stack.enter_context(manage("grpc", environment, tmp_path, lambda: is_listening(grpc_port)))
        stack.enter_context(manage("worker", environment, tmp_path))
        stack.enter_context(manage("cron", environment, tmp_path))

        by_http, by_grpc = new_trace_id(), new_trace_id()
        now = time.time_ns()
        answer = requests.post(
            f"{url}/v1/traces",
            data=export_request(span(trace_id=by_http, start_ns=now)).SerializeToString(),
            headers={"x-bee-authorization": KEY, "Content-Type": "application/x-protobuf"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            request = export_request(span(trace_id=by_grpc, start_ns=now))
            TraceServiceStub(channel).Export(request, metadata=[("x-bee-authorization", KEY)], timeout=30)

        login = requests.get(f"{url}/admin/login/", timeout=30).text
        stylesheet = login.split('rel="stylesheet" href="')[1].split('"')[0]
        assert requests.get(url + stylesheet, timeout=30).headers["Cache-Control"].endswith("immutable")

        deadline = time.monotonic() + 90
        while not all(experiment_trace(mlflow_server, trace_id) for trace_id in (by_http, by_grpc)):
            logs = [(tmp_path / f"{name}.log").read_text()[-1000:] for name in ("worker", "cron")]
            assert time.monotonic() < deadline, logs
            time.sleep(0.5)
