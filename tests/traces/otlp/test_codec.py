"""Bytes to messages and back: OTLP requirements 1.2, 1.4, 1.5, 2.2, 2.3, 4.1, 4.3, 6.3 and 6.8."""

import gzip
import json
import math
import random
import tracemalloc
import zlib
from typing import Any

import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.builders import export_request, span
from tests.traces.otlp import strategies
from traces.otlp import codec
from traces.otlp.codec import Encoding
from traces.otlp.errors import BAD_DATA, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, OtlpError

LIMIT = 64 * 1024 * 1024
TRACE_ID = "5B8EFFF798038103D269B633813FC60C"
SPAN_ID = "EEE19B7EC3C1B174"


def parse_json(document: Any) -> ExportTraceServiceRequest:
    return codec.parse(json.dumps(document).encode(), ExportTraceServiceRequest, Encoding.JSON)


def parse_protobuf(body: bytes) -> ExportTraceServiceRequest:
    return codec.parse(body, ExportTraceServiceRequest, Encoding.PROTOBUF)


def span_document(**fields: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": TRACE_ID, "spanId": SPAN_ID, **fields}]}]}]}


def parsed_span(**fields: Any) -> Any:
    return parse_json(span_document(**fields)).resource_spans[0].scope_spans[0].spans[0]


def parsed_value(value: Any) -> AnyValue:
    return parsed_span(attributes=[{"key": "k", "value": value}]).attributes[0].value


def nested(levels: int, kind: str = "kvlist") -> ExportTraceServiceRequest:
    request = export_request(span())
    value = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="k").value
    for _ in range(levels):
        value = value.kvlist_value.values.add(key="k").value if kind == "kvlist" else value.array_value.values.add()
    value.string_value = "deep"
    return request


def fault(function: Any, *arguments: Any) -> Any:
    with pytest.raises(OtlpError) as raised:
        function(*arguments)
    return raised.value.fault


def refused(body: bytes, encoding: Encoding) -> bool:
    """Whether the body is bad data; any other failure is the test's."""
    try:
        codec.parse(body, ExportTraceServiceRequest, encoding)
    except OtlpError as error:
        return error.fault is BAD_DATA or pytest.fail(f"unexpected fault {error.fault}")
    return False


