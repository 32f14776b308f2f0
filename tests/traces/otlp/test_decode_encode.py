"""Requests to records and stored rows back to OTLP: requirements 5 and 6, and every capture."""

import json
import math
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from spans.models import Span
from spans.records import SpanRecord
from spans.values import NonFinite, TaggedMap, dumps
from tests import corpus
from tests.builders import export_request, span
from tests.traces.otlp import strategies
from traces.otlp import codec
from traces.otlp.codec import Encoding
from traces.otlp.decode import Decoded
from traces.otlp.decode import decode as decode_parts
from traces.otlp.encode import traces_data


def decode(request: ExportTraceServiceRequest) -> Decoded:
    return decode_parts([request])


def row(record: SpanRecord) -> Span:
    """The row of a record, as it comes back from the database."""
    plain = "span_id parent_span_id name kind start_time_unix_nano end_time_unix_nano status_code status_message "
    plain += "trace_state flags dropped_attributes_count dropped_events_count dropped_links_count"
    fields = {name: getattr(record, name) for name in plain.split()}
    for name in ("attributes", "events", "links"):
        fields[name] = orjson.loads(dumps(getattr(record, name)))
    return Span(**fields, resource=orjson.loads(record.resource.json), scope=orjson.loads(record.scope.json))


def encoded(request: ExportTraceServiceRequest) -> list[TracesData]:
    by_trace: dict[str, list[SpanRecord]] = {}
    for record in decode(request).records:
        by_trace.setdefault(record.trace_id, []).append(record)
    return [traces_data(trace_id, map(row, records)) for trace_id, records in by_trace.items()]


def flat(messages: Iterable[Any]) -> list[tuple[bytes, str, bytes, str, bytes]]:
    """Each span with its resource and scope, as comparable bytes."""

    def key(message: Message) -> bytes:
        return message.SerializeToString(deterministic=True)

    return sorted(
        (key(group.resource), group.schema_url, key(scope_group.scope), scope_group.schema_url, key(message))
        for data in messages
        for group in data.resource_spans
        for scope_group in group.scope_spans
        for message in scope_group.spans
    )


def decoded_value(value: Any) -> Any:
    return decode(export_request(span(attrs={"k": value}))).records[0].attributes["k"]


@settings(max_examples=200, deadline=None)
@given(strategies.requests)
def test_encoding_is_the_inverse_of_decoding(request: ExportTraceServiceRequest) -> None:
    assert flat(encoded(request)) == flat([request])


@settings(max_examples=50, deadline=None)
@given(strategies.requests)
def test_protobuf_and_json_of_a_request_decode_to_the_same_records(request: ExportTraceServiceRequest) -> None:
    decoded = [
        decode(codec.parse(codec.serialize(request, encoding), ExportTraceServiceRequest, encoding))
        for encoding in Encoding
    ]
    assert [dumps(record.attributes) for record in decoded[0].records] == [
        dumps(record.attributes) for record in decoded[1].records
    ]
    assert flat(map_rows(decoded[0].records)) == flat(map_rows(decoded[1].records))


def map_rows(records: list[SpanRecord]) -> list[TracesData]:
    return [traces_data(record.trace_id, [row(record)]) for record in records]


def test_every_capture_decodes_and_encodes_exactly() -> None:
    for family in corpus.FAMILIES:
        for request in corpus.capture(family).requests:
            for group in request.resource_spans:
                group.resource.SetInParent()
                for scope_group in group.scope_spans:
                    scope_group.scope.SetInParent()
                    for message in scope_group.spans:
                        message.status.SetInParent()
            assert not decode(request).rejected, family
            for data in encoded(request):
                again = codec.parse(codec.serialize(data, Encoding.JSON), TracesData, Encoding.JSON)
                assert again == data, family
            assert flat(encoded(request)) == flat([request]), family


# Values


