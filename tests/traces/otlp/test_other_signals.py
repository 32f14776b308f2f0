"""POST /v1/logs and /v1/metrics, and their gRPC services, by the rules of /v1/traces."""

import gzip
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from prometheus_client import REGISTRY

from projects.models import ApiKey, Project
from spans.models import SpanLog
from tests.builders import log_record, logs_request, new_span_id, new_trace_id
from tests.traces.otlp.conftest import HttpReceiver, wait_for
from traces.ingest.receipts import open_receipt
from traces.models import ExportReceipt
from traces.otlp.codec import Encoding, parse, serialize
from traces.otlp.logs import TIME_OUT_OF_RANGE, export_logs
from traces.otlp.signals import LOGS, METRICS

pytestmark = pytest.mark.django_db(transaction=True)
PATHS = {"/v1/logs": ExportLogsServiceResponse, "/v1/metrics": ExportMetricsServiceResponse}


def event(**changes: Any) -> Message:
    fields = {"trace_id": new_trace_id(), "span_id": new_span_id(), "body": {"content": "hi"}}
    return logs_request(log_record("gen_ai.user.message", **fields | changes))


def metric_request(points: int = 3) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="requests")
    for number in range(points):
        metric.sum.data_points.add(as_int=number)
    return request


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("encoding", list(Encoding))
def test_an_event_is_stored_and_the_answer_has_the_requests_encoding(receiver: HttpReceiver, encoding: Any) -> None:
    answer = receiver.post(serialize(event(), encoding), "/v1/logs", content_type=encoding.value)
    assert (answer.status, answer.headers["content-type"]) == (200, encoding.value)
    assert not parse(answer.body, ExportLogsServiceResponse, encoding).HasField("partial_success")
    assert SpanLog.objects.count() == 1


def test_gzip_works(receiver: HttpReceiver) -> None:
    body = gzip.compress(event().SerializeToString())
    assert receiver.post(body, "/v1/logs", content_encoding="gzip").status == 200
    assert SpanLog.objects.count() == 1


def test_rejected_events_are_counted(receiver: HttpReceiver) -> None:
    answer = receiver.post(event(time_ns=2**63).SerializeToString(), "/v1/logs")
    partial = ExportLogsServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_log_records) == (200, 1)


def test_metrics_are_acknowledged_and_counted(receiver: HttpReceiver) -> None:
    before = counted("tracing_metric_points_total")
    answer = receiver.post(metric_request(3).SerializeToString(), "/v1/metrics")
    assert (answer.status, answer.body) == (200, b"")
    assert counted("tracing_metric_points_total") == before + 3


