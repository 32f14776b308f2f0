"""Receipts, quotas and limits over the running receivers."""

import json
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.json_format import MessageToJson
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from projects.models import ApiKey, DailyUsage, Project
from projects.usage import meter
from spans.models import Span
from tests.builders import export_request, span
from tests.traces.otlp.conftest import HttpReceiver, wait_for
from traces.models import ExportReceipt, RejectedSpans
from traces.otlp.signals import TRACES


def body(*spans: Any) -> bytes:
    return export_request(*(spans or (span(),))).SerializeToString()


@pytest.fixture
def call(grpc_target: str, key: str) -> Any:
    with grpc.insecure_channel(grpc_target) as channel:
        export = channel.unary_unary(TRACES.grpc_method)
        yield lambda message: export.with_call(message, metadata=(("x-bee-authorization", key),), timeout=10)


def test_an_export_leaves_a_receipt_and_its_id_in_the_answer(receiver: HttpReceiver, project: Project) -> None:
    sent = body(span(), span())
    reply = receiver.post(sent, User_Agent="OTel-OTLP-Exporter-Python/1.41")
    receipt = ExportReceipt.objects.get()
    assert reply.headers["x-receipt-id"] == str(receipt.pk)
    assert (receipt.project, receipt.api_key, receipt.transport) == (project, project.api_keys.get(), "http")
    assert (receipt.client_address, receipt.user_agent) == ("127.0.0.1", "OTel-OTLP-Exporter-Python/1.41")
    assert receipt.wire_bytes == receipt.body_bytes == len(sent)
    assert (receipt.status, receipt.spans_received, receipt.spans_added, receipt.rejections) == ("stored", 2, 2, [])
    assert receipt.duration_ms > 0


def test_a_repeated_export_says_what_was_there_already(receiver: HttpReceiver) -> None:
    one = span(duration_ns=1)
    receiver.post(body(one))
    longer = type(one).FromString(one.SerializeToString())
    longer.end_time_unix_nano += 1
    receiver.post(body(one, longer, span()))
    receipt = ExportReceipt.objects.first()
    assert receipt is not None
    assert (receipt.spans_added, receipt.spans_replaced, receipt.spans_duplicate) == (1, 1, 1)


def test_an_empty_request_leaves_a_receipt_too(receiver: HttpReceiver) -> None:
    reply = receiver.post(b"")
    assert ExportReceipt.objects.get(pk=UUID(reply.headers["x-receipt-id"])).spans_received == 0


def test_rejected_spans_are_kept_as_they_came(receiver: HttpReceiver) -> None:
    bad = span("bad", attrs={"k": 1})
    bad.trace_id = b"short"
    reply = receiver.post(body(span(), bad, bad))
    receipt = ExportReceipt.objects.get(pk=UUID(reply.headers["x-receipt-id"]))
    assert (receipt.status, receipt.spans_rejected, receipt.spans_added) == ("partial", 2, 1)
    assert receipt.rejections == [{"reason": "trace_id is not 16 bytes or all zero", "count": 2}]
    kept = RejectedSpans.objects.get()
    assert (kept.receipt_id, kept.span_count, kept.kept_count) == (receipt.pk, 2, 2)
    assert bytes(kept.request) == export_request(bad, bad).SerializeToString()


def test_rejected_spans_are_kept_up_to_a_size(receiver: HttpReceiver) -> None:
    bad = span(attrs={"k": "x" * 400_000})
    bad.span_id = b""
    receiver.post(body(bad, bad, bad, bad))
    kept = RejectedSpans.objects.get()
    assert (kept.span_count, kept.kept_count) == (4, 2)


def test_a_refused_request_leaves_a_receipt_with_what_was_said(receiver: HttpReceiver) -> None:
    reply = receiver.post(b"\xff\xff")
    assert reply.status == 400
    wait_for(ExportReceipt.objects.exists)
    receipt = ExportReceipt.objects.get()
    assert (str(receipt.pk), receipt.status) == (reply.headers["x-receipt-id"], "refused")
    assert receipt.message.startswith("malformed protobuf")


def test_a_key_that_may_not_send_leaves_a_receipt(receiver: HttpReceiver, call: Any) -> None:
    ApiKey.objects.update(can_ingest=False)
    reply = receiver.post(body())
    assert reply.status == 403
    with pytest.raises(grpc.RpcError) as refused:
        call(body())
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    ids = [reply.headers["x-receipt-id"], dict(refused.value.trailing_metadata())["x-receipt-id"]]
    wait_for(lambda: ExportReceipt.objects.filter(pk__in=ids, status="refused").count() == 2)


