"""Every field of the protocol has a bound: what is longer is cut, the span says so, and lists stay short."""

import pytest
from django.db import connection

from projects.models import ApiKey
from spans.models import Span, SpanLog
from spans.semconv.fields import stored_id
from tests.builders import export_request, log_record, logs_request, new_span_id, new_trace_id, span
from tests.traces.otlp.large_fields import requests_with
from traces.models import RejectedSpans, Trace
from traces.otlp.errors import OtlpError
from traces.otlp.logs import export_logs
from traces.otlp.receiver import export

BOUND = 4096
LARGE = "ü" * 200_000


def stored(request, project) -> Span:
    export(request, project)
    return Span.objects.get()


PATHS = {name: request for name, path, request in requests_with(LARGE) if path == "/v1/traces"}


@pytest.mark.parametrize("name", PATHS)
def test_no_column_but_the_spans_own_content_holds_more_than_its_bound(project, name):
    response = export(PATHS[name], project)
    if response.partial_success.rejected_spans:
        assert len(bytes(RejectedSpans.objects.get().request)) < 1024 * 1024
        return
    row = Span.objects.values().get()
    long = {
        column: len(str(value).encode())
        for column, value in row.items()
        if len(str(value).encode()) > {"session_id": 3 * BOUND, "user_id": 3 * BOUND}.get(column, BOUND)
        and column not in {"attributes", "events", "links"}
    }
    assert {column for column in long if long[column] > 8 * BOUND} == set()
    assert set(long) <= {"resource", "scope"}
    trace = Trace.objects.values().get()
    assert max(len(str(value).encode()) for value in trace.values()) <= 3 * BOUND
    is_value = name.startswith("resource_spans.scope_spans.spans.") and ".attributes.value." in name
    if not (is_value or name.startswith(("span attribute", "event attribute"))):
        assert any("cut to" in warning or "dropped" in warning for warning in row["warnings"]), row["warnings"]