def test_other_log_records_are_acknowledged_and_counted(receiver: HttpReceiver) -> None:
    before = counted("tracing_log_records_total", result="ignored")
    request = logs_request(log_record("", trace_id="", span_id="", body="a line"))
    answer = receiver.post(request.SerializeToString(), "/v1/logs")
    assert (answer.status, answer.body, SpanLog.objects.count()) == (200, b"", 0)
    assert counted("tracing_log_records_total", result="ignored") == before + 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff\xff", {}, 400),
        (b"{", {"content_type": "application/json"}, 400),
        (b"", {"content_type": "application/json"}, 400),
        (b"", {"content_type": "text/plain"}, 415),
        (b"", {"x_bee_authorization": "wrong"}, 401),
    ],
)
def test_errors_are_those_of_traces(
    receiver: HttpReceiver, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    named = {name.replace("_", "-") if name.startswith("x_") else name: value for name, value in headers.items()}
    answer = receiver.post(body, path, **named)
    encoding = Encoding(answer.headers["content-type"])
    assert answer.status == status
    assert parse(answer.body, Status, encoding).message


@pytest.mark.parametrize("path", PATHS)
def test_a_key_that_may_not_send_is_refused(receiver: HttpReceiver, path: str) -> None:
    ApiKey.objects.update(can_ingest=False)
    assert receiver.post(b"", path).status == 403


@pytest.mark.parametrize("path", PATHS)
def test_they_can_only_be_posted_to(client: Any, key: str, path: str) -> None:
    answer = client.get(path, headers={"x-bee-authorization": key})
    assert answer.status_code == 404  # as everywhere in the API
    assert answer.headers["content-type"].startswith("application/json")


def test_log_records_leave_a_receipt(receiver: HttpReceiver, project: Project) -> None:
    late, stored = event(time_ns=2**63), event()
    request = logs_request(log_record("", trace_id="", span_id="", body="a line"))
    for other in (late, stored, stored):
        request.resource_logs.extend(other.resource_logs)
    body = gzip.compress(request.SerializeToString())
    answer = receiver.post(body, "/v1/logs", content_encoding="gzip", user_agent="an SDK")
    receipt = ExportReceipt.objects.get()
    assert answer.headers["x-receipt-id"] == str(receipt.pk)
    assert (receipt.project, receipt.signal, receipt.transport) == (project, "logs", "http")
    assert (receipt.wire_bytes, receipt.body_bytes, receipt.user_agent) == (len(body), request.ByteSize(), "an SDK")
    assert receipt.records == {"added": 1, "duplicate": 1, "rejected": 1, "ignored": 1}
    assert (receipt.status, receipt.rejections) == ("partial", [{"reason": TIME_OUT_OF_RANGE, "count": 1}])
    assert receipt.duration_ms > 0


def test_what_is_not_stored_leaves_a_receipt_too(receiver: HttpReceiver) -> None:
    line = logs_request(log_record("", trace_id="", span_id="", body="a line"))
    for path, message in (("/v1/logs", line), ("/v1/metrics", metric_request(3))):
        answer = receiver.post(message.SerializeToString(), path)
        receipt = ExportReceipt.objects.get(pk=answer.headers["x-receipt-id"])
        assert (receipt.signal, receipt.status, receipt.spans_received) == (path.split("/")[2], "stored", 0)
        assert receipt.records is not None
    assert receipt.records == {"ignored": 3}


@pytest.mark.parametrize("path", PATHS)
def test_a_refused_request_leaves_a_receipt(receiver: HttpReceiver, path: str) -> None:
    answer = receiver.post(b"{", path, content_type="application/json")
    refused = ExportReceipt.objects.filter(pk=answer.headers["x-receipt-id"], status="refused")
    wait_for(refused.exists)
    assert path.endswith(refused.get().signal)


def test_a_request_that_is_stored_again_leaves_one_receipt(project: Project) -> None:
    receipt = open_receipt(project.pk, "http", signal="logs")
    for _ in range(2):
        export_logs([event(trace_id="1" * 32, span_id="2" * 16)], project, receipt)
    assert ExportReceipt.objects.get().records == {"added": 1, "duplicate": 0, "rejected": 0, "ignored": 0}


# gRPC


@pytest.fixture
def channel(grpc_target: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(grpc_target) as opened:
        yield opened


def test_grpc_stores_events(channel: grpc.Channel, key: str) -> None:
    call = channel.unary_unary(LOGS.grpc_method)
    metadata = (("x-bee-authorization", key),)
    assert call(event().SerializeToString(), metadata=metadata, timeout=30) == b""
    rejected = call(event(time_ns=2**63).SerializeToString(), metadata=metadata, timeout=30)
    assert ExportLogsServiceResponse.FromString(rejected).partial_success.rejected_log_records == 1
    assert SpanLog.objects.count() == 1


def test_grpc_has_the_receipt_in_its_trailing_metadata(channel: grpc.Channel, key: str) -> None:
    for signal, message in ((LOGS, event()), (METRICS, metric_request())):
        call = channel.unary_unary(signal.grpc_method)
        _, answered = call.with_call(message.SerializeToString(), metadata=(("x-bee-authorization", key),), timeout=30)
        receipt = ExportReceipt.objects.get(pk=dict(answered.trailing_metadata())["x-receipt-id"])
        assert (receipt.signal, receipt.transport) == (signal.name, "grpc")


def test_grpc_acknowledges_metrics(channel: grpc.Channel, key: str) -> None:
    before = counted("tracing_metric_points_total")
    call = channel.unary_unary(METRICS.grpc_method)
    assert call(metric_request(2).SerializeToString(), metadata=(("x-bee-authorization", key),), timeout=30) == b""
    assert counted("tracing_metric_points_total") == before + 2


@pytest.mark.parametrize("method", [LOGS.grpc_method, METRICS.grpc_method])
def test_grpc_wants_a_key_and_a_message_that_can_be_read(channel: grpc.Channel, key: str, method: str) -> None:
    call = channel.unary_unary(method)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=30)
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as raised:
        call(b"\xff\xff", metadata=(("x-bee-authorization", key),), timeout=30)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
