"""Each call counts once, whoever reports it, in any order and from any part of a trace."""

import random
from decimal import Decimal

import pytest

from spans.records import ScopeRecord, SpanRecord
from traces.summaries.usage import NO_USAGE, count_usage

START = 1_700_000_000_000_000_000


def row(
    span_id,
    parent="",
    span_type="LLM",
    tokens=None,
    *,
    name="",
    cost=None,
    scope="sdk",
    model="gpt-4o",
    at=0,
    lasts=100,
    **parts,
):
    """A span with `tokens` = (input, output); `at` and `lasts` in milliseconds."""
    given, got = tokens if tokens is not None else (None, None)
    return SpanRecord(
        "t",
        span_id,
        parent,
        name,
        span_type=span_type,
        input_tokens=given,
        output_tokens=got,
        cost_usd=None if cost is None else Decimal(cost),
        scope=ScopeRecord(name=scope),
        request_model=model,
        start_time_unix_nano=START + at * 1_000_000,
        end_time_unix_nano=START + (at + lasts) * 1_000_000,
        **parts,
    )


def test_a_call_counts():
    usage = count_usage([row("a", tokens=(10, 5), cost="0.5")])
    assert (usage.input_tokens, usage.output_tokens, usage.cost_usd) == (10, 5, Decimal("0.5"))
    assert usage.counted == {"a"}
    assert usage.reason("a").startswith("counted")


def test_a_trace_without_usage_has_no_totals():
    usage = count_usage([row("a"), row("b", "a")])
    assert (usage.input_tokens, usage.output_tokens, usage.cost_usd, usage.counted) == (None, None, None, frozenset())
    assert usage.reason("a") == NO_USAGE


def test_a_wrapper_of_the_same_call_does_not_count():
    usage = count_usage([row("outer", tokens=(10, 5)), row("inner", "outer", tokens=(10, 5))])
    assert usage.counted == {"inner"}
    assert usage.reason("outer") == "not counted: span inner inside it reports the usage of the same model call"


def test_a_wrapper_is_found_through_spans_between():
    rows = [row("outer", tokens=(9, 9)), row("step", "outer", "CHAIN"), row("inner", "step", "CHAT_MODEL", (10, 5))]
    assert count_usage(rows).counted == {"inner"}


def test_a_wrapper_counts_while_the_call_inside_reports_nothing():
    assert count_usage([row("outer", tokens=(10, 5)), row("inner", "outer")]).counted == {"outer"}


def test_a_wrapper_counts_while_the_call_inside_reports_zeros():
    usage = count_usage([row("outer", tokens=(10, 5)), row("inner", "outer", tokens=(0, 0))])
    assert (usage.input_tokens, usage.output_tokens) == (10, 5)


def test_the_sum_on_an_agent_does_not_count_beside_its_calls():
    rows = [row("agent", "", "AGENT", (30, 15)), row("a", "agent", tokens=(10, 5)), row("b", "agent", tokens=(20, 10))]
    usage = count_usage(rows)
    assert (usage.input_tokens, usage.output_tokens) == (30, 15)
    assert usage.counted == {"a", "b"}
    assert usage.reason("agent") == "not counted: its sum is made of spans below it, such as a"


def test_the_sum_on_an_agent_counts_where_no_call_reports():
    usage = count_usage([row("agent", "", "AGENT", (30, 15)), row("a", "agent")])
    assert usage.counted == {"agent"}
    assert usage.reason("agent") == "counted: no span below it reports usage"


def test_sums_of_nested_agents_count_once():
    rows = [row("outer", "", "AGENT", (30, 15)), row("inner", "outer", "AGENT", (30, 15)), row("c", "inner", "CHAIN")]
    assert count_usage(rows).counted == {"inner"}


def test_an_embedding_inside_a_model_call_is_a_call_of_its_own():
    usage = count_usage([row("llm", tokens=(10, 5)), row("embedding", "llm", "EMBEDDING", (3, None))])
    assert (usage.input_tokens, usage.output_tokens) == (13, 5)


def test_an_embedding_has_no_output_tokens_rather_than_unknown_ones():
    usage = count_usage([row("e", "", "EMBEDDING", (3, None))])
    assert (usage.input_tokens, usage.output_tokens) == (3, 0)


def test_what_a_tool_asks_of_a_model_is_no_part_of_the_call_that_asked_for_the_tool():
    rows = [
        row("outer", tokens=(10, 5)),
        row("tool", "outer", "TOOL"),
        row("agent", "tool", "AGENT", (7, 3)),
        row("inner", "agent", tokens=(7, 3)),
    ]
    usage = count_usage(rows)
    assert usage.counted == {"outer", "inner"}
    assert (usage.input_tokens, usage.output_tokens) == (17, 8)


