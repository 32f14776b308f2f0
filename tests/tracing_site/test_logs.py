"""Logs: what a line says, and that no prompt, key or payload is ever in one."""

import contextlib
import http.server
import json
import logging
import sqlite3
import subprocess
import sys
import threading
import time

import django_rq
import grpc
import pytest
import requests
from django.core.exceptions import DisallowedHost
from django.db import DataError, OperationalError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from redis import Redis

from projects.request_context import begin_request, project_id, request_id
from tests import servers
from tests.builders import export_request, new_trace_id, span
from traces.otlp import codec
from tracing_site import logs
from tracing_site.logs import JsonFormatter, TextFormatter

MARKER = "Zanzibar-7731"


@pytest.fixture(autouse=True)
def no_request():
    """No earlier test's request and project stand in the lines."""
    request_id.set("")
    project_id.set(None)


def record(message, *arguments, name="traces.example", error=None):
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, exc_info)


def raised(error, cause=None):
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.fixture
def context():
    tokens = request_id.set("r-1"), project_id.set(7)
    yield
    request_id.reset(tokens[0])
    project_id.reset(tokens[1])


def test_a_json_line_has_time_level_logger_message_and_ids(context):
    line = json.loads(JsonFormatter().format(record("stored %d spans", 3)))
    assert line.pop("time").endswith("+00:00")
    expected = {"level": "ERROR", "logger": "traces.example", "message": "stored 3 spans"}
    assert line == expected | {"request_id": "r-1", "project_id": 7}


def test_a_text_line_has_the_same(context):
    line = TextFormatter().format(record("stored %d spans", 3))
    assert line.endswith("ERROR traces.example: stored 3 spans request_id=r-1 project_id=7")


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_an_exceptions_text_stays_out_and_its_place_stays_in(formatter):
    error = raised(DataError(f"value {MARKER} too long"), ValueError(MARKER))
    line = formatter.format(record("it failed with %s", error, error=error))
    assert MARKER not in line
    assert "DataError from ValueError" in line
    assert "it failed with DataError" in line


def test_what_could_not_be_reached_is_said():
    error = raised(OperationalError("connection to server at 10.0.0.1 failed: refused\nDETAIL: x"))
    line = json.loads(JsonFormatter().format(record("no database", error=error)))
    assert line["exception"] == "OperationalError: connection to server at 10.0.0.1 failed: refused"
    assert any("test_logs.py" in frame for frame in line["frames"])


def test_others_messages_end_with_their_first_line():
    text = f"Task exception was never retrieved\nfuture: <Task exception=DataError('{MARKER}')>"
    assert MARKER not in JsonFormatter().format(record(text, name="asyncio"))


FORGED = "x\r\n2026-12-01 00:00:00.000 ERROR traces: forged\x1b[2J\x85\u2028\u202egnp.exe\x00\ud800"


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
@pytest.mark.parametrize("place", ["message", "argument", "field", "exception"])
def test_no_text_can_end_a_line_or_hide_in_it(formatter, place):
    if place == "exception":
        line = formatter.format(record("it failed", error=raised(OSError(FORGED))))
    elif place == "field":
        made = record("answered")
        made.fields = {"path": FORGED}
        line = formatter.format(made)
    else:
        line = formatter.format(record(FORGED) if place == "message" else record("at %s", FORGED))
    own = line.split("\n  ")[0] if isinstance(formatter, TextFormatter) else line
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in own)
    assert not set(own) & set("\u2028\u2029\u202e\ud800")
    if place != "exception":
        assert "forged" in own
    own.encode()


def test_a_field_of_a_text_line_does_not_look_like_two():
    made = record("answered")
    made.fields = {"path": "/x status=200", "status": 404}
    assert TextFormatter().format(made).endswith('answered path="/x status=200" status=404')


