"""The platform's own traces, sent to itself."""

import time

import grpc
import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests import servers
from tests.builders import export_request, span
from traces.otlp import codec


def own_spans(site):
    answer = requests.get(f"{site.url}/v1/spans?limit=100", headers=site.headers, timeout=10)
    return [found["name"] for found in answer.json()["results"] if found["name"] != "a client's"]


@pytest.mark.parametrize("web_workers", ["1", "2"], ids=["one process", "web processes beside it"])
def test_its_own_spans_arrive_at_itself_and_make_no_more_of_themselves(tmp_path, web_workers):
    port = servers.free_port()
    with servers.site(
        data_dir=tmp_path,
        PORT=str(port),
        WEB_WORKERS=web_workers,
        OTEL_SELF_TRACING="true",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20test-key",
        OTEL_BSP_SCHEDULE_DELAY="200",
    ) as site:
        headers = site.headers | {"Content-Type": "application/x-protobuf", "x-request-id": "mine"}
        body = codec.serialize(export_request(span("a client's")), codec.Encoding.PROTOBUF)
        assert requests.post(f"{site.url}/v1/traces", data=body, headers=headers, timeout=10).status_code == 200
        with grpc.insecure_channel(site.grpc_target) as channel:
            TraceServiceStub(channel).Export(
                export_request(span("a client's")), metadata=[("x-bee-authorization", site.key)]
            )
        time.sleep(3)  # ten times as long as a span waits for its export
        first = own_spans(site)
        assert sorted(first) == ["POST /v1/traces", "opentelemetry.proto.collector.trace.v1.TraceService/Export"]
        time.sleep(2)
        # Only the look at it has been added.
        assert sorted(own_spans(site)) == ["GET /v1/spans", *sorted(first)]


def test_it_is_off_by_default(tmp_path):
    port = servers.free_port()
    with servers.site(
        data_dir=tmp_path,
        PORT=str(port),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20test-key",
        OTEL_BSP_SCHEDULE_DELAY="200",
    ) as site:
        requests.get(f"{site.url}/v1/traces", headers=site.headers, timeout=10)
        time.sleep(1)
        assert own_spans(site) == []
