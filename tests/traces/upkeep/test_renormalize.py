"""Stored spans follow the tables, and nothing else moves."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from spans.columns import USAGE_PART_NAMES
from spans.models import Span
from tests.builders import export_request, log_record, logs_request, new_span_id, new_trace_id, span
from traces.models import Trace
from traces.otlp.logs import export_logs
from traces.otlp.receiver import export
from traces.summaries.summary import SUMMARY_COLUMNS
from traces.upkeep.renormalize import COLUMNS, READ, renormalize

CALL = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 10,
    "llm.token_count.completion": 5,
    "input.value": "question",
    "output.value": "answer",
    "session.id": "s1",
}


def stored(*rows):
    return list(Span.objects.order_by("id").values(*rows, "counted"))


def send(project, count=3):
    trace_id, root = new_trace_id(), new_span_id()
    spans = [span("root", trace_id=trace_id, span_id=root)]
    spans += [span(f"call {n}", trace_id=trace_id, parent_span_id=root, attrs=CALL) for n in range(count)]
    export(export_request(*spans), project)
    return Trace.objects.get(trace_id=trace_id)


def test_what_older_tables_left_becomes_what_the_tables_say_now(project):
    trace = send(project)
    right, totals = stored(*COLUMNS), (trace.input_tokens, trace.session_id, trace.output_preview)
    Span.objects.update(
        span_type="UNKNOWN",
        request_model="",
        input_tokens=None,
        cost_usd=1,
        session_id="",
        output_preview="old",
        counted=False,
    )
    Trace.objects.update(input_tokens=None, session_id="", output_preview="old")
    done = renormalize([trace.pk])
    trace.refresh_from_db()
    assert (done.spans, done.changed) == (4, 4)
    assert stored(*COLUMNS) == right
    assert (trace.input_tokens, trace.session_id, trace.output_preview) == totals


def test_counts_and_prices_of_older_tables_are_mended_with_the_totals(project):
    """As they were before thoughts and caches beside the counts were added, and before parts had columns."""
    trace_id = new_trace_id()
    gemini = {
        "openinference.span.kind": "LLM", "llm.provider": "google", "llm.model_name": "gemini-2.5-pro",
        "llm.token_count.prompt": 1200, "llm.token_count.completion": 300, "llm.token_count.total": 4500,
    }  # fmt: skip
    cached = CALL | {"llm.token_count.prompt_details.cache_read": 4, "llm.token_count.completion_details.reasoning": 3}
    unknown = CALL | {"llm.model_name": "our-own"}
    spans = [span("call", trace_id=trace_id, attrs=attrs) for attrs in (gemini, cached, unknown)]
    export(export_request(*spans), project)
    columns = (*SUMMARY_COLUMNS, "id")
    right, totals = stored(*COLUMNS), Trace.objects.values(*columns).get()
    assert (totals["output_tokens"], totals["cached_input_tokens"], totals["reasoning_tokens"]) == (3310, 4, 3)
    assert totals["unpriced_calls"] == 1
    nothing = dict.fromkeys(USAGE_PART_NAMES)
    Span.objects.filter(request_model="gemini-2.5-pro").update(output_tokens=300, cost_usd="0.0045")
    Span.objects.update(**nothing, unpriced_reason="")
    Trace.objects.update(**nothing, output_tokens=310, unpriced_calls=0)
    assert renormalize([totals["id"]]).changed == 3
    assert (stored(*COLUMNS), Trace.objects.values(*columns).get()) == (right, totals)


def test_a_second_run_writes_nothing(project):
    trace = send(project)
    renormalize([trace.pk])
    before = stored(*COLUMNS, *READ)
    refreshed_at = Trace.objects.get().refreshed_at
    assert renormalize([trace.pk]).changed == 0
    assert stored(*COLUMNS, *READ) == before
    assert Trace.objects.get().refreshed_at == refreshed_at


def test_only_spans_that_differ_are_written(project):
    trace = send(project)
    one = Span.objects.filter(name="call 1").get()
    Span.objects.filter(pk=one.pk).update(tool_name="wrong")
    assert renormalize([trace.pk]).changed == 1


def test_the_raw_columns_stay_as_they_came(project):
    trace = send(project)
    before = list(Span.objects.order_by("id").values("attributes", "events", "links", "resource", "scope", "name"))
    Span.objects.update(span_type="TOOL")
    renormalize([trace.pk])
    assert (
        list(Span.objects.order_by("id").values("attributes", "events", "links", "resource", "scope", "name")) == before
    )


@pytest.mark.parametrize("count", [1, 50])
def test_the_number_of_queries_does_not_grow_with_the_spans(project, count, django_assert_max_num_queries):
    trace = send(project, count)
    with django_assert_max_num_queries(10):
        renormalize([trace.pk])


def test_the_command_takes_a_project_or_goes_on_after_a_key(project, other_project, capsys):
    first = sorted([send(project), send(project)], key=lambda trace: trace.pk)[0]
    send(other_project)
    Span.objects.update(span_type="TOOL")
    call_command("renormalizespans", project=project.slug, after=str(first.pk))
    assert "4 spans of 1 traces looked at, 4 changed." in capsys.readouterr().out
    assert Span.objects.filter(span_type="TOOL").count() == 8
    call_command("renormalizespans")
    assert "12 spans of 3 traces looked at, 8 changed." in capsys.readouterr().out


def test_the_command_refuses_what_is_not_there(db):
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("renormalizespans", project="nowhere")
    with pytest.raises(CommandError, match="No such trace"):
        call_command("renormalizespans", "0" * 32)


def test_a_dry_run_counts_by_column_and_writes_nothing(project, capsys):
    send(project)
    Span.objects.update(span_type="TOOL")
    Span.objects.filter(name="call 1").update(input_tokens=1)
    call_command("renormalizespans", dry_run=True)
    said = capsys.readouterr().out
    assert "4 would change" in said
    assert "span_type: 4" in said
    assert "input_tokens: 1" in said
    assert Span.objects.filter(span_type="TOOL").count() == 4


def test_the_command_can_be_limited_to_late_arrivals(project, capsys):
    send(project)
    Trace.objects.update(created_at="2020-01-01T00:00:00Z")
    send(project)
    call_command("renormalizespans", since="2021-01-01")
    assert "of 1 traces" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no ISO 8601"):
        call_command("renormalizespans", since="yesterday")


def test_a_run_that_finds_nothing_only_reads(project):
    trace = send(project)
    with CaptureQueriesContext(connection) as queries:
        renormalize([trace.pk])
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}


def test_messages_from_log_records_stay(project):
    ids = {"trace_id": new_trace_id(), "span_id": new_span_id()}
    export(export_request(span(attrs={"gen_ai.operation.name": "chat"}, **ids)), project)
    export_logs([logs_request(log_record("gen_ai.user.message", body={"content": "hello"}, **ids))], project)
    trace = Trace.objects.get()
    assert renormalize([trace.pk]).changed == 0
    Span.objects.update(input_preview="")
    assert renormalize([trace.pk]).changed == 1
    assert Span.objects.get().input_preview == "hello"