def test_the_sum_on_an_agent_does_not_count_beside_the_calls_of_its_tools():
    rows = [row("agent", "", "AGENT", (7, 3)), row("tool", "agent", "TOOL"), row("inner", "tool", tokens=(7, 3))]
    assert count_usage(rows).counted == {"inner"}


def test_a_twin_may_count_what_its_stream_began_with():
    native = row("native", "p", tokens=(400, 310), scope="sdk", at=1, lasts=98)
    assert count_usage([native, row("twin", "p", tokens=(400, 311), scope="y", at=0, lasts=100)]).counted == {"native"}
    other = row("other", "p", tokens=(400, 350), scope="y", at=0, lasts=100)
    assert count_usage([native, other]).counted == {"native", "other"}


def test_a_report_of_a_stream_that_has_ended_is_a_twin():
    native = row("native", "p", tokens=(400, 310), scope="sdk", lasts=100)
    report = row("report", "p", tokens=(400, 310), scope="logfire", at=180, lasts=0)
    assert count_usage([native, report]).counted == {"report"}
    for other in ({"at": 1200, "lasts": 0}, {"at": 180, "lasts": 1}, {"at": 180, "lasts": 0, "scope": "sdk"}):
        another = row("another", "p", tokens=(400, 310), **{"scope": "logfire", **other})
        assert count_usage([native, another]).counted == {"native", "another"}


def test_a_record_of_a_call_beside_it_does_not_count():
    call = row("call", "agent", tokens=(10, 5))
    usage = count_usage([call, row("record", "agent", "CHAIN", (10, 5)), row("agent", "", "AGENT")])
    assert usage.counted == {"call"}
    assert usage.reason("record") == "not counted: span call beside it is the call that it records"
    assert count_usage([call, row("own", "agent", "CHAIN", (11, 5))]).counted == {"call", "own"}


def test_usage_inside_a_counted_call_does_not_count():
    usage = count_usage([row("llm", tokens=(10, 5)), row("http", "llm", "UNKNOWN", (10, 5))])
    assert usage.counted == {"llm"}
    assert usage.reason("http") == "not counted: span llm around it is a counted call"


def test_siblings_of_two_instrumentations_that_watched_the_same_call_count_once():
    rows = [
        row("agent", "", "AGENT"),
        row("native", "agent", tokens=(23, 11), scope="sdk", at=1, lasts=98),
        row("watcher", "agent", tokens=(23, 11), scope="openinference", at=0, lasts=100),
    ]
    usage = count_usage(rows)
    assert usage.counted == {"native"}
    assert "another instrumentation" in usage.reason("watcher")


@pytest.mark.parametrize(
    "other",
    [
        {"scope": "sdk"},
        {"tokens": (24, 11)},
        {"model": "claude-sonnet-4"},
        {"at": 200},
        {"at": 50, "lasts": 100},
    ],
)
def test_siblings_that_differ_in_more_than_their_instrumentation_both_count(other):
    twin = {"tokens": (23, 11), "scope": "openinference", "at": 1, "lasts": 98} | other
    rows = [row("a", "p", tokens=(23, 11), at=0, lasts=100), row("b", "p", **twin)]
    assert count_usage(rows).counted == {"a", "b"}


def turn(*calls, total, parent="turn", **of_sum):
    """Calls one after the other, and beside them the sum of the turn, which calls itself a call."""
    rows = [row(f"c{n}", parent, tokens=call, name="call", at=n * 100, lasts=90) for n, call in enumerate(calls)]
    sums = {"name": "usage", "at": 0, "lasts": len(calls) * 100} | of_sum
    return [*rows, row("sum", "turn", tokens=total, **sums)]


def test_the_sum_of_a_turn_that_calls_itself_a_call_does_not_count_beside_its_calls():
    usage = count_usage(turn((10_000, 100), (11_000, 60), total=(21_000, 160)))
    assert (usage.counted, usage.input_tokens) == ({"c0", "c1"}, 21_000)
    assert usage.reason("sum") == "not counted: it has the sum of spans beside it, such as c0"


def test_the_sum_of_a_turn_of_one_call_does_not_count():
    assert count_usage(turn((10, 5), total=(10, 5))).counted == {"c0"}


def test_a_sum_is_found_beside_the_step_that_has_the_calls():
    rows = [*turn((10, 5), (20, 6), total=(30, 11), parent="step"), row("step", "turn", "CHAIN")]
    assert count_usage(rows).counted == {"c0", "c1"}


