"""Who writes what in a group commit."""

import threading
import time

import pytest
from django.db import connection, transaction

from spans.models import Span
from tests.builders import export_request, new_trace_id, span
from traces.ingest.group_commit import GroupCommit
from traces.models import ExportReceipt, Trace
from traces.otlp.receiver import export


class Writes:
    """A `write` that notes its groups and waits in the first one until the others have come."""

    def __init__(self, spoiled: object = None) -> None:
        self.groups: list[list[int]] = []
        self.spoiled = spoiled
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, items) -> None:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            self.begun.set()
            assert self.go_on.wait(10)
        if self.spoiled in items:
            raise ValueError


def commit_all(writes: Writes, max_size: int = 100) -> dict[int, bool]:
    """Commit 1, and 2 to 5 while it is being written."""
    group = GroupCommit(writes, size=lambda item: 1, max_size=max_size)
    results: dict[int, bool] = {}
    threads = [
        threading.Thread(target=lambda item=item: results.update({item: group.commit(item)})) for item in range(1, 6)
    ]
    for number, thread in enumerate(threads):
        thread.start()
        assert writes.begun.wait(10)
        deadline = time.monotonic() + 10
        while len(group._waiting) < number and time.monotonic() < deadline:
            time.sleep(0.001)
    writes.go_on.set()
    for thread in threads:
        thread.join(10)
    return results


def test_what_comes_during_a_write_is_written_together_afterwards():
    writes = Writes()
    assert commit_all(writes) == dict.fromkeys(range(1, 6), True)
    assert writes.groups == [[1], [2, 3, 4, 5]]


def test_a_group_has_a_largest_size():
    writes = Writes()
    assert commit_all(writes, max_size=2) == dict.fromkeys(range(1, 6), True)
    assert writes.groups == [[1], [2, 3], [4, 5]]


def test_a_group_that_fails_leaves_its_items_to_their_callers_and_the_next_one_goes_on():
    writes = Writes(spoiled=3)
    assert commit_all(writes, max_size=2) == {1: True, 2: False, 3: False, 4: True, 5: True}


def test_an_item_larger_than_a_group_is_written():
    assert GroupCommit(lambda items: None, size=lambda item: 7, max_size=2).commit(1)


def in_threads(*calls) -> None:
    def run(call) -> None:
        try:
            call()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)


@pytest.mark.django_db(transaction=True)
def test_requests_of_one_trace_and_of_two_projects_at_the_same_time(project, other_project):
    trace_id = new_trace_id()
    requests = [export_request(*(span(trace_id=trace_id) for _ in range(5))) for _ in range(8)]
    in_threads(*(lambda r=r, p=p: export(r, p) for r in requests for p in (project, other_project)))
    assert sorted(Trace.objects.values_list("span_count", flat=True)) == [40, 40]
    assert Span.objects.filter(project=project).count() == 40
    assert [receipt.spans_added for receipt in ExportReceipt.objects.all()] == [5] * 16


@pytest.mark.django_db(transaction=True)
def test_the_same_request_at_the_same_time_is_counted_once(project):
    request = export_request(span(), span())
    in_threads(*[lambda: export(request, project)] * 6)
    receipts = ExportReceipt.objects.all()
    assert sorted((receipt.spans_added, receipt.spans_duplicate) for receipt in receipts) == [(0, 2)] * 5 + [(2, 0)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL locks rows")
@pytest.mark.django_db(transaction=True)
def test_a_locked_trace_holds_up_only_its_own_requests(project):
    locked_id = new_trace_id()
    export(export_request(span(trace_id=locked_id)), project)
    done: dict[str, float] = {}

    def send(name: str, trace_id: str) -> None:
        export(export_request(span(trace_id=trace_id)), project)
        done[name] = time.monotonic()

    with transaction.atomic():
        Trace.objects.filter(trace_id=locked_id).update(refresh_due=True)
        waiting = threading.Thread(target=in_threads, args=[lambda: send("locked", locked_id)])
        waiting.start()
        time.sleep(0.1)
        in_threads(*(lambda n=n: send(f"free {n}", new_trace_id()) for n in range(4)))
        assert sorted(done) == [f"free {n}" for n in range(4)]
    waiting.join(20)
    assert "locked" in done
