"""GenAI events that come as log records: the same result in whichever order they and their spans arrive."""

import random
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from projects.models import Project
from spans.logs import attach_logs
from spans.models import Span, SpanLog
from spans.semconv import content
from tests.builders import (
    any_value,
    attributes,
    export_request,
    log_record,
    logs_request,
    new_span_id,
    new_trace_id,
    span,
)
from tests.corpus import capture
from traces.ingest.span_logs import attach_pending
from traces.models import Trace
from traces.otlp.logs import export_logs
from traces.otlp.receiver import export
from traces.reading.queries import get_span
from traces.upkeep.deletion import delete_traces
from traces.upkeep.retention import delete_expired

FAMILIES = ["otel-genai-legacy", "otel-genai-latest", "otel-genai-new"]
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def send(project: Project, messages: list[Any]) -> None:
    for message in messages:
        if isinstance(message, ExportTraceServiceRequest):
            export(message, project)
        else:
            assert not export_logs([message], project).HasField("partial_success")


def everything() -> tuple[list[Any], list[Any], list[Any]]:
    """Spans, traces and contents, but for the times at which they came."""
    spans = list(Span.objects.order_by("pk"))
    attach_logs(spans)
    return (
        list(Span.objects.order_by("id").values()),
        list(Trace.objects.order_by("id").values("trace_id", "input_preview", "output_preview", "refresh_due")),
        [content(span) for span in spans],
    )


def orders(family: str) -> dict[str, list[Any]]:
    spans, logs = capture(family).requests, capture(family).log_requests
    mixed = [*spans, *logs, *spans, *logs]
    random.Random(3).shuffle(mixed)
    return {"after": [*spans, *logs], "before": [*logs, *spans], "mixed": mixed}


