import random
from dataclasses import dataclass

import pytest

from traces.summaries.tree import MISSING_PARENT, OWN_PARENT, PARENT_CYCLE, assemble


@dataclass(frozen=True)
class Row:
    span_id: str
    parent_span_id: str = ""
    start_time_unix_nano: int = 0


def shape(*rows: Row) -> list[tuple[str, int, str]]:
    return [(node.span.span_id, node.depth, node.problem) for node in assemble(rows).walk()]


def test_children_stand_below_their_parent_by_start_time():
    assert shape(Row("c", "a", 3), Row("b", "a", 2), Row("a", "", 1), Row("d", "b", 4)) == [
        ("a", 0, ""),
        ("b", 1, ""),
        ("d", 2, ""),
        ("c", 1, ""),
    ]


def test_an_orphan_is_a_marked_root_after_the_real_ones():
    assert shape(Row("late", "gone", 1), Row("root", "", 5)) == [("root", 0, ""), ("late", 0, MISSING_PARENT)]


def test_a_span_that_is_its_own_parent_is_a_marked_root():
    assert shape(Row("a", "a")) == [("a", 0, OWN_PARENT)]


def test_a_cycle_is_cut_above_its_earliest_span():
    assert shape(Row("b", "a", 2), Row("a", "c", 1), Row("c", "b", 3), Row("leaf", "c", 4)) == [
        ("a", 0, PARENT_CYCLE),
        ("b", 1, ""),
        ("c", 2, ""),
        ("leaf", 3, ""),
    ]


def test_an_all_zero_parent_means_a_root():
    assert shape(Row("a", "0" * 16)) == [("a", 0, "")]


def test_spans_with_the_same_id_all_stay_in_the_tree():
    assert len(shape(Row("a", "", 1), Row("a", "", 2), Row("b", "a", 3))) == 3


def test_a_late_parent_takes_its_children():
    orphan = Row("child", "parent", 2)
    assert shape(orphan) == [("child", 0, MISSING_PARENT)]
    assert shape(orphan, Row("parent", "", 1)) == [("parent", 0, ""), ("child", 1, "")]


@pytest.mark.parametrize("seed", range(20))
def test_every_span_appears_once_in_the_same_order_however_they_arrive(seed):
    rng = random.Random(seed)
    ids = [f"{number:016x}" for number in range(1, 60)]
    rows = [Row(span_id, rng.choice([*ids, "", "gone"]), rng.randrange(20)) for span_id in ids]
    expected = shape(*rows)
    rng.shuffle(rows)
    assert shape(*rows) == expected
    assert sorted(span_id for span_id, _, _ in expected) == ids


def test_a_chain_of_a_hundred_thousand_spans_needs_no_recursion():
    rows = [Row(str(number), str(number - 1) if number else "", number) for number in range(100_000)]
    assert shape(*rows)[-1] == ("99999", 99_999, "")
