"""Log records of every kind: kept with their span, shown, searched, exported and bounded."""

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from spans.models import Span, SpanLog
from spans.semconv import content
from tests.builders import attributes, export_request, log_record, logs_request, new_span_id, new_trace_id, span
from tests.traces.admin.test_pages import member
from traces.models import ExportReceipt, Trace
from traces.otlp.logs import export_logs
from traces.otlp.receiver import export
from traces.reading.queries import get_span
from traces.upkeep.deletion import delete_traces
from traces.upkeep.renormalize import renormalize

pytestmark = pytest.mark.django_db
FAILED = {"code": 2}
CLAUDE = "com.anthropic.claude_code.tracing"


@pytest.fixture
def ids():
    return {"trace_id": new_trace_id(), "span_id": new_span_id()}


@pytest.fixture
def api(key):
    return Client(headers={"x-bee-authorization": key})


def send_logs(project, *records):
    return export_logs([logs_request(*records)], project)


def send_span(project, ids, name="work", scope="app", **fields):
    export(export_request(span(name, **ids, **fields), scope=scope), project)


def read(ids):
    found = get_span(Trace.objects.get(trace_id=ids["trace_id"]), ids["span_id"])
    return content(found, found.resource.get("attributes"))


LINE = {"body": "cache is warm", "severity_number": 9, "severity_text": "INFO"}


@pytest.mark.parametrize("first", ["spans", "logs"])
def test_a_plain_line_is_kept_and_shown_with_its_span_and_changes_nothing_of_it(project, api, ids, first):
    send = [lambda: send_span(project, ids), lambda: send_logs(project, log_record("", **ids, **LINE, attrs={"n": 1}))]
    for step in send if first == "spans" else reversed(send):
        step()
    (row,) = api.get(f"/v1/traces/{ids['trace_id']}/logs").json()["results"]
    assert (row["span_id"], row["body"], row["severity_text"], row["attributes"]) == (
        ids["span_id"], "cache is warm", "INFO", {"n": 1},
    )  # fmt: skip
    assert Span.objects.get().output_preview == ""
    trace = Trace.objects.get()
    page = member(project, "viewer").get(f"/admin/traces/trace/{trace.pk}/spans/{ids['span_id']}/").content.decode()
    assert "cache is warm" in page.split('data-tabpanel="logs"')[1]
    assert not trace.refresh_due


def test_a_plain_line_leaves_the_summary_alone(project, ids):
    send_span(project, ids)
    before = Trace.objects.values().get()
    with CaptureQueriesContext(connection) as queries:
        send_logs(project, log_record("", **ids, **LINE))
    assert Trace.objects.values().get() == before
    assert not any("spans_span" in query["sql"].replace("spans_spanlog", "") for query in queries)


@pytest.mark.parametrize("name", ["exception", "gen_ai.client.operation.exception", ""])
@pytest.mark.parametrize("first", ["spans", "logs"])
def test_an_exception_in_a_log_record_gives_the_error_its_class_and_message(project, api, ids, name, first):
    attrs = {"exception.type": "java.net.SocketTimeoutException", "exception.message": "Read timed out: crm.internal"}
    record = log_record(name, **ids, attrs=attrs, severity_number=17, body=None if name else "it failed")
    steps = [lambda: send_span(project, ids, status=FAILED), lambda: send_logs(project, record)]
    for step in steps if first == "spans" else reversed(steps):
        step()
    (found,) = api.get(f"/v1/traces/{ids['trace_id']}/spans").json()["results"]
    assert (found["error_type"], found["error_message"]) == (attrs["exception.type"], attrs["exception.message"])
    assert Span.objects.get().error_type == attrs["exception.type"]
    trace = Trace.objects.get()
    page = member(project, "viewer").get(f"/admin/traces/trace/{trace.pk}/change/").content.decode()
    assert attrs["exception.message"] in page.split('class="failures"')[1].split("</ul>")[0]


def test_a_caught_exception_in_a_log_record_is_no_failure(project, ids):
    send_span(project, ids)
    send_logs(project, log_record("exception", **ids, attrs={"exception.type": "Retry"}, severity_number=13))
    assert (Trace.objects.get().error_count, Span.objects.get().is_error) == (0, False)


def claude_event(ids, name, **attrs):
    return log_record(
        "",
        **ids,
        body=f"claude_code.{name}",
        attrs={"event.name": name} | attrs,
        time_ns=1_700_000_000_000_000_000 + len(name),
    )


