"""What a conversation reads of the calls of a trace, and of their wrappers."""

from uuid import uuid4

import pytest

from spans.semconv import content
from spans.semconv.normalize import MODEL_CALLS
from tests.spans.semconv.test_sdk_payloads import load
from traces.models import Trace
from traces.reading.conversation import chapters
from traces.summaries.summary import summarize


def turns(records):
    """(role, text or name of the tool) of every turn that the records of one trace make."""
    trace = Trace(pk=uuid4(), root_span_id=summarize(records).root_span_id)
    calls = [record for record in records if record.span_type in MODEL_CALLS or record.span_id == trace.root_span_id]
    calls.sort(key=lambda record: record.start_time_unix_nano)
    (chapter,) = chapters([trace], {trace.pk: calls}, lambda _, span: content(span))
    return [
        (turn.message["role"], part.get("text") or part.get("name"))
        for turn in chapter.turns
        for part in turn.message["parts"]
    ]


def with_tools():
    traces = load("vercel-ai-5").values()
    return next(
        records
        for records in sorted(traces, key=lambda records: min(record.start_time_unix_nano for record in records))
        if any(record.span_type == "TOOL" for record in records)
    )


def test_the_wrapper_of_calls_does_not_give_their_answer_before_they_asked_their_tools():
    asked, called, answered, said = turns(with_tools())
    assert (asked[0], called, answered, said) == (
        "user", ("assistant", "get_weather"), ("tool", "get_weather"), ("assistant", "It is sunny in Brno."),
    )  # fmt: skip


def test_a_wrapper_whose_calls_say_nothing_is_read_itself():
    records = with_tools()
    for record in records:
        if "doGenerate" in record.name:
            record.attributes = {}
    assert [role for role, _ in turns(records)] == ["user", "assistant"]


@pytest.mark.parametrize("family", ["vercel-ai-5", "langfuse-5-langchain"])
def test_a_failure_is_told_once(family):
    for records in load(family).values():
        told = [text for role, text in turns(records) if role == "error"]
        assert len(told) == len(set(told))


def test_what_a_user_asked_is_taken_from_the_root_where_no_call_says_it():
    records = next(records for records in load("mastra").values() if records[0].session_id == "s-1")
    assert turns(records) == [("user", "Weather in Brno?"), ("assistant", "It is sunny in Brno. C20")]