def test_a_sum_that_is_noted_afterwards_does_not_count():
    assert count_usage(turn((10, 5), (20, 6), total=(30, 11), at=250, lasts=0)).counted == {"c0", "c1"}


def test_each_turn_of_several_beside_each_other_has_its_sum():
    first = turn((10, 5), (20, 6), total=(30, 11))
    second = [row("d0", "turn", tokens=(7, 3), name="call", at=300, lasts=90)]
    rows = [*first, *second, row("sum2", "turn", tokens=(7, 3), name="usage", at=290, lasts=110)]
    assert count_usage(rows).counted == {"c0", "c1", "d0"}


@pytest.mark.parametrize(
    ("total", "of_sum"),
    [
        ((30, 12), {}),
        ((31, 11), {}),
        ((30, 11), {"name": "call"}),
        ((20, 6), {"at": 150, "lasts": 60}),
        ((20, 6), {"at": 100, "lasts": 90}),
        ((20, 6), {"model": "claude-sonnet-4-5"}),
    ],
)
def test_what_is_no_sum_of_the_calls_before_it_counts(total, of_sum):
    assert "sum" in count_usage(turn((10, 5), (20, 6), total=total, **of_sum)).counted


def test_parts_add_up_over_counted_spans_that_report_them():
    rows = [
        row("outer", tokens=(30, 11), cached_input_tokens=99),
        row("a", "outer", tokens=(10, 5), cached_input_tokens=4, reasoning_tokens=0),
        row("b", "outer", tokens=(20, 6), cached_input_tokens=8),
    ]
    assert count_usage(rows).parts == {"cached_input_tokens": 12, "reasoning_tokens": 0}


def test_counted_calls_without_a_cost_are_counted():
    usage = count_usage([row("a", tokens=(1, 1), cost="0.1"), row("b", tokens=(1, 1)), row("c", tokens=(0, 0))])
    assert usage.unpriced_spans == 1


def test_retries_count_each():
    rows = [row(f"try{n}", "chain", tokens=(10, 0), at=n * 100) for n in range(3)] + [row("chain", "", "CHAIN")]
    assert count_usage(rows).input_tokens == 30


def test_costs_add_up_over_counted_spans_and_say_how_many_were_priced():
    rows = [
        row("outer", tokens=(10, 5), cost="9"),
        row("inner", "outer", tokens=(10, 5), cost="0.1"),
        row("b", "", tokens=(1, 1), cost="0.2"),
        row("unpriced", "", tokens=(1, 1)),
    ]
    usage = count_usage(rows)
    assert usage.cost_usd == Decimal("0.3")
    assert (usage.priced_spans, len(usage.counted)) == (2, 3)


def test_an_unknown_cost_is_not_zero():
    assert count_usage([row("a", tokens=(1, 1))]).cost_usd is None


def test_a_call_whose_parent_never_came_counts():
    rows = [row("inner", "missing", tokens=(10, 5)), row("other", "missing", "CHAIN")]
    assert count_usage(rows).counted == {"inner"}


def test_cycles_of_parents_end():
    rows = [
        row("a", "b", tokens=(1, 1)),
        row("b", "c", "AGENT", (1, 1)),
        row("c", "a", "CHAIN"),
        row("s", "s", tokens=(5, 5)),
    ]
    usage = count_usage(rows)
    assert "s" in usage.counted
    assert set(usage.decisions) == {"a", "b", "s"}


def test_the_order_of_arrival_does_not_matter():
    rng = random.Random(5)
    rows = [
        row(
            str(n),
            str(rng.randrange(n)) if n else "",
            rng.choice(["LLM", "CHAT_MODEL", "AGENT", "CHAIN", "EMBEDDING", "UNKNOWN"]),
            rng.choice([None, (1, 2), (3, 4), (0, 0), (5, None)]),
            scope=rng.choice(["x", "y"]),
            at=rng.randrange(100),
            lasts=rng.randrange(200),
        )
        for n in range(200)
    ]
    first = count_usage(rows)
    for _ in range(10):
        rng.shuffle(rows)
        again = count_usage(rows)
        assert (again.counted, again.input_tokens) == (first.counted, first.input_tokens)


def test_a_chain_of_a_hundred_thousand_wrappers_counts_its_end():
    rows = [row(str(n), str(n - 1) if n else "", tokens=(1, 1)) for n in range(100_000)]
    assert count_usage(rows).counted == {"99999"}
