"""When a trace failed: any failed root, and a silent root whose calls all did."""

import itertools

from spans.records import SpanRecord
from traces.summaries.outcome import trace_failed
from traces.summaries.summary import summarize

CLIENT, SERVER = 3, 2
UNSET, OK = 0, 1


def row(span_id, parent="", **fields):
    return SpanRecord("t", span_id, parent, start_time_unix_nano=10**18, end_time_unix_nano=10**18 + 1, **fields)


def failed(*rows):
    """The same in every order."""
    found = {
        trace_failed(order, [row for row in order if not row.parent_span_id]) for order in itertools.permutations(rows)
    }
    assert {summarize(order).status == "ERROR" for order in itertools.permutations(rows)} == found
    (only,) = found
    return only


def test_any_failed_root_fails_the_trace():
    assert failed(row("a"), row("b"), row("c", is_error=True))
    assert not failed(row("a", status_code=OK), row("b", "a", is_error=True), row("c", status_code=OK))


def test_without_a_root_any_failed_span_does():
    assert failed(row("a", "gone"), row("b", "gone", is_error=True))


def test_a_request_fails_with_its_only_call():
    root = row("root", kind=SERVER, status_code=UNSET)
    call = row("call", "root", span_type="CHAT_MODEL", kind=CLIENT, is_error=True, error_type="429")
    assert failed(root, call)
    assert failed(root, call, row("again", "root", span_type="CHAT_MODEL", is_error=True))
    assert failed(root, row("step", "root"), row("call", "step", span_type="LLM", is_error=True))


def test_a_request_of_which_one_call_worked_did_not_fail():
    root = row("root", kind=SERVER, status_code=UNSET)
    call = row("call", "root", span_type="CHAT_MODEL", is_error=True)
    assert not failed(root, call, row("fallback", "root", span_type="CHAT_MODEL"))
    assert not failed(root, call, row("query", "root", kind=CLIENT))


def test_a_root_that_says_how_it_ended_is_believed():
    call = row("call", "root", span_type="CHAT_MODEL", is_error=True)
    assert not failed(row("root", status_code=OK), call)
    assert not failed(row("root", output_preview="Sorry, try later."), call)


def test_of_plain_requests_an_answer_of_not_found_fails_nobody_and_a_refusal_does():
    root = row("root", kind=SERVER)
    assert not failed(root, row("get", "root", kind=CLIENT, is_error=True, error_type="404"))
    assert not failed(root, row("get", "root", kind=CLIENT, is_error=True))
    for refusal in ("429", "503", "ConnectionError", "timeout"):
        assert failed(root, row("get", "root", kind=CLIENT, is_error=True, error_type=refusal))


def test_the_insides_of_a_call_are_its_own_affair():
    root = row("root", kind=SERVER)
    router = row("router", "root", span_type="LLM")
    assert not failed(root, router, row("first", "router", span_type="LLM", is_error=True))


def test_a_cycle_of_parents_ends():
    loop = [row("a", "b", is_error=True), row("b", "a")]
    assert not failed(row("root"), *loop)
