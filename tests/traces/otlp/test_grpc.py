"""OTLP over gRPC: requirements 9 and 1.6."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from spans.models import Span
from tests.builders import export_request, span
from tests.traces.otlp.conftest import HttpReceiver
from traces.otlp.grpc_server import ip_address, start_server
from traces.otlp.signals import TRACES

pytestmark = pytest.mark.django_db(transaction=True)


class Client:
    def __init__(self, channel: grpc.Channel, key: str) -> None:
        self.call = channel.unary_unary(TRACES.grpc_method)
        self.key = key

    def export(self, body: bytes, **options: Any) -> ExportTraceServiceResponse:
        metadata = options.pop("metadata", (("x-bee-authorization", self.key),))
        return ExportTraceServiceResponse.FromString(self.call(body, metadata=metadata, timeout=30, **options))

    def failure(self, body: bytes, **options: Any) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as raised:
            self.export(body, **options)
        return raised.value


@pytest.fixture
def client(grpc_target: str, key: str) -> Iterator[Client]:
    with grpc.insecure_channel(grpc_target, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield Client(channel, key)


def retry_info(error: Any) -> RetryInfo | None:
    details = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    if details is None:
        return None
    info = RetryInfo()
    assert Status.FromString(details).details[0].Unpack(info)
    return info


def test_a_span_is_stored(client: Client) -> None:
    assert client.export(export_request(span()).SerializeToString()) == ExportTraceServiceResponse()
    assert Span.objects.count() == 1


def test_gzip_works(client: Client) -> None:
    client.export(export_request(span()).SerializeToString(), compression=grpc.Compression.Gzip)
    assert Span.objects.count() == 1


def test_an_empty_request_is_a_success(client: Client) -> None:
    assert client.export(b"") == ExportTraceServiceResponse()


def test_invalid_spans_are_counted(client: Client) -> None:
    bad = span()
    bad.trace_id = b""
    answer = client.export(export_request(span(), bad).SerializeToString())
    assert answer.partial_success.rejected_spans == 1
    assert "trace_id" in answer.partial_success.error_message


def test_the_same_span_over_grpc_and_http_is_stored_once(client: Client, receiver: HttpReceiver) -> None:
    body = export_request(span(attrs={"n": 1})).SerializeToString()
    client.export(body)
    before = Span.objects.values().get()
    assert receiver.post(body).status == 200
    assert Span.objects.values().get() == before


@pytest.mark.parametrize("metadata", [(), (("x-bee-authorization", "wrong"),), (("authorization", "Basic eA=="),)])
def test_without_a_right_key_it_is_unauthenticated(client: Client, metadata: Any) -> None:
    error = client.failure(b"", metadata=metadata)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("form", ["Bearer {}", "Bearer%20{}", "Bearer+{}", '"{}"'])
@pytest.mark.parametrize("name", ["authorization", "x-bee-authorization", "x-api-key"])
def test_the_key_may_be_a_bearer_token(client: Client, name: str, form: str) -> None:
    client.export(b"", metadata=((name, form.format(client.key)),))


def test_it_says_what_was_wrong_with_the_key_that_was_sent(client: Client) -> None:
    assert "no API key: send" in client.failure(b"", metadata=()).details()
    for value, said in (("Bearer%20", "without a key"), (client.key[:-1], "its end is missing")):
        assert said in client.failure(b"", metadata=(("authorization", value),)).details()


def test_bad_data_is_an_invalid_argument(client: Client) -> None:
    for body in (b"\xff", bytes.fromhex("08E82010B817")):
        error = client.failure(body)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert retry_info(error) is None


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_over_the_limit_is_resource_exhausted_without_retry(
    settings: Any, key: str, compression: grpc.Compression, transactional_db: None
) -> None:
    settings.MAX_BODY_BYTES = 1_000_000
    server = start_server("127.0.0.1", 0)
    try:
        with grpc.insecure_channel(server.address) as channel:
            error = Client(channel, key).failure(bytes(1_000_001), compression=compression)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert retry_info(error) is None
    finally:
        server.stop()


def test_overload_is_unavailable_with_retry_info(client: Client, settings: Any) -> None:
    settings.MAX_CONCURRENT_EXPORTS = 0
    error = client.failure(b"")
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    info = retry_info(error)
    assert info is not None
    assert info.retry_delay.seconds == settings.RETRY_AFTER_SECONDS


def test_many_concurrent_calls_on_one_channel_work(client: Client) -> None:
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda _: client.export(export_request(span()).SerializeToString()), range(200)))
    assert Span.objects.count() == 200


def test_other_services_are_unimplemented(grpc_target: str) -> None:
    with grpc.insecure_channel(grpc_target) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/other.Service/Call")(b"")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_taken_port_is_said_clearly(grpc_target: str) -> None:
    host, port = grpc_target.split(":")
    with pytest.raises(OSError, match=port):
        start_server(host, int(port))


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:50123", "10.0.0.7"),
        ("ipv6:%5B2001:db8::1%5D:50123", "2001:db8::1"),
        ("ipv6:[::1]:50123", "::1"),
        ("unix:/run/grpc.sock", "unix:/run/grpc.sock"),
    ],
)
def test_a_senders_address_has_no_port(peer: str, address: str) -> None:
    assert ip_address(peer) == address