@pytest.mark.parametrize(
    "value",
    ["", "text", "1", "true", '{"a": 1}', True, False, 0, 1, -(2**63), 2**63 - 1, 0.0, 1.0, 1e300, b"", b"\x00\xff"],
)
def test_values_keep_their_type(value: Any) -> None:
    decoded = decoded_value(value)
    assert (type(decoded), decoded) == (type(value), value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_doubles_without_a_json_number_are_marked(value: float) -> None:
    decoded = decoded_value(value)
    assert isinstance(decoded, NonFinite)
    assert repr(float(decoded)) == repr(value)


def test_arrays_may_be_mixed_and_empty() -> None:
    assert decoded_value([1, "1", True, None, [], {}, b"x"]) == [1, "1", True, None, [], {}, b"x"]


def test_the_empty_value_is_none() -> None:
    assert decoded_value(None) is None


def test_a_map_with_a_key_like_a_tag_is_not_taken_for_one() -> None:
    assert decoded_value({"$bytes": "aGk="}) == TaggedMap({"$bytes": "aGk="})
    assert decoded_value({"bytes": "aGk="}) == {"bytes": "aGk="}


def test_an_attribute_named_like_a_tag_stays_an_attribute() -> None:
    request = export_request(span(attrs={"$bytes": "aGk=", "$map": {"a": 1}}))
    assert flat(encoded(request))[0][4] == flat([with_status(request)])[0][4]


def with_status(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    request.resource_spans[0].scope_spans[0].spans[0].status.SetInParent()
    return request


def test_of_equal_keys_the_last_wins() -> None:
    message = span(attrs={"k": "first"})
    message.attributes.add(key="k").value.string_value = "last"
    assert decode(export_request(message)).records[0].attributes == {"k": "last"}


@pytest.mark.parametrize("key", ["", " ", "a.b.c", "0", "__class__", "'; DROP TABLE spans", "k" * 5000, "κλειδί"])
def test_keys_are_opaque(key: str) -> None:
    assert decode(export_request(span(attrs={key: 1}))).records[0].attributes == {key: 1}


# What is invalid, and what is not


@pytest.mark.parametrize("trace_id", [b"", b"x", bytes(16), b"x" * 15, b"x" * 17])
def test_invalid_trace_ids_are_rejected_and_counted(trace_id: bytes) -> None:
    bad = span()
    bad.trace_id = trace_id
    decoded = decode(export_request(span("good"), bad, bad))
    assert [record.name for record in decoded.records] == ["good"]
    assert [(rejection.count, "trace_id" in rejection.reason) for rejection in decoded.rejected] == [(2, True)]


@pytest.mark.parametrize("span_id", [b"", b"x", bytes(8), b"x" * 7, b"x" * 9])
def test_invalid_span_ids_are_rejected_and_counted(span_id: bytes) -> None:
    bad = span()
    bad.span_id = span_id
    decoded = decode(export_request(bad, span("good")))
    assert [record.name for record in decoded.records] == ["good"]
    assert [(rejection.count, "span_id" in rejection.reason) for rejection in decoded.rejected] == [(1, True)]


def test_times_that_no_column_holds_are_rejected() -> None:
    late = span()
    late.end_time_unix_nano = 2**63
    last = span()
    last.end_time_unix_nano = 2**63 - 1
    decoded = decode(export_request(late, last))
    assert len(decoded.records) == 1
    assert [rejection.count for rejection in decoded.rejected] == [1]


@pytest.mark.parametrize("parent", [b"", b"\x01", bytes(8), b"x" * 16])
def test_odd_parents_are_kept_as_hex(parent: bytes) -> None:
    child = span()
    child.parent_span_id = parent
    assert decode(export_request(child)).records[0].parent_span_id == parent.hex()


def test_missing_times_and_names_are_no_fault() -> None:
    message = span("")
    message.ClearField("start_time_unix_nano")
    message.ClearField("end_time_unix_nano")
    record = decode(export_request(message)).records[0]
    assert (record.name, record.start_time_unix_nano, record.end_time_unix_nano) == ("", 0, 0)


@pytest.mark.parametrize(
    ("service", "shown"), [("shop", "shop"), (5, "5"), (True, "true"), (["a", 1], '["a",1]'), (None, ""), ("", "")]
)
def test_a_strange_service_name_is_shown_as_text(service: Any, shown: str) -> None:
    record = decode(export_request(span(), resource={"service.name": service})).records[0]
    assert record.resource.service_name == shown


def test_spans_without_a_resource_and_scope_are_kept() -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.append(span())
    record = decode(request).records[0]
    assert (record.resource.json, record.scope.json, record.resource.service_name) == (b"{}", b"{}", "")


def test_nul_in_resource_and_scope_is_replaced_with_a_warning() -> None:
    request = export_request(span(), service="sh\0op", scope="sc\0ope", resource={"a\0": ["\0"]})
    record = decode(request).records[0]
    assert record.resource.service_name == "sh\ufffdop"
    assert record.scope.name == "sc\ufffdope"
    assert json.loads(record.resource.json)["attributes"]["a\ufffd"] == ["\ufffd"]
    assert len(record.warnings) == 2


def test_each_span_has_its_own_resource_and_scope() -> None:
    request = export_request(span("one"), service="first")
    request.MergeFrom(export_request(span("two"), service="second", scope="other"))
    records = decode(request).records
    assert [(record.resource.service_name, record.scope.name) for record in records] == [
        ("first", "test-scope"),
        ("second", "other"),
    ]
    assert records[0].resource is not records[1].resource