@pytest.mark.parametrize("order", ["before", "mixed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_log_records_and_spans_may_come_in_any_order(project, family, order):
    send(project, orders(family)["after"])
    expected = everything()
    Span.objects.all().delete()
    Trace.objects.all().delete()
    SpanLog.objects.all().delete()
    send(project, orders(family)[order])
    assert everything() == expected


@pytest.mark.parametrize("order", ["before", "after", "mixed"])
def test_the_messages_of_the_legacy_capture_are_those_that_were_sent(project, order):
    send(project, orders("otel-genai-legacy")[order])
    checked = 0
    for expected in capture("otel-genai-legacy").expected["traces"]:
        trace = Trace.objects.get(trace_id=expected["trace_id"])
        if expected.get("final_output_first_100") and "embeddings" not in expected["scenario"]:
            assert " ".join(trace.output_preview.split()).startswith(
                " ".join(expected["final_output_first_100"].split())[:80]
            ), expected["scenario"]
            checked += 1
    assert checked >= 4


def test_raw_events_stay_as_they_came(project):
    send(project, orders("otel-genai-legacy")["mixed"])
    assert set(map(str, Span.objects.values_list("events", flat=True))) == {"[]"}


def chat_and_log(body: Any = None, **fields: Any) -> tuple[Any, Any]:
    ids = {"trace_id": new_trace_id(), "span_id": new_span_id()}
    log = log_record("gen_ai.user.message", body=body or {"content": "hello"}, **ids, **fields)
    return export_request(span("chat", attrs=CHAT, **ids)), logs_request(log)


@pytest.mark.parametrize("name_in", ["field", "attribute"])
def test_the_event_name_may_be_a_field_or_an_attribute(project, name_in):
    spans, logs = chat_and_log()
    record = logs.resource_logs[0].scope_logs[0].log_records[0]
    if name_in == "attribute":
        record.event_name = ""
        record.attributes.extend(attributes({"event.name": "gen_ai.user.message"}))
    send(project, [spans, logs])
    assert Span.objects.get().input_preview == "hello"


def test_a_body_that_is_a_text_is_the_content(project):
    spans, logs = chat_and_log()
    logs.resource_logs[0].scope_logs[0].log_records[0].body.CopyFrom(any_value("plain"))
    send(project, [logs, spans])
    assert Span.objects.get().input_preview == "plain"


def test_messages_of_one_moment_keep_their_order(project):
    ids = {"trace_id": new_trace_id(), "span_id": new_span_id()}
    texts = [f"text {number}" for number in range(20)]
    logs = [log_record("gen_ai.user.message", body={"content": text}, **ids) for text in texts]
    send(project, [logs_request(*logs), export_request(span(attrs=CHAT, **ids))])
    spans = list(Span.objects.all())
    attach_logs(spans)
    assert [message["parts"][0]["text"] for message in content(spans[0]).input_messages] == texts


@pytest.mark.parametrize(
    "change",
    [{"trace_id": ""}, {"span_id": ""}, {"span_id": "0" * 16}, {"trace_id": "0" * 32}, {"trace_id": "ab"}],
)
def test_log_records_of_no_span_are_not_stored(project, change):
    fields = {"name": "gen_ai.choice", "trace_id": new_trace_id(), "span_id": new_span_id()} | change
    answer = export_logs([logs_request(log_record(**fields))], project)
    assert (answer.partial_success.rejected_log_records, SpanLog.objects.count()) == (0, 0)


def test_an_event_whose_time_no_column_holds_is_rejected_and_the_others_stored(project):
    _, logs = chat_and_log()
    logs.resource_logs[0].scope_logs[0].log_records.append(
        log_record("gen_ai.choice", trace_id=new_trace_id(), span_id=new_span_id(), time_ns=2**63)
    )
    partial = export_logs([logs], project).partial_success
    assert (partial.rejected_log_records, SpanLog.objects.count()) == (1, 1)
    assert "time" in partial.error_message


def test_the_same_request_again_adds_nothing_and_moves_nothing(project):
    spans, logs = chat_and_log()
    send(project, [spans, logs])
    before = list(SpanLog.objects.values()), Trace.objects.get().refreshed_at
    send(project, [logs])
    assert (list(SpanLog.objects.values()), Trace.objects.get().refreshed_at) == before


def test_nul_characters_are_replaced(project):
    spans, logs = chat_and_log({"content": "a\x00b"})
    send(project, [spans, logs])
    assert Span.objects.get().input_preview == "a\ufffdb"


def test_a_deleted_trace_takes_its_log_records_along(project):
    kept = chat_and_log()
    spans, logs = chat_and_log()
    send(project, [spans, logs, *kept])
    delete_traces(Trace.objects.filter(trace_id=spans.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()))
    assert SpanLog.objects.count() == Trace.objects.count() == 1


def test_projects_with_the_same_trace_id_stay_apart(project, other_project):
    spans, logs = chat_and_log()
    send(project, [spans, logs])
    send(other_project, [spans])
    assert sorted(Span.objects.values_list("input_preview", flat=True)) == ["", "hello"]


def test_what_came_while_its_first_spans_were_being_stored_is_attached_soon(project):
    """The state that two transactions leave which did not see each other."""
    spans, logs = chat_and_log()
    send(project, [spans, logs])
    Span.objects.update(input_preview="")
    Trace.objects.update(input_preview="")
    SpanLog.objects.update(pending=True)
    assert attach_pending() == 1
    assert Span.objects.get().input_preview == Trace.objects.get().input_preview == "hello"
    assert attach_pending() == 0
    assert not SpanLog.objects.filter(pending=True).exists()


def test_log_records_without_a_trace_are_looked_at_for_some_minutes_only(project):
    _, logs = chat_and_log()
    send(project, [logs])
    attach_pending()
    assert SpanLog.objects.get().pending
    SpanLog.objects.update(received_at="2020-01-01T00:00:00Z")
    attach_pending()
    assert not SpanLog.objects.get().pending


@pytest.mark.parametrize("count", [1, 50])
def test_storing_spans_looks_for_log_records_once(project, count):
    trace_id = new_trace_id()
    request = export_request(*(span(trace_id=trace_id, attrs=CHAT) for _ in range(count)))
    with CaptureQueriesContext(connection) as queries:
        export(request, project)
    assert sum("spans_spanlog" in query["sql"] for query in queries) == 1


# Reading


def test_the_api_and_the_trace_page_show_the_messages(project, key, client, admin_client):
    spans, logs = chat_and_log()
    send(project, [logs, spans])
    sent = spans.resource_spans[0].scope_spans[0].spans[0]
    trace_id, span_id = sent.trace_id.hex(), sent.span_id.hex()
    message = {"role": "user", "parts": [{"type": "text", "text": "hello"}]}
    for path in (f"/v1/traces/{trace_id}/spans", f"/v1/traces/{trace_id}/spans/{span_id}"):
        found = client.get(path, headers={"x-bee-authorization": key}).json()
        row = found["results"][0] if "results" in found else found["result"]
        assert row["input_messages"] == [message], path
        assert row["input"] == "hello"
        assert row["normalization"]["input_messages"]["rule"] == "otel_genai.input_messages"
    trace = client.get(f"/v1/traces/{trace_id}", headers={"x-bee-authorization": key}).json()["result"]
    assert trace["input"] == "hello"
    otlp = client.get(f"/v1/traces/{trace_id}/otlp", headers={"x-bee-authorization": key}).content
    assert b"hello" not in otlp
    pk = Trace.objects.get().pk
    assert "hello" in admin_client.get(f"/admin/traces/trace/{pk}/spans/{span_id}/").content.decode()


def test_log_records_whose_trace_never_came_expire(project):
    send(project, [chat_and_log()[1]])
    delete_expired()
    assert SpanLog.objects.count() == 1
    SpanLog.objects.update(received_at="2020-01-01T00:00:00Z")
    delete_expired()
    assert SpanLog.objects.count() == 0


@pytest.fixture
def loaded():
    """Every SpanLog that is made or read from the database."""
    found: list[SpanLog] = []

    def note(instance: SpanLog, **_: Any) -> None:
        found.append(instance)

    post_init.connect(note, sender=SpanLog)
    yield found
    post_init.disconnect(note, sender=SpanLog)


def test_a_log_record_costs_the_same_however_many_other_spans_of_its_trace_have_some(project, loaded):
    trace_id = new_trace_id()
    span_ids = [new_span_id() for _ in range(20)]
    export(export_request(*(span(trace_id=trace_id, span_id=span_id) for span_id in span_ids)), project)
    costs = []
    for span_id in span_ids:
        loaded.clear()
        export_logs([logs_request(log_record("gen_ai.user.message", trace_id=trace_id, span_id=span_id))], project)
        costs.append(len(loaded))
    assert costs == [2] * 20


def test_a_span_costs_the_same_however_many_other_spans_of_its_trace_have_log_records(project, loaded):
    trace_id = new_trace_id()
    span_ids = [new_span_id() for _ in range(20)]
    for span_id in span_ids:
        export_logs([logs_request(log_record("gen_ai.user.message", trace_id=trace_id, span_id=span_id))], project)
    for span_id in span_ids:
        loaded.clear()
        export(export_request(span(trace_id=trace_id, span_id=span_id)), project)
        assert [log.span_id for log in loaded] == [span_id]


def test_reading_a_span_reads_its_own_log_records_only(project, loaded):
    trace_id = new_trace_id()
    span_ids = [new_span_id() for _ in range(5)]
    export(export_request(*(span(trace_id=trace_id, span_id=span_id) for span_id in span_ids)), project)
    for span_id in span_ids:
        export_logs([logs_request(log_record("gen_ai.user.message", trace_id=trace_id, span_id=span_id))], project)
    loaded.clear()
    assert len(get_span(Trace.objects.get(), span_ids[2]).logs) == 1
    assert [log.span_id for log in loaded] == [span_ids[2]]
