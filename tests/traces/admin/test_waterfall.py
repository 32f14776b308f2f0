"""Where spans stand on the trace page."""

from dataclasses import dataclass

import pytest

from traces.admin.hotspots import slowest
from traces.admin.waterfall import failures, layout, narrow, ticks
from traces.summaries.tree import assemble

T = 1_700_000_000_000_000_000


@dataclass
class S:
    span_id: str
    start: int
    end: int
    parent_span_id: str = ""
    span_type: str = "LLM"
    is_error: bool = False

    @property
    def start_time_unix_nano(self):
        return self.start

    @property
    def end_time_unix_nano(self):
        return self.end


def lay(*spans):
    return layout(assemble(spans))


def by_id(waterfall):
    return {row.span.span_id: row for row in waterfall.rows}


def test_a_child_stands_at_its_share_of_the_trace():
    rows = by_id(lay(S("a", T, T + 100), S("b", T + 25, T + 75, "a")))
    assert (rows["a"].offset, rows["a"].width, rows["a"].depth) == (0, 100, 0)
    assert (rows["b"].offset, rows["b"].width, rows["b"].depth) == (25, 50, 1)


def test_rows_are_in_pre_order_and_count_what_is_below_them():
    waterfall = lay(S("a", T, T + 9), S("b", T + 1, T + 2, "a"), S("c", T + 1, T + 2, "b"), S("d", T + 3, T + 4, "a"))
    assert [(row.span.span_id, row.descendants) for row in waterfall.rows] == [("a", 3), ("b", 1), ("c", 0), ("d", 0)]


def test_an_orphan_and_a_cycle_keep_their_rows_and_say_why():
    rows = by_id(lay(S("a", T, T + 9), S("o", T, T + 1, "gone"), S("x", T, T + 1, "y"), S("y", T + 1, T + 2, "x")))
    assert len(rows) == 4
    assert (rows["o"].problem, rows["x"].problem, rows["y"].problem) == ("missing parent", "parent cycle", "")


def test_spans_with_the_same_id_have_a_row_each():
    assert len(lay(S("a", T, T + 9), S("a", T, T + 5)).rows) == 2


def test_a_parent_that_arrives_last_changes_nothing():
    spans = [S("a", T, T + 9), S("b", T + 1, T + 2, "a"), S("c", T + 3, T + 4, "a")]
    one, other = lay(*spans), lay(*reversed(spans))
    assert [(r.span.span_id, r.position) for r in one.rows] == [(r.span.span_id, r.position) for r in other.rows]


def test_a_child_that_outlives_its_parent_is_marked_and_stays_in_the_picture():
    rows = by_id(lay(S("a", T, T + 50), S("b", T + 25, T + 100, "a")))
    assert rows["b"].outlives_parent
    assert not rows["a"].outlives_parent
    assert rows["b"].offset + rows["b"].width == 100


def test_a_start_in_1970_does_not_squeeze_the_trace():
    waterfall = lay(S("a", T, T + 100), S("b", 5, T + 40, "a"))
    assert waterfall.duration_ns == 100
    assert (by_id(waterfall)["b"].offset, by_id(waterfall)["b"].width) == (40, 0)


def test_a_trace_that_lies_in_1970_as_a_whole_is_drawn_all_the_same():
    waterfall = lay(S("a", 0, 100), S("b", 50, 100, "a"))
    assert (waterfall.duration_ns, by_id(waterfall)["b"].offset) == (100, 50)


def test_spans_without_length_have_no_width():
    row = lay(S("a", T, T)).rows[0]
    assert (row.offset, row.width) == (0, 0)


def test_a_span_that_ends_before_it_starts_has_no_width():
    row = by_id(lay(S("a", T, T + 100), S("b", T + 50, 0, "a")))["b"]
    assert (row.offset, row.width) == (50, 0)


def test_no_spans_make_an_empty_waterfall():
    assert lay().rows == []


def test_a_chain_of_ten_thousand_spans_is_laid_out():
    spans = [S(f"{n}", T + n, T + 20_000 - n, f"{n - 1}" if n else "") for n in range(10_000)]
    waterfall = lay(*spans)
    assert waterfall.rows[-1].depth == 9_999
    assert waterfall.rows[0].descendants == 9_999


def test_narrowing_keeps_the_ancestors_of_what_matches():
    waterfall = lay(
        S("a", T, T + 9), S("b", T + 1, T + 2, "a"), S("c", T + 1, T + 2, "b"), S("d", T + 3, T + 4, "a"), S("e", T, T)
    )
    assert [row.span.span_id for row in narrow(waterfall.rows, lambda span: span.span_id == "c")] == ["a", "b", "c"]
    assert narrow(waterfall.rows, lambda span: False) == []


@pytest.mark.parametrize("duration", [1, 7, 99, 12_345, 61_000_000_000, 10**18])
def test_the_axis_has_few_round_marks_within_the_trace(duration):
    marks = ticks(duration)
    assert 1 < len(marks) <= 6
    assert all(0 <= mark.offset <= 100 for mark in marks)


def test_a_failure_is_the_lowest_failed_span_and_those_above_count_it():
    agent, tool = S("agent", T, T + 9, is_error=True), S("tool", T + 1, T + 8, "agent")
    get, other = S("get", T + 2, T + 3, "tool", is_error=True), S("other", T + 4, T + 5, "agent", is_error=True)
    rows = lay(agent, tool, get, other).rows
    assert [row.span.span_id for row in failures(rows)] == ["get", "other"]
    assert {row.span.span_id: row.failed_below for row in rows} == {"agent": 2, "tool": 1, "get": 0, "other": 0}


@pytest.mark.parametrize(
    ("children", "own"),
    [
        ([], 100),
        ([(10, 30), (50, 60)], 70),
        ([(10, 40), (20, 30), (35, 50)], 60),  # overlapping
        ([(50, 500)], 50),  # outliving
        ([(0, 100), (0, 100)], 0),
    ],
)
def test_a_span_s_own_time_is_that_in_which_no_child_ran(children, own):
    spans = [S("a", T, T + 100), *(S(f"b{n}", T + at, T + to, "a") for n, (at, to) in enumerate(children))]
    assert {row.span.span_id: time for row, time in slowest(layout(assemble(spans)).rows, 9)}.get("a", 0) == own


def test_the_slowest_spans_come_first():
    spans = [S("a", T, T + 100), S("b", T, T + 90, "a"), S("c", T, T + 30, "b"), S("d", T, T)]
    assert [(row.span.span_id, own) for row, own in slowest(layout(assemble(spans)).rows, 2)] == [("b", 60), ("c", 30)]
