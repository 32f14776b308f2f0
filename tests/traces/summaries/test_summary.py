"""The summary of a trace from whatever spans are there."""

from dataclasses import replace

from spans.records import ResourceRecord, SpanRecord
from traces.summaries.summary import summarize

START = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000


def row(span_id, parent="", *, at=0, lasts=10, span_type="CHAIN", service="api", **fields):
    return SpanRecord(
        "t",
        span_id,
        parent,
        name=fields.pop("name", span_id),
        span_type=span_type,
        start_time_unix_nano=START + at * MILLISECOND,
        end_time_unix_nano=START + (at + lasts) * MILLISECOND,
        resource=ResourceRecord(service_name=service),
        **fields,
    )


def test_the_root_names_the_trace_wherever_it_stands():
    summary = summarize([row("child", "root", service="worker"), row("root", name="agent run")])
    assert (summary.name, summary.root_span_id, summary.service_name) == ("agent run", "root", "api")


def test_of_several_roots_the_first_to_start_counts():
    assert summarize([row("late", at=5), row("early", at=1), row("x", "late", at=0)]).root_span_id == "early"


def test_without_a_root_the_earliest_span_at_the_top_names_the_trace():
    summary = summarize([row("b", "a", at=0), row("a", "missing", at=1), row("c", "missing", at=2)])
    assert (summary.name, summary.root_span_id) == ("a", "")


def test_an_all_zero_parent_is_no_parent():
    assert summarize([row("a", "0000000000000000")]).root_span_id == "a"


def test_the_duration_reaches_from_the_first_start_to_the_last_end():
    summary = summarize([row("root", lasts=10), row("child", "root", at=5, lasts=50)])
    assert summary.duration_ns == 55 * MILLISECOND


def test_a_start_in_1970_does_not_stretch_the_trace():
    odd = replace(row("odd", "root", at=2, lasts=1), start_time_unix_nano=4_000_000_000)
    summary = summarize([row("root", at=1, lasts=9), odd])
    assert summary.start_time_unix_nano == START + MILLISECOND
    assert summary.duration_ns == 9 * MILLISECOND


def test_a_root_that_says_how_it_ended_decides_the_status_and_every_error_is_counted():
    summary = summarize([row("root", status_code=1), row("child", "root", is_error=True)])
    assert (summary.status, summary.error_count) == ("OK", 1)
    assert summarize([row("root", is_error=True)]).status == "ERROR"


def test_without_a_root_any_error_decides():
    assert summarize([row("a", "missing"), row("b", "missing", is_error=True)]).status == "ERROR"


def test_session_and_user_come_from_the_root_or_else_from_the_first_span_that_has_them():
    rows = [row("root"), row("a", "root", at=1, session_id="s1"), row("b", "root", at=2, session_id="s2", user_id="u")]
    summary = summarize(rows)
    assert (summary.session_id, summary.user_id) == ("s1", "u")
    assert summarize([replace(rows[0], session_id="mine"), *rows[1:]]).session_id == "mine"


def test_the_models_are_those_of_calls_in_order_of_use():
    rows = [
        row("root", span_type="AGENT", request_model="ignored"),
        row("b", "root", at=2, span_type="LLM", request_model="gpt-4o"),
        row("a", "root", at=1, span_type="LLM", request_model="mini", response_model="mini-2024"),
    ]
    assert summarize(rows).model_names == ["mini", "mini-2024", "gpt-4o"]


def test_the_output_is_the_roots():
    rows = [
        row("root", output_preview="final"),
        row("llm", "root", at=1, lasts=99, span_type="LLM", output_preview="x"),
    ]
    assert summarize(rows).output_preview == "final"


def test_without_one_the_output_is_that_of_the_answer_that_ended_last():
    rows = [
        row("root", span_type="UNKNOWN"),
        row("llm1", "root", at=1, lasts=2, span_type="LLM", output_preview="first"),
        row("llm2", "root", at=4, lasts=2, span_type="LLM", output_preview="second"),
        row("tool", "root", at=7, lasts=2, span_type="TOOL", output_preview="a tool's"),
    ]
    assert summarize(rows).output_preview == "second"


def test_what_a_tool_gave_is_a_traces_output_only_where_the_root_is_a_tool():
    tool = row("tool", "root", at=1, span_type="TOOL", output_preview="14.1")
    assert summarize([row("root", span_type="TOOL"), tool]).output_preview == "14.1"
    for span_type in ("CHAIN", "AGENT", "UNKNOWN"):
        assert summarize([row("root", span_type=span_type), tool]).output_preview == ""


def test_without_a_root_input_the_first_call_tells_what_was_asked():
    rows = [
        row("root", span_type="UNKNOWN"),
        row("tool", "root", at=1, span_type="TOOL", input_preview="{}"),
        row("llm", "root", at=2, span_type="LLM", input_preview="question"),
    ]
    assert summarize(rows).input_preview == "question"
