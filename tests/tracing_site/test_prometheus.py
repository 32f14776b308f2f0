"""/metrics: who may read it, what it says, and that several processes answer as one."""

import os
import re
import signal
import subprocess
import sys
import time

import grpc
import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from projects.models import ApiKey
from tests import servers
from tests.builders import export_request, new_trace_id, span
from traces.models import RunningTotal
from traces.otlp import codec

KEY = "test-key"


def samples(text):
    """Value by sample, written as name{labels}."""
    return {name: float(value) for name, value in re.findall(r"^(tracing_\S+?(?:{.*})?) (\S+)$", text, re.M)}


def scrape(url, key=KEY):
    answer = requests.get(f"{url}/metrics", headers={"Authorization": f"Bearer {key}"}, timeout=10)
    assert answer.status_code == 200, answer.text
    assert families(answer.text) <= documented()
    return samples(answer.text)


def families(text):
    return set(re.findall(r"^# TYPE (tracing_\S+)", text, re.M))


def documented():
    return set(re.findall(r"`(tracing_[a-z_]+)`", (servers.ROOT / "docs/operations.md").read_text()))


def send(url, *spans, key=KEY):
    body = codec.serialize(export_request(*spans), codec.Encoding.PROTOBUF)
    headers = {"x-bee-authorization": key, "Content-Type": "application/x-protobuf"}
    return requests.post(f"{url}/v1/traces", data=body, headers=headers, timeout=10)


ELSEWHERE = "192.0.2.7"


@pytest.mark.parametrize("address", ["127.0.0.1", ELSEWHERE])
@pytest.mark.parametrize("headers", [{"Authorization": "Bearer wrong"}, {"x-bee-authorization": "wrong"}])
def test_a_wrong_key_reads_nothing(client, db, headers, address):
    response = client.get("/metrics", headers=headers, REMOTE_ADDR=address)
    assert (response.status_code, "WWW-Authenticate" in response.headers) == (401, True)
    assert b"tracing_" not in response.content


def test_without_a_token_only_this_machine_reads(client, settle, key):
    for headers in ({}, {"Authorization": f"Bearer {key}"}):
        for address in ("127.0.0.1", "127.8.9.10", "::1"):
            assert client.get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == 200
        for address in (ELSEWHERE, "10.0.0.1", "2001:db8::1", ""):
            response = client.get("/metrics", headers=headers, REMOTE_ADDR=address)
            assert (response.status_code, b"METRICS_TOKEN" in response.content) == (401, True)
            assert b"tracing_" not in response.content


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP"]
)
def test_a_proxy_on_this_machine_is_not_this_machine(client, db, header):
    assert client.get("/metrics", headers={header: "192.0.2.7"}).status_code == 401


def test_behind_a_public_address_nobody_is_this_machine(client, db, settings):
    settings.PUBLIC_URL = "https://traces.example.org"
    assert client.get("/metrics").status_code == 401


def test_a_key_that_only_sends_reads_nothing(client, settle, key):
    ApiKey.objects.update(can_read=False)
    assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 403


def test_with_a_token_only_the_token_reads_also_without_a_database(client, settings, settle, key):
    settings.METRICS_TOKEN = "the-token"
    assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer the-token"}).status_code == 200


def test_no_metric_names_a_project(client, settle, project, key):
    text = client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).content.decode()
    assert "tracing_export_requests" in text
    assert project.slug not in samples(text)
    assert project.name not in text


def test_openmetrics_is_spoken_to_who_asks_for_it(client, settle, key):
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/openmetrics-text; version=1.0.0"}
    response = client.get("/metrics", headers=headers)
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.content.endswith(b"# EOF\n")


def test_what_jobs_count_is_a_total(client, key, settle):
    settle()
    RunningTotal.add(RunningTotal.RETENTION_DELETED, 3)
    RunningTotal.add(RunningTotal.RETENTION_DELETED, 4)
    text = client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).content.decode()
    assert samples(text)["tracing_retention_deleted_traces_total"] == 7