@pytest.mark.parametrize("field", ["name", "trace_state"])
def test_texts_of_a_span_are_cut_to_whole_characters(project, field):
    one = span(**{field: LARGE}) if field == "name" else span(trace_state=LARGE)
    row = stored(export_request(one), project)
    assert getattr(row, field) == "ü" * (BOUND // 2)
    assert row.warnings == [f"{field}: cut to {BOUND} bytes"]


def test_texts_within_the_bound_stay_as_they_are(project):
    name = "ü" * (BOUND // 2)
    row = stored(export_request(span(name), service=name, scope=name), project)
    assert (row.name, row.service_name, row.scope_name, row.warnings) == (name, name, name, [])


def test_a_status_message_is_cut_and_counted_as_cut(project):
    one = span()
    one.status.message = "E" * 10_000
    row = stored(export_request(one), project)
    assert len(row.status_message) == BOUND
    assert project.receipts.get().spans_cut == 1


def test_ids_that_differ_only_at_their_ends_stay_two(project):
    ids = [LARGE + "1", LARGE + "2"]
    for identifier in ids:
        export(export_request(span(attrs={"session.id": identifier, "user.id": identifier})), project)
    rows = {row.attributes["session.id"]: row for row in Span.objects.all()}
    assert set(rows) == set(ids)
    assert len({row.session_id for row in rows.values()}) == len({row.user_id for row in rows.values()}) == 2
    for identifier, row in rows.items():
        assert row.session_id == row.user_id == stored_id(identifier) == stored_id(row.session_id)
        assert len(row.session_id.encode()) <= 3 * BOUND
        assert row.session_id.startswith("üüü")
        assert [warning.split(":")[0] for warning in row.warnings] == ["session_id", "user_id"]


def test_a_long_id_is_found_as_it_was_sent_and_as_it_is_shown(client, project, key):
    identifier = "z" * 20_000
    export(export_request(span(attrs={"session.id": identifier})), project)
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    for asked in (identifier, stored_id(identifier)):
        assert len(client.get("/v1/traces", {"session_id": asked}).json()["results"]) == 1
        assert len(client.get("/v1/spans", {"session_id": asked}).json()["results"]) == 1
        assert client.get("/v1/sessions", {"id": asked}).json()["results"][0]["trace_count"] == 1


def test_a_resource_keeps_its_small_attributes_and_says_what_it_lost(project):
    large = {f"big.{number}": "x" * 4000 for number in range(10)}
    row = stored(export_request(span(), resource=large | {"host.name": "h", "args": "y" * 50_000}), project)
    kept = row.resource["attributes"]
    assert kept["service.name"] == "test-service"
    assert kept["host.name"] == "h"
    assert row.service_name == "test-service"
    assert len(str(row.resource).encode()) < 5 * BOUND
    assert row.resource["dropped_attributes_count"] == 12 - len(kept) + 1 > 1
    assert "resource: 1 value cut to 4096 bytes" in row.warnings
    assert project.receipts.get().spans_cut == 1


def test_keys_that_differ_only_at_their_ends_stay_two(project):
    row = stored(export_request(span(attrs={LARGE + "1": 1, LARGE + "2": 2, "a": 3})), project)
    assert sorted(row.attributes.values()) == [1, 2, 3]
    assert max(len(key.encode()) for key in row.attributes) <= BOUND
    assert row.warnings == ["attributes: 2 keys cut to 4096 bytes"]


def test_a_trace_names_the_first_of_very_many_models(project):
    trace_id = new_trace_id()
    chat = {"gen_ai.operation.name": "chat"}
    spans = [
        span(trace_id=trace_id, start_ns=10**18 + number, attrs=chat | {"gen_ai.request.model": f"m{number:04}"})
        for number in range(300)
    ]
    export(export_request(*reversed(spans)), project)
    assert Trace.objects.get().model_names == [f"m{number:04}" for number in range(50)]


def test_resources_that_would_be_stored_thousands_of_times_are_refused(project, settings):
    settings.MAX_BODY_BYTES = 10_000
    with pytest.raises(OtlpError, match="bytes of resources and scopes"):
        export(export_request(*(span() for _ in range(20)), resource={"a": "x" * 4000}), project)
    assert not Span.objects.exists()


def test_log_records_are_cut_too(project):
    trace_id, span_id = new_trace_id(), new_span_id()
    record = log_record("gen_ai." + LARGE, trace_id=trace_id, span_id=span_id, body=LARGE, attrs={LARGE: "a"})
    export_logs([logs_request(record)], project)
    row = SpanLog.objects.get()
    assert len(row.name.encode()) <= BOUND
    assert max(len(key.encode()) for key in row.attributes) <= BOUND
    assert row.body == LARGE


def test_lists_stay_short_over_rows_that_were_stored_before(client, project, admin_client):
    """Such rows came before names had a bound; reading a list of them reads their beginnings."""
    texts = {"name": LARGE, "service_name": LARGE, "session_id": LARGE, "user_id": LARGE}
    for _ in range(3):
        export(export_request(span()), project)
    Trace.objects.update(**texts)
    Span.objects.update(
        **texts, scope_name=LARGE, status_message=LARGE, trace_state=LARGE, parent_span_id="ab" * 50_000
    )
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {ApiKey.objects.issue(project, 'k')[1]}"
    for path in ("/v1/traces?limit=100", "/v1/spans?limit=100", "/v1/sessions", "/v1/users"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert len(answer.content) < 400_000, path
    trace = Trace.objects.first()
    for path in (
        "/admin/",
        "/admin/traces/trace/",
        "/admin/spans/span/",
        "/admin/traces/session/",
        "/admin/traces/enduser/",
        f"/admin/traces/trace/{trace.pk}/change/",
        f"/admin/traces/trace/{trace.pk}/delete/",
    ):
        answer = admin_client.get(path)
        assert answer.status_code == 200, path
        assert len(answer.content) < 400_000, path


def test_a_version_that_is_as_long_as_the_stored_one_is_compared_by_its_content(project):
    trace_id, span_id = new_trace_id(), new_span_id()
    for name, expected in (("bbb", "bbb"), ("aaa", "bbb"), ("ccc", "ccc"), ("ccc", "ccc")):
        export(export_request(span(name, trace_id=trace_id, span_id=span_id)), project)
        assert Span.objects.get().name == expected


def test_small_spans_that_meet_large_ones_do_not_read_them(project):
    trace_id, ids = new_trace_id(), [new_span_id() for _ in range(20)]
    export(export_request(*(span(trace_id=trace_id, span_id=one, attrs={"a": LARGE}) for one in ids)), project)
    with connection.execute_wrapper(_refuse_content):
        export(export_request(*(span(trace_id=trace_id, span_id=one) for one in ids)), project)
    assert Span.objects.first().attributes == {"a": LARGE}


def _refuse_content(execute, sql, params, many, context):
    """Fails on a statement that selects attributes themselves, not their length."""
    assert "CONVERT_TO" not in sql
    assert not ("AS BLOB) AS" in sql and "LENGTH" not in sql)
    return execute(sql, params, many, context)


def test_a_list_of_traces_reads_no_very_long_framework_request(client, project, key):
    """The list shows what a framework's run was asked and answered; one that is too long has its preview only."""
    runs = {"short": "hello", "long": "x" * 300_000}
    for run, prompt in runs.items():
        attrs = {"traceId": run, "prompt": prompt, "response": '{"text": "hi"}'}
        one = span("beeai-framework-main", attrs=attrs)
        export(export_request(one, scope="beeai-framework"), project)
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    answer = client.get("/v1/traces?limit=100")
    assert len(answer.content) < 20_000
    listed = {trace["framework_trace_id"]: trace for trace in answer.json()["results"]}
    assert set(listed) == set(runs)
    assert listed["short"]["request"]["message"] == "hello"
    assert listed["short"]["response"] == {"text": "hi"}
    assert listed["long"]["request"]["message"] == listed["long"]["input"]
    assert len(client.get("/v1/traces/long").json()["result"]["request"]["message"]) == 300_000