def test_claude_codes_events_give_what_was_asked_and_answered(project, ids):
    send_span(project, ids, "claude_code.interaction", CLAUDE, attrs={"span.type": "interaction"})
    send_logs(
        project,
        claude_event(ids, "user_prompt", prompt="Capital of France?"),
        claude_event(ids, "tool_result", tool_name="Bash", success="true"),
        claude_event(ids, "assistant_response", response="Paris."),
    )
    trace = Trace.objects.get()
    assert (trace.input_preview, trace.output_preview) == ("Capital of France?", "Paris.")
    assert (read(ids).input, read(ids).output) == ("Capital of France?", "Paris.")


def test_claude_codes_failed_call_says_why(project, ids):
    send_span(project, ids, "claude_code.interaction", CLAUDE, attrs={"span.type": "interaction"}, status=FAILED)
    send_logs(project, claude_event(ids, "api_error", error="Overloaded", status_code="529"))
    assert read(ids).error_message == "Overloaded"


@pytest.mark.parametrize(
    ("scope", "events", "expected"),
    [
        (
            "gemini-cli",
            [("gemini_cli.user_prompt", {"prompt": "List"}), ("gemini_cli.api_response", {"response_text": "a.txt"})],
            ("List", "a.txt"),
        ),
        ("codex_otel", [("codex.user_prompt", {"prompt": "List"})], ("List", None)),
    ],
)
def test_events_of_other_coding_agents_do_too(project, ids, scope, events, expected):
    send_span(project, ids, "turn", scope)
    records = [log_record("", **ids, body="text", attrs={"event.name": name} | attrs) for name, attrs in events]
    send_logs(project, *records)
    assert (read(ids).input, read(ids).output) == expected


def test_a_tools_event_gives_its_span_arguments_and_result(project, ids):
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "shell"}
    send_span(project, ids, "execute_tool shell", "codex_otel", attrs=tool)
    attrs = {"event.name": "codex.tool_result", "arguments": '{"cmd": "ls"}', "output": "a.txt", "success": "true"}
    # Rust's bridge writes the place in the source where others write the name.
    send_logs(project, log_record("event otel/src/events.rs:42", **ids, attrs=attrs))
    found = read(ids)
    assert (found.tool_arguments, found.tool_result) == ({"cmd": "ls"}, "a.txt")


def test_the_event_of_a_tool_is_not_the_answer_of_the_turn(project, ids):
    send_span(project, ids, "session_task.turn", "codex_otel")
    send_logs(project, log_record("codex.tool_result", **ids, attrs={"arguments": "{}", "output": "a.txt"}))
    assert read(ids).output is None


# Search and export


def test_traces_and_spans_are_found_by_their_log_records(project, api, ids):
    send_span(project, ids)
    send_span(project, {"trace_id": new_trace_id(), "span_id": new_span_id()})
    send_logs(project, log_record("", **ids, body="Příkaz selhal", attrs={"code": "E-17"}))
    for text in ("PŘÍKAZ", "e-17"):
        for path in ("/v1/traces", "/v1/spans"):
            found = api.get(path, {"log": text}).json()["results"]
            assert [row["trace_id"] for row in found] == [ids["trace_id"]], (path, text)
    client = member(project, "viewer")
    for path in ("/admin/traces/trace/", "/admin/spans/span/"):
        html = client.get(path, {"log": "e-17"}).content.decode()
        assert html.count('class="title"') == 1


def full_record(ids):
    return log_record(
        "app.cache",
        **ids,
        body={"hit": True, "raw": b"\x00\xff"},
        attrs={"n": 1, "x": float("inf")},
        severity_number=9,
        severity_text="INFO",
        observed_time_unix_nano=1_700_000_000_000_000_777,
        flags=1,
        dropped_attributes_count=2,
    )


@pytest.mark.parametrize("accept", ["application/json", "application/x-protobuf"])
def test_log_records_are_exported_as_they_came(project, api, ids, accept):
    request = logs_request(full_record(ids))
    resource_logs = request.resource_logs[0]
    resource_logs.resource.attributes.extend(attributes({"service.name": "orders"}))
    resource_logs.schema_url = "https://example.com/r"
    resource_logs.scope_logs[0].scope.name = "app.logger"
    export_logs([request], project)
    send_span(project, ids)
    body = api.get(f"/v1/traces/{ids['trace_id']}/otlp-logs", headers={"accept": accept}).content
    if accept == "application/json":
        (found,) = json.loads(body)["resourceLogs"]
        assert found["scopeLogs"][0]["logRecords"][0]["eventName"] == "app.cache"
    else:
        assert LogsData.FromString(body).resource_logs == request.resource_logs


