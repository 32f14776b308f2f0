"""A sender that is told to send again finds nothing of its request stored; one whose commit has begun is waited for."""

import threading
import time
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from projects.models import Project
from spans.models import Span, SpanLog
from spans.records import SpanRecord
from spans.writer_lock import writer_lock
from tests.builders import export_request, log_record, logs_request, new_span_id, new_trace_id, span
from tests.event_loop import run_apart
from tests.traces.otlp.conftest import HttpReceiver
from traces.ingest.deadline import Deadline, Overdue, current_deadline, set_deadline
from traces.ingest.receipts import open_receipt
from traces.ingest.store import Arrival, _write
from traces.models import ExportReceipt
from traces.otlp import admission
from traces.otlp.admission import ExportThreads
from traces.otlp.decode import decode
from traces.otlp.errors import OtlpError
from traces.otlp.logs import export_logs
from traces.otlp.receiver import export, read


def test_the_answer_gives_up_or_the_commit_begins_never_both():
    given_up = Deadline()
    assert given_up.give_up()
    assert not given_up.begin_commit()
    begun = Deadline()
    assert begun.begin_commit()
    assert not begun.give_up()
    assert begun.begin_commit()  # after a failure
    assert not begun.is_over


@pytest.fixture
def overdue():
    deadline = Deadline()
    deadline.give_up()
    set_deadline(deadline)
    yield
    set_deadline(Deadline())


def test_spans_of_an_overdue_request_are_not_stored(project, overdue):
    with pytest.raises(Overdue):
        export(export_request(span()), project)
    assert not Span.objects.exists()
    assert not ExportReceipt.objects.exists()


def test_log_records_of_an_overdue_request_are_not_stored(project, overdue):
    record = log_record("gen_ai.choice", trace_id=new_trace_id(), span_id=new_span_id(), body="b")
    with pytest.raises(Overdue):
        export_logs([logs_request(record)], project)
    assert not SpanLog.objects.exists()


def test_who_gives_up_during_the_transaction_finds_nothing_stored(project):
    deadline = Deadline()
    set_deadline(deadline)

    def give_up(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "exportreceipt" in sql:
            deadline.give_up()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(give_up), pytest.raises(Overdue):
        export(export_request(span()), project)
    set_deadline(Deadline())
    assert not Span.objects.exists()


def test_others_of_its_group_are_written_again_together(project):
    late, in_time = Deadline(), [Deadline() for _ in range(3)]

    def give_up(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        transactions.extend([sql] * ("exportreceipt" in sql))
        late.give_up()
        return execute(sql, params, many, context)

    transactions: list[str] = []
    arrivals = [
        Arrival(project.pk, [record], open_receipt(project.pk, ExportReceipt.Transport.HTTP), deadline=deadline)
        for record, deadline in zip(decoded(4), [in_time[0], late, *in_time[1:]], strict=True)
    ]
    with connection.execute_wrapper(give_up):
        _write(arrivals, 1)
    assert Span.objects.count() == ExportReceipt.objects.count() == 3
    assert len(transactions) == 2
    assert not any(deadline.is_over for deadline in in_time)


def decoded(count: int) -> list[SpanRecord]:
    """The records of so many traces, as they come to the store."""
    records = decode([export_request(*(span(trace_id=new_trace_id()) for _ in range(count)))]).records
    read(records)
    return records


def test_a_commit_that_has_begun_is_waited_for(monkeypatch):
    monkeypatch.setattr(admission, "EXPORT_SECONDS", 0.05)
    threads = ExportThreads()

    def commit() -> str:
        assert current_deadline().begin_commit()
        time.sleep(0.3)
        return "stored"

    def work() -> str:
        time.sleep(0.3)
        return "stored" if current_deadline().begin_commit() else "not stored"

    assert run_apart(threads.export(commit)) == "stored"
    with pytest.raises(OtlpError, match="too slow"):
        run_apart(threads.export(work))
    threads.shutdown()


@pytest.mark.skipif(not settings.ON_SQLITE, reason="PostgreSQL's writers have their turns by the rows that they lock")
def test_what_waited_too_long_for_its_turn_is_not_stored_afterwards(receiver: HttpReceiver, monkeypatch) -> None:
    monkeypatch.setattr(admission, "EXPORT_SECONDS", 0.2)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with writer_lock():
            held.set()
            free.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    one = export_request(span())
    assert receiver.post(one.SerializeToString()).status == 503
    free.set()
    holder.join()
    time.sleep(0.5)
    assert not Span.objects.exists()
    monkeypatch.setattr(admission, "EXPORT_SECONDS", 6.5)
    assert receiver.post(one.SerializeToString()).status == 200
    assert Span.objects.count() == 1
    assert Project.objects.get(slug="first").receipts.count() == 1
