"""Keys and expiry of receipts."""

import datetime
import time

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from spans.models import Span
from tests.builders import export_request, span
from traces.ingest.receipts import delete_expired_receipts, open_receipt, write_receipts
from traces.models import ExportReceipt, RejectedSpans, time_ordered_id
from traces.otlp.admission import run_in_database_thread
from traces.otlp.receiver import export


def written_days_ago(project, days: float) -> ExportReceipt:
    receipt = open_receipt(project.pk, "http")
    receipt.created_at = timezone.now() - datetime.timedelta(days=days)
    bits = receipt.pk.int & (1 << 80) - 1
    receipt.pk = type(receipt.pk)(int=int(receipt.created_at.timestamp() * 1000) << 80 | bits)
    write_receipts([receipt])
    return receipt


def test_ids_are_uuids_of_version_7_in_the_order_of_time():
    first = time_ordered_id()
    time.sleep(0.002)
    second = time_ordered_id()
    assert first < second
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert time_ordered_id(first.int >> 80) <= first


def test_receipts_expire_in_batches_and_newer_ones_stay(project, settings, monkeypatch):
    monkeypatch.setattr("traces.ingest.receipts.ROWS_A_BATCH", 2)
    settings.RECEIPT_DAYS = 3
    kept = written_days_ago(project, 2.9)
    for _ in range(5):
        written_days_ago(project, 3.1)
    assert delete_expired_receipts() == 5
    assert ExportReceipt.objects.get() == kept


def test_rejected_spans_expire_by_their_own_days(project, settings):
    settings.REJECTED_SPANS_DAYS = 3
    bad = span()
    bad.span_id = b""
    export(export_request(bad), project)
    assert delete_expired_receipts() == 0
    settings.REJECTED_SPANS_DAYS = -1
    assert delete_expired_receipts() == 1
    assert not RejectedSpans.objects.exists()
    assert ExportReceipt.objects.exists()


def test_without_days_no_rejected_span_is_kept(project, settings):
    settings.REJECTED_SPANS_DAYS = 0
    bad = span()
    bad.span_id = b""
    export(export_request(bad), project)
    assert not RejectedSpans.objects.exists()
    assert ExportReceipt.objects.get().spans_rejected == 1


def test_a_receipt_that_can_not_be_written_stores_nothing(project):
    receipt = open_receipt(project.pk, "http")
    receipt.wire_bytes = -1  # which the table refuses
    with pytest.raises(IntegrityError), transaction.atomic():
        export(export_request(span()), project, receipt)
    assert not Span.objects.exists()


def test_a_request_that_is_stored_again_leaves_one_receipt(project):
    receipt = open_receipt(project.pk, "http")
    request = export_request(span())
    for _ in range(2):
        export(request, project, receipt)
    assert ExportReceipt.objects.get().spans_added == 1


@pytest.fixture
def first_answer_lost(transactional_db, monkeypatch):
    """The connection dies while the first COMMIT is being answered. Yields the commits."""
    commits = []

    def commit() -> None:
        connection._commit()
        commits.append(connection.connection)
        if len(commits) == 1:
            connection.connection.close()
            raise OperationalError("the server closed the connection")

    monkeypatch.setattr(connection, "commit", commit)
    return commits


def test_a_request_whose_commit_was_not_answered_leaves_everything_once(project, first_answer_lost):
    bad, worse = span(), span()
    bad.span_id = worse.trace_id = b""
    receipt = open_receipt(project.pk, "http")
    answer = run_in_database_thread(export, export_request(span(), bad, worse), project, receipt)
    assert len(first_answer_lost) == 2
    assert answer.partial_success.rejected_spans == 2
    assert Span.objects.count() == 1
    stored = ExportReceipt.objects.get()
    assert (stored.pk, stored.spans_added, stored.spans_rejected) == (receipt.pk, 1, 2)
    assert sorted(row.span_count for row in RejectedSpans.objects.all()) == [1, 1]