def test_what_anybody_can_cause_is_logged_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(logs, "monotonic", lambda: now[0])
    seldom = logs.Seldom()
    kept = []
    for second in range(25):
        now[0] = float(second)
        made = record("refused: %s", "too slow")
        if seldom.filter(made):
            kept.append((second, getattr(made, "fields", {}).get("left_out")))
    assert kept == [(0, None), (10, 9), (20, 9)]
    assert seldom.filter(record("refused: %s", "something else"))
    assert seldom.filter(record("refused: %s", "too slow", error=raised(ValueError())))


def test_a_host_that_is_not_allowed_is_a_field_of_one_message():
    error = raised(DisallowedHost("Invalid HTTP_HOST header: 'evil.example:8000'. You may need to add …"))
    made = record(str(error), name="django.security.DisallowedHost", error=error)
    assert logs.UnknownHost().filter(made)
    line = TextFormatter().format(made)
    assert line.endswith("a host that is not in ALLOWED_HOSTS host=evil.example:8000")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-request-id": "abc-1"}, "abc-1"),
        ({"x-correlation-id": "c-2"}, "c-2"),
        ({"x-request-id": "a", "x-correlation-id": "b"}, "a"),
        ({"x-request-id": "two\nlines"}, None),
        ({"x-request-id": "x" * 200}, None),
        ({}, None),
    ],
)
def test_a_request_has_the_id_that_it_came_with_or_a_new_one(headers, expected):
    chosen = begin_request(headers)
    assert chosen == expected if expected else len(chosen) == 16