@pytest.mark.parametrize("output", ["traces.jsonl", "folder"])
def test_an_export_takes_log_records_along_and_an_import_brings_them_back(project, ids, tmp_path, output):
    send_span(project, ids)
    send_logs(project, full_record(ids), log_record("", **ids, **LINE))
    columns = [
        field.attname for field in SpanLog._meta.concrete_fields if field.attname not in ("received_at", "position")
    ]
    before = list(SpanLog.objects.order_by("id").values(*columns))
    call_command("exporttraces", str(tmp_path / output))
    SpanLog.objects.all().delete()
    call_command("importtraces", str(tmp_path / output), project=project.slug)
    assert list(SpanLog.objects.order_by("id").values(*columns)) == before


# Bounds


def counts():
    return ExportReceipt.objects.latest("created_at").records


def lines(ids, count, name=""):
    return [log_record(name, **ids, body=f"line {number}") for number in range(count)]


def test_a_span_keeps_so_many_lines_and_events_go_on(project, api, ids, settings):
    settings.MAX_LOGS_PER_SPAN = 3
    send_span(project, ids)
    send_logs(project, *lines(ids, 2))
    send_logs(project, *lines(ids, 5))
    assert counts() == {"added": 1, "duplicate": 2, "rejected": 0, "ignored": 0, "over_limit": 2}
    send_logs(project, *lines(ids, 5, "gen_ai.user.message"))
    assert (counts()["added"], counts()["over_limit"]) == (3, 2)
    found = api.get(f"/v1/traces/{ids['trace_id']}/logs?span_id={ids['span_id']}").json()
    assert (found["total_count"], found["is_full"]) == (6, True)
    page = member(project, "viewer").get(f"/admin/traces/trace/{Trace.objects.get().pk}/spans/{ids['span_id']}/")
    assert "further ones were counted, not stored" in page.content.decode()


def test_a_trace_keeps_so_many(project, settings):
    settings.MAX_LOGS_PER_TRACE = 4
    trace_id = new_trace_id()
    for _ in range(3):
        send_logs(project, *lines({"trace_id": trace_id, "span_id": new_span_id()}, 2))
    assert (SpanLog.objects.count(), counts()["over_limit"]) == (4, 2)
    send_logs(project, *lines({"trace_id": new_trace_id(), "span_id": new_span_id()}, 2))
    assert SpanLog.objects.count() == 6


def test_a_long_value_is_cut_and_the_record_says_so(project, api, ids, settings):
    settings.MAX_LOG_VALUE_BYTES = 100
    send_span(project, ids)
    send_logs(project, log_record("", **ids, body="é" * 100, attrs={"short": "x", "long": "y" * 200}))
    (row,) = api.get(f"/v1/traces/{ids['trace_id']}/logs").json()["results"]
    assert (row["body"], row["attributes"]) == ("é" * 50, {"short": "x", "long": "y" * 100})
    assert row["warnings"] == ["attributes: 1 value or key cut", "body: 1 value or key cut"]


def test_log_records_of_a_deleted_trace_are_rejected(project, ids):
    send_span(project, ids)
    delete_traces(Trace.objects.all())
    answer = send_logs(project, *lines(ids, 2))
    assert (answer.partial_success.rejected_log_records, SpanLog.objects.count()) == (2, 0)
    assert "deleted" in answer.partial_success.error_message


def test_a_line_waits_for_no_job(project, ids):
    send_logs(project, log_record("", **ids, **LINE))
    assert not SpanLog.objects.get().pending


def test_renormalizing_reads_log_records_as_storing_does(project, ids):
    send_span(project, ids, status=FAILED)
    send_logs(project, log_record("exception", **ids, attrs={"exception.type": "Lost"}))
    Span.objects.update(error_type="")
    renormalize(Trace.objects.values_list("pk", flat=True))
    assert Span.objects.get().error_type == "Lost"


def test_who_sees_the_log_records(project, ids, other_key, key):
    send_span(project, ids)
    send_logs(project, log_record("", **ids, **LINE))
    for path in ("logs", "otlp-logs"):
        url = f"/v1/traces/{ids['trace_id']}/{path}"
        assert Client(headers={"x-bee-authorization": other_key}).get(url).status_code == 404
        assert Client().get(url).status_code == 401
        assert Client(headers={"x-bee-authorization": key}).get(url).status_code == 200
