"""The platform's own OpenTelemetry traces: a server span for each request, off unless OTEL_SELF_TRACING is set.

The SDK's own variables say where spans go (OTEL_EXPORTER_OTLP_*), how many (OTEL_TRACES_SAMPLER) and under which name
(OTEL_SERVICE_NAME). Sent to this platform itself, a span makes an export request, which would make a span, and so on
for ever: so the exporter marks its requests, and a marked request has no span, in whichever process it arrives.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import requests
from django.conf import settings
from opentelemetry import propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

MARK = "x-self-tracing"
SERVICE_NAME = "llm-tracing"

_tracer = trace.get_tracer("llm-tracing")


@cache
def start_exporting() -> None:
    """Set up the SDK, if OTEL_SELF_TRACING is on and it is not set up in this process yet.

    Raises ImportError where the package's extra `otel` is not installed.
    """
    if not settings.OTEL_SELF_TRACING:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    session = requests.Session()
    session.headers[MARK] = "1"
    resource = Resource.create({"service.version": settings.GIT_TAG})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE_NAME}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(session=session)))
    trace.set_tracer_provider(provider)


@contextmanager
def request_span(name: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """A server span around a request, child of the span that its headers (lower-case names) tell of."""
    if not settings.OTEL_SELF_TRACING or MARK in headers:
        yield trace.INVALID_SPAN
        return
    with _tracer.start_as_current_span(
        name,
        propagate.extract(headers),
        kind=SpanKind.SERVER,
        record_exception=False,  # its text may quote data
        set_status_on_exception=False,
    ) as span:
        yield span


def describe(span: Span, attributes: Mapping[str, str | int], is_failure: bool) -> None:
    span.set_attributes(attributes)
    if is_failure:
        span.set_status(Status(StatusCode.ERROR))


def current_ids() -> dict[str, str]:
    """trace_id and span_id of the platform's own current span, in hex; empty without one."""
    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"} if context.is_valid else {}