# Media types


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/x-protobuf", Encoding.PROTOBUF),
        ("Application/X-Protobuf; charset=utf-8", Encoding.PROTOBUF),
        ("application/json", Encoding.JSON),
        ("APPLICATION/JSON;charset=UTF-8", Encoding.JSON),
    ],
)
def test_media_types_are_case_insensitive_and_may_have_parameters(content_type: str, encoding: Encoding) -> None:
    assert codec.encoding_of(content_type) is encoding


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/protobuf", "application/jsonx", "*/*"])
def test_other_media_types_are_unsupported(content_type: str) -> None:
    assert fault(codec.encoding_of, content_type) is UNSUPPORTED_MEDIA_TYPE


# Both encodings


@settings(max_examples=150, deadline=None)
@given(strategies.requests)
def test_a_message_survives_both_encodings(request: Message) -> None:
    for encoding in Encoding:
        body = codec.serialize(request, encoding)
        parsed = codec.parse(body, ExportTraceServiceRequest, encoding)
        assert parsed.SerializeToString(deterministic=True) == request.SerializeToString(deterministic=True)


def test_no_bytes_are_an_empty_request_in_protobuf() -> None:
    assert codec.parse(b"", ExportTraceServiceRequest, Encoding.PROTOBUF) == ExportTraceServiceRequest()


NO_JSON_OBJECTS = [
    b"",
    b" ",
    b"\r\n",
    b"null",
    b"[]",
    b'""',
    b"0",
    b"false",
    b"[{}]",
    b"\xef\xbb\xbf",
    b"\x00",
    b"{}{}",
]


@pytest.mark.parametrize("body", NO_JSON_OBJECTS)
@pytest.mark.parametrize(
    "message_class", [ExportTraceServiceRequest, ExportLogsServiceRequest, ExportMetricsServiceRequest]
)
def test_what_is_no_json_object_is_malformed_for_every_signal(message_class: type[Message], body: bytes) -> None:
    assert fault(codec.parse, body, message_class, Encoding.JSON) is BAD_DATA
    assert codec.parse(b"{}", message_class, Encoding.JSON) == message_class()


@pytest.mark.parametrize("kind", ["kvlist", "array"])
def test_both_encodings_have_the_same_nesting_limit(kind: str) -> None:
    accepted = dict.fromkeys(Encoding, 0)
    for levels in range(1, 60):
        request = nested(levels, kind)
        for encoding in Encoding:
            if not refused(codec.serialize(request, encoding), encoding):
                assert accepted[encoding] == levels - 1
                accepted[encoding] = levels
    assert accepted[Encoding.JSON] == accepted[Encoding.PROTOBUF] >= 20


@pytest.mark.parametrize("levels", [1_000, 100_000])
def test_json_nested_ten_thousands_deep_is_refused(levels: int) -> None:
    value = b'{"arrayValue":{"values":[' * levels + b"]}}" * levels
    body = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":' + value + b"}]}}]}"
    assert fault(codec.parse, body, ExportTraceServiceRequest, Encoding.JSON) is BAD_DATA


def test_the_codec_knows_logs_and_status_messages_too() -> None:
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": TRACE_ID, "severityNumber": 9}]}]}]}
    parsed = codec.parse(json.dumps(logs).encode(), ExportLogsServiceRequest, Encoding.JSON)
    assert parsed.resource_logs[0].scope_logs[0].log_records[0].trace_id.hex() == TRACE_ID.lower()
    assert json.loads(codec.serialize(Status(code=3, message="no"), Encoding.JSON)) == {"code": 3, "message": "no"}


def test_an_answer_without_partial_success_is_an_empty_object() -> None:
    assert codec.serialize(ExportTraceServiceResponse(), Encoding.JSON) == b"{}"


def test_rejected_spans_are_a_decimal_string_in_json() -> None:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 3
    assert json.loads(codec.serialize(response, Encoding.JSON)) == {"partialSuccess": {"rejectedSpans": "3"}}


# JSON


@pytest.mark.parametrize("text", [TRACE_ID, TRACE_ID.lower()])
def test_ids_are_hexadecimal_in_either_case(text: str) -> None:
    parsed = parsed_span(traceId=text, parentSpanId=SPAN_ID.lower(), links=[{"traceId": text, "spanId": SPAN_ID}])
    assert parsed.trace_id.hex() == TRACE_ID.lower()
    assert parsed.parent_span_id.hex() == SPAN_ID.lower()
    assert parsed.links[0].trace_id.hex() == TRACE_ID.lower()
    assert parsed.links[0].span_id.hex() == SPAN_ID.lower()


def test_ids_in_base64_are_refused() -> None:
    with pytest.raises(OtlpError, match="not base64"):
        parsed_span(traceId="W47/95gDgQPSabYzgT/GDA==")


def test_enums_are_integers_and_unknown_numbers_stay() -> None:
    parsed = parsed_span(kind=77, status={"code": 2})
    assert (parsed.kind, parsed.status.code) == (77, 2)


@pytest.mark.parametrize("kind", ["SPAN_KIND_SERVER", "2", 1.5, True, 2**31])
def test_enums_in_another_form_are_refused(kind: Any) -> None:
    assert fault(parse_json, span_document(kind=kind)) is BAD_DATA


def test_keys_are_lower_camel_case_only() -> None:
    assert not parse_json({"resource_spans": [{}]}).resource_spans


def test_unknown_fields_are_ignored_at_every_level() -> None:
    document = {
        "new": [1, {"deep": None}],
        "resourceSpans": [
            {
                "new": {},
                "resource": {"new": 1, "attributes": [{"key": "k", "value": {"stringValue": "v", "new": 1}, "new": 2}]},
                "scopeSpans": [{"new": "x", "scope": {"new": 1}, "spans": [{"new": 1, "events": [{"new": []}]}]}],
            }
        ],
    }
    request = parse_json(document)
    assert request.resource_spans[0].resource.attributes[0].value.string_value == "v"
    assert len(request.resource_spans[0].scope_spans[0].spans[0].events) == 1


@pytest.mark.parametrize("number", [1544712660123456789, "1544712660123456789"])
def test_times_come_as_strings_or_numbers(number: Any) -> None:
    assert parsed_span(startTimeUnixNano=number).start_time_unix_nano == 1544712660123456789


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, 0, -1])
def test_all_64_bits_of_an_integer_stay(value: int) -> None:
    assert parsed_value({"intValue": str(value)}).int_value == value
    assert parsed_value({"intValue": value}).int_value == value


@pytest.mark.parametrize(("text", "number"), [("1e3", 1000), ("12.0", 12), (1e2, 100), ("-0", 0), ("007", 7)])
def test_integers_may_be_written_with_exponent(text: Any, number: int) -> None:
    assert parsed_value({"intValue": text}).int_value == number


@pytest.mark.parametrize(
    "number",
    [2**63, str(2**63), -(2**63) - 1, "1.5", 1.5, "1e999999999", "", " 1", "1_0", "0x10", "١", True, [], {}, "NaN"],
)
def test_what_is_no_64_bit_integer_is_refused(number: Any) -> None:
    assert fault(parsed_value, {"intValue": number}) is BAD_DATA


@pytest.mark.parametrize("count", [-1, 2**32, "-1", "x", 0.5])
def test_what_is_no_32_bit_count_is_refused(count: Any) -> None:
    assert fault(parse_json, span_document(droppedEventsCount=count)) is BAD_DATA


@pytest.mark.parametrize(("text", "number"), [("Infinity", math.inf), ("-Infinity", -math.inf), ("1.5", 1.5), (3, 3.0)])
def test_doubles_may_be_strings_and_infinite(text: Any, number: float) -> None:
    value = parsed_value({"doubleValue": text})
    assert value.WhichOneof("value") == "double_value"
    assert value.double_value == number


def test_not_a_number_is_a_double() -> None:
    assert math.isnan(parsed_value({"doubleValue": "NaN"}).double_value)


@pytest.mark.parametrize("number", ["nan", "inf", "1e999", "", True, None.__class__.__name__, [1], " 1"])
def test_what_is_no_double_is_refused(number: Any) -> None:
    assert fault(parsed_value, {"doubleValue": number}) is BAD_DATA


@pytest.mark.parametrize("text", ["-_8=", "+/8=", "+/8", "-_8"])
def test_bytes_are_base64_of_either_alphabet_with_or_without_padding(text: str) -> None:
    assert parsed_value({"bytesValue": text}).bytes_value == b"\xfb\xff"


def test_the_empty_value_and_empty_containers_differ() -> None:
    assert parsed_value({}).WhichOneof("value") is None
    assert parsed_value({"stringValue": ""}).WhichOneof("value") == "string_value"
    assert parsed_value({"arrayValue": {}}).WhichOneof("value") == "array_value"
    assert parsed_value({"kvlistValue": {"values": []}}).WhichOneof("value") == "kvlist_value"


def test_null_is_a_field_that_is_not_set() -> None:
    assert parsed_span(name=None, attributes=None, status=None, kind=None).name == ""


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        1,
        None,
        {"resourceSpans": {}},
        {"resourceSpans": [1]},
        {"resourceSpans": [None]},
        {"resourceSpans": [[]]},
        {"resourceSpans": [{"scopeSpans": "x"}]},
        span_document(name=1),
        span_document(name={"a": 1}),
        span_document(attributes={"k": "v"}),
        span_document(attributes=[{"key": 1}]),
        span_document(attributes=[{"key": "k", "value": "text"}]),
        span_document(attributes=[{"key": "k", "value": {"boolValue": "true"}}]),
        span_document(attributes=[{"key": "k", "value": {"boolValue": 1}}]),
        span_document(attributes=[{"key": "k", "value": {"stringValue": 5}}]),
        span_document(attributes=[{"key": "k", "value": {"bytesValue": "%%"}}]),
        span_document(attributes=[{"key": "k", "value": {"arrayValue": []}}]),
        span_document(attributes=[{"key": "k", "value": {"stringValue": "a", "intValue": 1}}]),
        span_document(startTimeUnixNano=-1),
        span_document(startTimeUnixNano=2**64),
        span_document(spanId="abc"),
        span_document(spanId=5),
        span_document(traceId="é" * 32),
    ],
)
def test_json_of_a_wrong_shape_or_type_is_bad_data(document: Any) -> None:
    assert fault(parse_json, document) is BAD_DATA


@pytest.mark.parametrize(
    "body",
    [b"{", b"nul", b'{"a":}', b"\xff", b'{"a":NaN}', b'"\\ud800"', b"{} {}", b" ", b"\xef\xbb\xbf{}", b'{"a":"\xff"}'],
)
def test_malformed_json_is_bad_data(body: bytes) -> None:
    assert fault(codec.parse, body, ExportTraceServiceRequest, Encoding.JSON) is BAD_DATA


def test_lone_surrogates_in_json_are_refused() -> None:
    body = json.dumps(span_document(name="\ud800")).encode()
    assert fault(codec.parse, body, ExportTraceServiceRequest, Encoding.JSON) is BAD_DATA


def test_error_messages_do_not_quote_the_payload() -> None:
    with pytest.raises(OtlpError) as raised:
        parse_json(span_document(kind="a secret"))
    assert "secret" not in raised.value.message
    assert "kind" in raised.value.message


# Protobuf


def test_known_fields_with_a_wrong_wire_type_are_bad_data() -> None:
    assert fault(parse_protobuf, bytes.fromhex("08E82010B817")) is BAD_DATA


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param(b"\x2a\x01x", id="name is field 5: right, so this one is accepted"),
        pytest.param(b"\x28\x05", id="name as a varint"),
        pytest.param(b"\x30\x01\x0a\x01x\x48\x01", id="attributes as a varint"),
        pytest.param(b"\x38\x05", id="start time as a varint"),
        pytest.param(b"\x7d\x00\x00\x00\x00", id="status as a fixed32"),
    ],
)
def test_wrong_wire_types_are_found_at_every_level(inner: bytes) -> None:
    def wrap(number: int, content: bytes) -> bytes:
        return bytes((number << 3 | 2, len(content))) + content

    body = wrap(1, wrap(2, wrap(2, inner)))
    if inner.startswith(b"\x2a"):
        assert parse_protobuf(body).resource_spans[0].scope_spans[0].spans[0].name == "x"
    else:
        assert fault(parse_protobuf, body) is BAD_DATA


def test_unknown_protobuf_fields_are_ignored() -> None:
    request = export_request(span("kept"))
    unknown = b"\xf8\x3f\x01" + b"\xfa\x3f\x03abc"  # field 1023 as varint and as bytes
    assert parse_protobuf(request.SerializeToString() + unknown) == request


def test_unknown_groups_are_passed_over() -> None:
    group = bytes.fromhex("FB3F") + b"\x08\x01" + bytes.fromhex("FC3F")  # field 1023: a group that holds a varint
    assert parse_protobuf(group) == ExportTraceServiceRequest()
    assert fault(parse_protobuf, group + b"\x08\x01") is BAD_DATA


def test_millions_of_unknown_fields_are_refused_quickly() -> None:
    assert fault(parse_protobuf, b"\xf8\x3f\x01" * 3_000_000) is TOO_LARGE


def test_explicit_zeros_are_no_unknown_fields() -> None:
    body = b"\x0a\x09\x12\x07\x12\x05\x50\x00\x60\x00\x70"  # dropped counts of 0, then a cut tag
    assert fault(parse_protobuf, body) is BAD_DATA
    assert parse_protobuf(b"\x0a\x08\x12\x06\x12\x04\x50\x00\x60\x00").resource_spans


def test_text_that_is_not_unicode_is_refused() -> None:
    body = export_request(span("abcd")).SerializeToString().replace(b"abcd", b"ab\xff\xfe")
    assert fault(parse_protobuf, body) is BAD_DATA


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_raise_nothing_but_the_declared_errors(body: bytes) -> None:
    for encoding in Encoding:
        refused(body, encoding)


@settings(max_examples=200, deadline=None)
@given(strategies.requests, st.randoms(use_true_random=False))
def test_damaged_requests_raise_nothing_but_the_declared_errors(request: Message, rng: random.Random) -> None:
    for encoding in Encoding:
        body = bytearray(codec.serialize(request, encoding))
        for _ in range(rng.randint(1, 4)):
            if body:
                body[rng.randrange(len(body))] = rng.randrange(256)
        refused(bytes(body), encoding)


_KEYS = ["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "events", "status", "traceId", "kind"]
_KEYS += ["intValue", "doubleValue", "bytesValue", "arrayValue", "kvlistValue", "values", "resource", "timeUnixNano"]
_documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.sampled_from(_KEYS), children, max_size=3)
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(_documents)
def test_any_json_document_raises_nothing_but_the_declared_errors(document: Any) -> None:
    refused(json.dumps(document).encode(), Encoding.JSON)


# Bombs


@pytest.mark.parametrize("tag", [b"\x0a", b"\x12", b"\x4a"])
def test_millions_of_empty_protobuf_elements_are_refused_before_they_take_memory(tag: bytes) -> None:
    body = (tag + b"\x00") * 5_000_000
    assert fault(parse_protobuf, body) is TOO_LARGE


@pytest.mark.parametrize("element", [b"{}", b"{ }", b"[]"])
def test_millions_of_empty_json_elements_are_refused_before_they_take_memory(element: bytes) -> None:
    body = b'{"resourceSpans":[' + b",".join([element] * 2_000_000) + b"]}"
    tracemalloc.start()
    assert fault(codec.parse, body, ExportTraceServiceRequest, Encoding.JSON) is TOO_LARGE
    assert tracemalloc.get_traced_memory()[1] < 10 * len(body)
    tracemalloc.stop()


def test_millions_of_small_json_objects_are_refused_before_they_take_memory() -> None:
    body = b'{"new":[' + b",".join([b'{"a":1}'] * 4_000_001) + b"]}"
    tracemalloc.start()
    assert fault(codec.parse, body, ExportTraceServiceRequest, Encoding.JSON) is TOO_LARGE
    assert tracemalloc.get_traced_memory()[1] < len(body)
    tracemalloc.stop()


def test_a_thousand_empty_envelopes_are_a_success() -> None:
    assert len(parse_protobuf(b"\x0a\x00" * 1000).resource_spans) == 1000
    assert len(parse_json({"resourceSpans": [{}] * 1000}).resource_spans) == 1000


# Compression


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_no_coding_leaves_the_body(coding: str) -> None:
    assert codec.decompress(b"body", coding, LIMIT) == b"body"


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip"])
def test_gzip_is_inflated(coding: str) -> None:
    assert codec.decompress(gzip.compress(b"body" * 100_000), coding, LIMIT) == b"body" * 100_000


def test_gzip_may_have_many_members() -> None:
    members = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two" * 50_000)
    assert codec.decompress(members, "gzip", LIMIT) == b"one" + b"two" * 50_000


def test_deflate_is_zlib() -> None:
    assert codec.decompress(zlib.compress(b"body"), "deflate", LIMIT) == b"body"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_every_cut_of_a_compressed_body_is_bad_data(coding: str) -> None:
    whole = gzip.compress(b"body" * 20) if coding == "gzip" else zlib.compress(b"body" * 20)
    for length in range(1, len(whole)):
        assert fault(codec.decompress, whole[:length], coding, LIMIT) is BAD_DATA


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("garbage", [b"x", b"\0", b"garbage" * 10_000])
def test_garbage_after_a_compressed_body_is_bad_data(coding: str, garbage: bytes) -> None:
    whole = gzip.compress(b"body") if coding == "gzip" else zlib.compress(b"body")
    assert fault(codec.decompress, whole + garbage, coding, LIMIT) is BAD_DATA


def test_a_wrong_checksum_or_length_is_bad_data() -> None:
    whole = gzip.compress(b"body")
    for position in (-8, -1):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        assert fault(codec.decompress, bytes(damaged), "gzip", LIMIT) is BAD_DATA


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress", "chunked"])
def test_other_codings_are_unsupported(coding: str) -> None:
    assert fault(codec.decompress, b"", coding, LIMIT) is UNSUPPORTED_MEDIA_TYPE


def test_inflating_stops_at_the_limit() -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), 9)
    tracemalloc.start()
    assert fault(codec.decompress, bomb, "gzip", 1024 * 1024) is TOO_LARGE
    assert tracemalloc.get_traced_memory()[1] < 5 * 1024 * 1024
    tracemalloc.stop()


def test_a_body_of_exactly_the_limit_is_accepted() -> None:
    assert len(codec.decompress(gzip.compress(bytes(1000)), "gzip", 1000)) == 1000
    assert fault(codec.decompress, gzip.compress(bytes(1001)), "gzip", 1000) is TOO_LARGE