@contextlib.contextmanager
def mlflow_that_quotes():
    """An MLflow that lets itself be found and refuses every trace, quoting what it refuses."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_search = self.path.endswith("experiments/search")
            body = {"experiments": []} if is_search else {"error_code": "INVALID_PARAMETER_VALUE", "message": MARKER}
            self.answer(200 if is_search else 400, json.dumps(body).encode())

        do_GET = do_POST

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def marked_span(name, **fields):
    attrs = {"input.value": MARKER, "gen_ai.prompt": [MARKER], "nested": {"key": MARKER}, MARKER: 1}
    return span(f"{name} {MARKER}", attrs=attrs, **fields)


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_no_path_logs_a_payload_or_a_key(tmp_path):
    with (
        mlflow_that_quotes() as mlflow,
        servers.site(data_dir=tmp_path, MLFLOW_TRACKING_URI=mlflow, LOG_FORMAT="json", LOG_LEVEL="DEBUG") as site,
    ):
        headers = site.headers | {"Content-Type": "application/x-protobuf", "x-request-id": "first-one"}
        good = codec.serialize(export_request(marked_span("good"), service=MARKER), codec.Encoding.PROTOBUF)
        traces = f"{site.url}/v1/traces"
        answer = requests.post(traces, data=good, headers=headers)
        assert (answer.status_code, answer.headers["x-request-id"]) == (200, "first-one")

        # What is wrong with a request, in every place where it can hold something
        json_type = site.headers | {"Content-Type": "application/json"}
        for body, fields in (
            (f'{{"resourceSpans": "{MARKER}"}}', json_type),
            (f'{{"resourceSpans": [{{"{MARKER}', json_type),
            (b"\x0a\xff" + MARKER.encode(), headers),
            (MARKER.encode(), headers | {"Content-Encoding": "gzip"}),
            (MARKER.encode(), headers | {"Content-Encoding": MARKER}),
            (MARKER.encode(), headers | {"Content-Type": f"text/{MARKER}"}),
            (good, {"Authorization": f"Bearer {MARKER}", "Content-Type": "application/x-protobuf"}),
        ):
            assert 400 <= requests.post(traces, data=body, headers=fields).status_code < 500
        for path in (f"/v1/traces?q={MARKER}", f"/v1/spans?text={MARKER}", f"/admin/login/?next=/{MARKER}"):
            assert requests.get(site.url + path, headers=site.headers).status_code < 500
        assert requests.get(traces, headers={"x-bee-authorization": MARKER}).status_code == 401
        login = requests.post(f"{site.url}/admin/login/", data={"username": MARKER, "password": MARKER})
        assert login.status_code == 403

        with grpc.insecure_channel(site.grpc_target) as channel:
            export = TraceServiceStub(channel).Export
            export(export_request(marked_span("by gRPC")), metadata=[("x-bee-authorization", site.key)])
            with pytest.raises(grpc.RpcError):
                export(export_request(marked_span("by gRPC")), metadata=[("x-bee-authorization", MARKER)])

        # A database that quotes what it refuses: in a request, and in the worker
        wait_for(lambda: "Cannot mirror" in site.log)
        with contextlib.closing(sqlite3.connect(tmp_path / "tracing.sqlite3", timeout=20)) as database:
            database.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON spans_span WHEN NEW.name LIKE 'refused%' "
                f"BEGIN SELECT RAISE(ABORT, 'Failing row contains ({MARKER})'); END"
            )
            database.execute(
                "CREATE TRIGGER refuse_mirror BEFORE INSERT ON mlflow_sync_mlflowtrace "
                f"BEGIN SELECT RAISE(ABORT, 'Failing row contains ({MARKER})'); END"
            )
            database.commit()
        refused = codec.serialize(export_request(marked_span("refused")), codec.Encoding.PROTOBUF)
        assert requests.post(traces, data=refused, headers=headers).status_code == 503
        with grpc.insecure_channel(site.grpc_target) as channel, pytest.raises(grpc.RpcError):
            TraceServiceStub(channel).Export(
                export_request(marked_span("refused")), metadata=[("x-bee-authorization", site.key)]
            )
        more = codec.serialize(export_request(marked_span("more", trace_id=new_trace_id())), codec.Encoding.PROTOBUF)
        assert requests.post(traces, data=more, headers=headers).status_code == 200
        wait_for(lambda: "mirror_due is tried again" in site.log)
        log = site.log
    assert MARKER not in log
    assert site.key not in log.split("Ctrl-C", 1)[1]
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    by_status = {(line.get("status"), line.get("request_id")) for line in lines}
    assert (200, "first-one") in by_status
    assert any(line["message"].startswith("Cannot mirror") and "INVALID" in line["message"] for line in lines)
    failures = [line for line in lines if line["level"] == "ERROR"]
    assert any(line["message"].startswith("Export failed") and line["project_id"] for line in failures)


def test_a_failing_job_of_a_redis_worker_logs_no_text(redis_url, tmp_path):
    environment = servers.clean_environment(
        REDIS_URL=redis_url, DATA_DIR=str(tmp_path), LOG_FORMAT="json", LOG_LEVEL="DEBUG"
    )
    queue = django_rq.get_queue("default", connection=Redis.from_url(redis_url))
    job = queue.enqueue("mlflow_sync.jobs.mirror_traces", [MARKER], description="a job")
    log = tmp_path / "worker.log"
    with servers.running(
        [sys.executable, "manage.py", "worker"],
        environment=environment,
        log=log,
        ready=lambda: f"Job {job.id} failed" in log.read_text(),
    ):
        pass
    text = log.read_text()
    assert MARKER not in text
    failure = next(line for line in map(json.loads, text.splitlines()) if line["message"] == f"Job {job.id} failed")
    assert failure["exception"] == "ValueError"


def test_an_exception_that_nobody_catches_in_a_thread_is_logged_without_its_text(tmp_path):
    script = f"""
import django, threading; django.setup()
def fail(): raise ValueError("{MARKER}")
thread = threading.Thread(target=fail, name="a thread"); thread.start(); thread.join()
"""
    environment = servers.clean_environment(
        DJANGO_SETTINGS_MODULE="tracing_site.settings", DATA_DIR=str(tmp_path), LOG_FORMAT="json"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=servers.ROOT, env=environment, capture_output=True, text=True
    )
    line = json.loads(done.stderr)
    assert (line["message"], line["exception"]) == ("Thread a thread failed", "ValueError")
