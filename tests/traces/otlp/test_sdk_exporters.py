"""The stock OpenTelemetry exporters, configured by nothing but environment variables."""

import subprocess
import sys

import pytest

from spans.models import Span
from tests.servers import clean_environment
from tests.traces.otlp.conftest import HttpReceiver

pytestmark = pytest.mark.django_db(transaction=True)

PROGRAM = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.exporter.otlp.proto.{transport}.trace_exporter import OTLPSpanExporter

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("program", "1.0")
with tracer.start_as_current_span("parent", attributes={{"number": 1, "list": ["a", "b"]}}):
    with tracer.start_as_current_span("child") as child:
        child.add_event("event", {{"at": 1.5}})
provider.shutdown()
"""


def run(transport: str, **variables: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(transport=transport)],
        env=clean_environment(OTEL_SERVICE_NAME="program", **variables),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def assert_stored() -> None:
    child, parent = Span.objects.order_by("name")
    assert (child.name, child.parent_span_id) == ("child", parent.span_id)
    assert parent.attributes == {"number": 1, "list": ["a", "b"]}
    assert child.events[0]["attributes"] == {"at": 1.5}
    assert parent.service_name == "program"
    assert parent.scope["version"] == "1.0"


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_the_http_exporter_sends_with_environment_variables_only(receiver: HttpReceiver, compression: str) -> None:
    run(
        "http",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_HEADERS=f"x-bee-authorization={receiver.key}",
        OTEL_EXPORTER_OTLP_COMPRESSION=compression,
    )
    assert_stored()


@pytest.mark.parametrize("compression", [{}, {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}])
def test_the_grpc_exporter_sends_with_environment_variables_only(
    grpc_target: str, key: str, compression: dict[str, str]
) -> None:
    run(
        "grpc",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{grpc_target}",
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{key}",
        **compression,
    )
    assert_stored()
