"""Which process closes how many connections."""

import multiprocessing
from typing import Any

import pytest

from tracing_site.serving.connection_shares import Shares


def test_a_place_is_free_when_its_process_has_died() -> None:
    context = multiprocessing.get_context("spawn")
    shares = Shares(context, 1)
    worker = context.Process(target=shares.join)
    worker.start()
    worker.join()
    shares.join()
    shares.note(5)
    assert not shares.let_go()
    assert not Shares(context, 2).let_go()


def hold_a_place(shares: Shares, connections: int, joined: Any, done: Any) -> None:
    shares.join()
    shares.note(connections)
    joined.set()
    done.wait(30)


@pytest.mark.parametrize(("own", "other", "closed"), [(8, 0, 4), (5, 3, 1), (3, 2, 0), (2, 6, 0), (0, 0, 0)])
def test_only_what_is_too_many_is_closed_though_all_are_under_way(own: int, other: int, closed: int) -> None:
    context = multiprocessing.get_context("spawn")
    shares, joined, done = Shares(context, 2), context.Event(), context.Event()
    worker = context.Process(target=hold_a_place, args=(shares, other, joined, done))
    worker.start()
    joined.wait(30)
    shares.join()
    shares.note(own)
    assert sum(shares.let_go() for _ in range(own)) == closed
    done.set()
    worker.join()
