"""A request in parts means what the whole means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spans.limits import limits
from spans.sanitizers import sanitize
from tests.builders import export_request, span
from tests.traces.otlp.strategies import requests
from traces.otlp import codec, split
from traces.otlp.decode import decode
from traces.otlp.errors import BAD_DATA, TOO_LARGE, OtlpError


def parts(body: bytes) -> list[ExportTraceServiceRequest]:
    return [ExportTraceServiceRequest.FromString(part) for part in split.split(body)]


def content(found: list[ExportTraceServiceRequest]) -> list[tuple[object, ...]]:
    """What is stored of the spans, as text: NaN differs from itself."""
    rows = []
    for record in decode(found).records:
        sanitize(record, limits())
        texts = (record.attributes_json, record.events_json, record.links_json, record.warnings_json)
        rows.append((record.trace_id, record.span_id, record.name, *texts, record.resource.json, record.scope.json))
    return rows


@settings(max_examples=60, deadline=None)
@given(requests, st.integers(1, 500))
def test_the_spans_of_the_parts_are_those_of_the_whole(request: ExportTraceServiceRequest, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "PART_BYTES", size)
        found = parts(request.SerializeToString())
    assert content(found) == content([request])


def test_a_part_has_about_its_size() -> None:
    body = export_request(*[span(attrs={"k": "x" * 1000}) for _ in range(5_000)]).SerializeToString()
    sizes = [len(part) for part in split.split(body)]
    assert len(sizes) > 4
    assert max(sizes) < split.PART_BYTES + 10_000


def test_unknown_fields_and_schema_urls_go_into_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "PART_BYTES", 1)
    request = export_request(span(), span(), resource={"service.name": "s"})
    request.resource_spans[0].schema_url = "https://schema"
    for part in parts(request.SerializeToString() + b"\xf8\x3f\x01")[1:]:
        assert part.resource_spans[0].schema_url == "https://schema"
        assert part.resource_spans[0].resource == request.resource_spans[0].resource


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_otlp_errors(body: bytes) -> None:
    fault = None
    try:
        list(split.split(body))
    except OtlpError as error:
        fault = error.fault
    assert fault in {None, BAD_DATA, TOO_LARGE}


@settings(max_examples=60, deadline=None)
@given(requests, st.randoms(use_true_random=False))
def test_what_the_parser_refuses_the_parts_refuse_too(request: ExportTraceServiceRequest, rng) -> None:
    damaged = bytearray(request.SerializeToString())
    for _ in range(min(len(damaged), 3)):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    body = bytes(damaged)

    def outcome(parse) -> object:
        try:
            return content(parse())
        except OtlpError as error:
            return error.fault

    whole = outcome(lambda: [codec.parse(body, ExportTraceServiceRequest, codec.Encoding.PROTOBUF)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "PART_BYTES", 1)
        split_up = outcome(lambda: list(codec.parse_export(body, ExportTraceServiceRequest, codec.Encoding.PROTOBUF)))
    assert split_up == whole