def test_of_a_flood_of_refused_requests_only_some_leave_a_receipt(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traces.otlp.refusals.MAX_WAITING", 2)
    monkeypatch.setattr("traces.otlp.refusals.WRITE_SECONDS", 2)
    replies = [receiver.post(b"\xff\xff") for _ in range(5)]
    assert [reply.status for reply in replies] == [400] * 5
    assert ["x-receipt-id" in reply.headers for reply in replies] == [True, True, False, False, False]
    wait_for(lambda: ExportReceipt.objects.count() == 2)
    assert "x-receipt-id" in receiver.post(b"\xff\xff").headers


def test_a_request_without_a_key_leaves_none(receiver: HttpReceiver) -> None:
    receiver.key = "wrong"
    assert "x-receipt-id" not in receiver.post(body()).headers
    assert not ExportReceipt.objects.exists()


def test_grpc_has_the_receipt_in_its_trailing_metadata(call: Any) -> None:
    _, answered = call(body())
    receipt = ExportReceipt.objects.get()
    assert dict(answered.trailing_metadata())["x-receipt-id"] == str(receipt.pk)
    assert (receipt.transport, receipt.spans_added) == ("grpc", 1)
    assert receipt.client_address == "127.0.0.1"
    with pytest.raises(grpc.RpcError) as refused:
        call(b"\xff\xff")
    refused_id = dict(refused.value.trailing_metadata())["x-receipt-id"]
    wait_for(ExportReceipt.objects.filter(pk=refused_id, status="refused").exists)


def test_past_the_quota_it_is_429_before_the_body(receiver: HttpReceiver, project: Project) -> None:
    Project.objects.update(daily_quota_spans=2)
    assert receiver.post(body(span(), span())).status == 200
    refused = receiver.post(body())
    assert refused.status == 429
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600
    assert b"quota of 2 spans a day" in refused.body
    assert Span.objects.count() == 2
    meter.flush()
    usage = DailyUsage.objects.get(project=project)
    assert (usage.requests, usage.spans) == (1, 2)
    Project.objects.update(daily_quota_spans=None)
    assert receiver.post(body()).status == 200


def test_past_the_rate_grpc_is_resource_exhausted_with_retry_info(call: Any, project: Project) -> None:
    Project.objects.update(rate_limit_spans=1)
    call(body(span(), span(), span(), span()))
    with pytest.raises(grpc.RpcError) as refused:
        call(body())
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    status = Status.FromString(dict(refused.value.trailing_metadata())["grpc-status-details-bin"])
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.seconds >= 2


@pytest.mark.parametrize("media_type", ["application/x-protobuf", "application/json"])
def test_more_spans_than_allowed_are_413_and_none_is_stored(
    receiver: HttpReceiver, settings: Any, media_type: str
) -> None:
    settings.MAX_SPANS_PER_REQUEST = 2
    request = export_request(span(), span(), span())
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [json.loads(MessageToJson(span()))] * 3}]}]}
    for item in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        item |= {"traceId": "ab" * 16, "spanId": "cd" * 8, "kind": 0}
    sent = request.SerializeToString() if media_type.endswith("protobuf") else json.dumps(document).encode()
    reply = receiver.post(sent, content_type=media_type)
    assert reply.status == 413
    assert b"more than 2 spans" in reply.body
    assert not Span.objects.exists()


def test_more_resources_than_allowed_are_413(receiver: HttpReceiver, settings: Any) -> None:
    settings.MAX_RESOURCES_PER_REQUEST = 2
    assert receiver.post(body() * 2).status == 200
    assert receiver.post(body() * 3).status == 413


def test_what_is_cut_is_counted_and_said_on_the_span(receiver: HttpReceiver, settings: Any) -> None:
    settings.MAX_ATTRIBUTES_PER_SPAN = settings.MAX_EVENTS_PER_SPAN = settings.MAX_LINKS_PER_SPAN = 2
    one = span(attrs={"a": 1, "b": 2, "c": 3}, dropped_attributes_count=5)
    for _ in range(4):
        one.events.add(name="event")
        one.links.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    receiver.post(body(one, span()))
    stored = Span.objects.get(span_id=one.span_id.hex())
    assert list(stored.attributes) == ["a", "b"]
    assert stored.dropped_attributes_count == 6
    assert (len(stored.events), stored.dropped_events_count) == (2, 2)
    assert (len(stored.links), stored.dropped_links_count) == (2, 2)
    assert stored.warnings == [
        "attributes: 1 over the limit of 2 dropped",
        "events: 2 over the limit of 2 dropped",
        "links: 2 over the limit of 2 dropped",
    ]
    assert ExportReceipt.objects.get().spans_cut == 1


def test_long_values_are_cut_at_any_depth_and_said_so(receiver: HttpReceiver, settings: Any) -> None:
    settings.MAX_ATTRIBUTE_VALUE_BYTES = 10
    one = span(attrs={"text": "ä" * 8, "short": "x" * 10, "deep": [{"bytes": b"b" * 11}]})
    one.events.add(name="event").attributes.add(key="long").value.string_value = "y" * 11
    receiver.post(body(one))
    stored = Span.objects.get()
    assert stored.attributes["text"] == "ä" * 5
    assert stored.attributes["short"] == "x" * 10
    assert stored.warnings == ["attributes: 2 values cut to 10 bytes", "events: 1 value cut to 10 bytes"]