def test_it_counts_requests_spans_and_bytes_of_both_transports(tmp_path):
    with servers.site(data_dir=tmp_path) as site:
        trace_id = new_trace_id()
        one = span(trace_id=trace_id, span_id="00000000000000a1")
        later = span(trace_id=trace_id, span_id="00000000000000a1", duration_ns=5_000_000)
        invalid = span()
        invalid.trace_id = b"short"
        for spans in ([one, invalid], [one], [later]):
            assert send(site.url, *spans).status_code == 200
        assert send(site.url, one, key="wrong").status_code == 401
        with grpc.insecure_channel(site.grpc_target) as channel:
            TraceServiceStub(channel).Export(export_request(span()), metadata=[("x-bee-authorization", KEY)])
        found = scrape(site.url)
    assert found['tracing_export_requests_total{status="200",transport="http"}'] == 3
    assert found['tracing_export_requests_total{status="401",transport="http"}'] == 1
    assert found['tracing_export_requests_total{status="OK",transport="grpc"}'] == 1
    assert found['tracing_spans_total{reason="",result="added"}'] == 2
    assert found['tracing_spans_total{reason="",result="duplicate"}'] == 1
    assert found['tracing_spans_total{reason="",result="replaced"}'] == 1
    rejected = {name: value for name, value in found.items() if 'result="rejected"' in name}
    assert list(rejected.values()) == [1]
    assert found['tracing_received_bytes_total{transport="http"}'] > 300
    assert found['tracing_export_seconds_count{transport="http"}'] == 4
    assert found['tracing_exports_in_progress{transport="http"}'] == 0
    assert found['tracing_dependency_ok{name="database"}'] == 1
    assert found["tracing_refresh_due_traces"] == 0


def test_several_processes_answer_as_one_and_a_killed_one_keeps_its_counts(postgres_url, tmp_path):
    port, grpc_port, metrics_port = servers.free_port(), servers.free_port(), servers.free_port()
    environment = servers.clean_environment(
        DATABASE_URL=postgres_url,
        DATA_DIR=str(tmp_path / "data"),
        AUTH_KEY=KEY,
        PORT=str(port),
        GRPC_PORT=str(grpc_port),
        METRICS_PORT=str(metrics_port),
        WEB_WORKERS="2",
        TMPDIR=str(tmp_path),
    )
    arguments = [sys.executable, "manage.py"]
    subprocess.run([*arguments, "prepare"], cwd=servers.ROOT, env=environment, check=True, capture_output=True)
    url, operations = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}"
    with (
        servers.running(
            [*arguments, "web"],
            environment=environment,
            log=tmp_path / "web",
            ready=lambda: servers.answers(f"{url}/readyz"),
        ) as web,
        servers.running(
            [*arguments, "grpc"],
            environment=environment,
            log=tmp_path / "grpc",
            ready=lambda: servers.answers(f"{operations}/readyz"),
        ),
    ):
        name = 'tracing_export_requests_total{status="200",transport="http"}'
        for _ in range(20):  # each over a connection of its own, so both processes get some
            assert send(url, span()).status_code == 200
        assert [scrape(url)[name] for _ in range(6)] == [20] * 6
        killed = max(process.pid for process in servers.web_processes(web.pid))
        os.kill(killed, signal.SIGKILL)
        time.sleep(1)
        servers.answers(f"{url}/readyz")
        assert send(url, span()).status_code == 200
        assert scrape(url)[name] == 21
        assert scrape(url)["tracing_partitions_ahead_days"] >= 2
        assert scrape(url)["tracing_database_connections"] >= 1

        with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            TraceServiceStub(channel).Export(export_request(span()), metadata=[("x-bee-authorization", KEY)])
        assert scrape(operations)['tracing_export_requests_total{status="OK",transport="grpc"}'] == 1
        assert requests.get(f"{operations}/admin/login/", timeout=5).status_code == 404
    assert list(tmp_path.glob("tracing-metrics-*")) == []
