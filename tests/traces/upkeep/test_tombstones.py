"""What still arrives of a deleted trace."""

import datetime
import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from spans.models import Span
from tests.builders import export_request, new_trace_id, span
from traces.models import DeletedTrace, ExportReceipt, RejectedSpans, Trace
from traces.otlp.receiver import export
from traces.summaries import rollup
from traces.upkeep.deletion import delete_traces
from traces.upkeep.retention import delete_expired
from traces.upkeep.tombstones import delete_expired_tombstones


@pytest.fixture
def deleted(project) -> str:
    """The id of a trace that was stored and deleted."""
    trace_id = new_trace_id()
    export(export_request(span("a", trace_id=trace_id)), project)
    assert delete_traces(Trace.objects.filter(trace_id=trace_id)) == 1
    return trace_id


def test_neither_a_late_span_nor_a_retry_brings_it_back(project, deleted):
    late, retried, other = span(trace_id=deleted), span("a", trace_id=deleted), span(trace_id=new_trace_id())
    answer = export(export_request(late, retried, other), project).partial_success
    assert answer.rejected_spans == 2
    assert "their trace was deleted" in answer.error_message
    assert "7 days" in answer.error_message
    assert list(Trace.objects.values_list("trace_id", flat=True)) == [other.trace_id.hex()]
    assert Span.objects.count() == 1
    receipt = ExportReceipt.objects.first()
    assert (receipt.status, receipt.spans_received, receipt.spans_added) == ("partial", 3, 1)
    assert (receipt.spans_rejected, receipt.spans_duplicate) == (2, 0)
    assert receipt.rejections[0]["count"] == 2
    assert not RejectedSpans.objects.exists()


def test_two_versions_of_a_late_span_in_a_request_are_two_rejected_spans(project, deleted):
    same = [span("a", trace_id=deleted, span_id="c" * 16), span("b", trace_id=deleted, span_id="c" * 16)]
    assert export(export_request(*same), project).partial_success.rejected_spans == 2


def test_another_project_may_have_a_trace_of_the_same_id(other_project, deleted):
    answer = export(export_request(span(trace_id=deleted)), other_project)
    assert not answer.HasField("partial_success")
    assert Trace.objects.get().project == other_project


def test_after_its_days_it_may_come_again(project, deleted):
    DeletedTrace.objects.update(deleted_at=timezone.now() - datetime.timedelta(days=7))
    assert not export(export_request(span(trace_id=deleted)), project).HasField("partial_success")
    assert delete_expired_tombstones() == 1
    assert not DeletedTrace.objects.exists()
    # Deleted once more, it is buried once more.
    delete_traces(Trace.objects.all())
    assert export(export_request(span(trace_id=deleted)), project).partial_success.rejected_spans == 1
    assert delete_expired_tombstones() == 0


def test_without_days_it_may_come_at_once(project, deleted, settings):
    settings.DELETED_TRACE_DAYS = 0
    assert not export(export_request(span(trace_id=deleted)), project).HasField("partial_success")
    delete_traces(Trace.objects.all())
    assert DeletedTrace.objects.count() == 1


def test_what_expires_leaves_no_tombstone(project):
    export(export_request(span(trace_id=new_trace_id())), project)
    Trace.objects.update(created_at=timezone.now() - datetime.timedelta(days=1000))
    assert delete_expired() == 1
    assert not DeletedTrace.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_span_that_waits_for_the_deletion_meets_its_tombstone(project):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    trace_id = new_trace_id()
    export(export_request(span(trace_id=trace_id)), project)
    key = Trace.objects.get().pk
    answers = []

    def send() -> None:
        answers.append(export(export_request(span(trace_id=trace_id)), project))
        connection.close()

    sender = threading.Thread(target=send)
    with transaction.atomic():
        rollup.lock([key])
        sender.start()
        sender.join(0.2)
        assert sender.is_alive()
        delete_traces([key])
    sender.join(5)
    assert answers[0].partial_success.rejected_spans == 1
    assert not Trace.objects.exists()
