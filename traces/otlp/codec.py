"""Bytes ↔ protobuf messages in OTLP's two encodings, and bounded decompression. All errors are OtlpError.

Source: OTLP specification ac2c4b5d, "OTLP/HTTP Request" and "Binary Protobuf Encoding".
"""

import enum
import re
import zlib
from collections.abc import Iterator
from typing import TypeVar, cast

import orjson
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from traces.otlp import json_mapping, split
from traces.otlp.errors import BAD_DATA, UNSUPPORTED_MEDIA_TYPE, OtlpError, too_large, too_many
from traces.otlp.wire_types import MAX_FIELDS, TooManyFields, find_wrong_wire_type

M = TypeVar("M", bound=Message)

# Empty elements cost two bytes to send and a hundred to hold; no sender has a use for so many.
MAX_EMPTY_ELEMENTS = 1_000_000
# A parsed object takes some 250 bytes, another value or a string some 60. An attribute has two objects, five strings.
MAX_JSON_CONTAINERS = 2_000_000
MAX_JSON_TOKENS = 8_000_000
# Above this, a part of a request is read for the number of its fields before it is parsed.
_LARGE_PART_BYTES = 4 * split.PART_BYTES
_INFLATE_STEP_BYTES = 16 * 1024
# A string, also one that is cut off, or what comes with every other value
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[{\[,]', re.DOTALL)
_EMPTY_JSON_ELEMENT = re.compile(rb"\{\s*\}|\[\s*\]")
# Tag and length 0 of a length-delimited field 1 to 15, which has every message field of OTLP's traces.
_EMPTY_PROTOBUF_ELEMENTS = [bytes((number << 3 | 2, 0)) for number in range(1, 16)]


class Encoding(enum.Enum):
    """The value is the media type of requests and answers."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header, without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def encoding_of(content_type: str) -> Encoding:
    """The encoding that a Content-Type header names. Raises OtlpError (415)."""
    try:
        return Encoding(media_type(content_type))
    except ValueError:
        raise OtlpError(
            UNSUPPORTED_MEDIA_TYPE,
            "unsupported Content-Type: send application/x-protobuf or application/json",
        ) from None


def answer_encoding(content_type: str) -> Encoding:
    """The encoding to answer in, also when the request's own is not supported: then JSON."""
    return Encoding.PROTOBUF if media_type(content_type) == Encoding.PROTOBUF.value else Encoding.JSON


def parse(body: bytes, message_class: type[M], encoding: Encoding) -> M:
    """The message in a body. No bytes are protobuf's empty message, and no JSON. Raises OtlpError (400).

    Nesting is limited to json_mapping.MAX_DEPTH messages in both encodings, which is what protobuf itself allows.
    """
    return _parse_json(body, message_class) if encoding is Encoding.JSON else _parse_protobuf(body, message_class)


def parse_export(body: bytes, message_class: type[M], encoding: Encoding) -> Iterator[M]:
    """The parts of an export request, parsed one after the other: a large protobuf body is never parsed as a whole.

    For any signal: their envelopes have the same field numbers.

    Raises OtlpError (400, 413), also after parts that were well-formed.
    """
    if encoding is Encoding.JSON or len(body) <= split.PART_BYTES:
        yield parse(body, message_class, encoding)
        return
    for part in split.split(body):
        if len(part) > _LARGE_PART_BYTES:
            _check_wire_types(part, cast(Descriptor, message_class.DESCRIPTOR))
        message = _parse_protobuf(part, message_class)
        del part  # not in memory while its message is read
        yield message


def serialize(message: Message, encoding: Encoding) -> bytes:
    """The message as a body of the encoding."""
    if encoding is Encoding.JSON:
        return orjson.dumps(json_mapping.to_json(message))
    return message.SerializeToString()


def decompress(body: bytes, coding: str, limit_bytes: int) -> bytes:
    """The body without its Content-Encoding. Inflating stops at the limit. Raises OtlpError (400, 413, 415)."""
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return body
    if coding in {"gzip", "x-gzip"}:
        return _inflate(body, "gzip", zlib.MAX_WBITS | 16, limit_bytes)
    if coding == "deflate":
        return _inflate(body, "deflate", zlib.MAX_WBITS, limit_bytes)
    raise OtlpError(UNSUPPORTED_MEDIA_TYPE, "unsupported Content-Encoding: send gzip, deflate or identity")


def _inflate(body: bytes, name: str, wbits: int, limit_bytes: int) -> bytes:
    """All members of a gzip body (RFC 1952), or the one zlib stream (RFC 1950) of a deflate body.

    The body is fed in steps, because each member's end copies what was fed and not used.
    """
    parts: list[bytes] = []
    size = position = 0
    try:
        while position < len(body):
            if position and name == "deflate":
                raise zlib.error("data after the end")
            stream = zlib.decompressobj(wbits)
            pending = b""
            while not stream.eof:
                if not pending:
                    if position >= len(body):
                        raise zlib.error("cut short")
                    pending = body[position : position + _INFLATE_STEP_BYTES]
                    position += len(pending)
                part = stream.decompress(pending, limit_bytes - size + 1)
                size += len(part)
                if size > limit_bytes:
                    raise too_large(limit_bytes)
                if part:
                    parts.append(part)
                pending = stream.unconsumed_tail
            position -= len(stream.unused_data)
    except zlib.error as error:
        raise OtlpError(BAD_DATA, f"broken {name} body: {error}") from None
    return b"".join(parts)


def _parse_json(body: bytes, message_class: type[M]) -> M:
    containers = body.count(b"{") + body.count(b"[")
    if containers > MAX_JSON_CONTAINERS or body.count(b",") + containers > MAX_JSON_TOKENS // 2:
        _count_json_tokens(body)
    if containers > MAX_EMPTY_ELEMENTS:
        _refuse_bomb(sum(1 for _ in _EMPTY_JSON_ELEMENT.finditer(body)))
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise OtlpError(BAD_DATA, f"malformed JSON: {error.msg} at character {error.pos}") from None
    message = message_class()
    try:
        json_mapping.fill(message, document)
    except json_mapping.MappingError as error:
        raise OtlpError(BAD_DATA, f"JSON does not fit {message.DESCRIPTOR.name}: {error}") from None
    return message


def _count_json_tokens(body: bytes) -> None:
    """Refuse what would take far more memory parsed than sent. What stands in strings is not counted."""
    containers = 0
    for tokens, match in enumerate(_JSON_TOKEN.finditer(body), 1):
        containers += body[match.start()] in b"{["
        if containers > MAX_JSON_CONTAINERS:
            raise too_many(MAX_JSON_CONTAINERS, "objects and arrays")
        if tokens > MAX_JSON_TOKENS:
            raise too_many(MAX_JSON_TOKENS, "values")


def _parse_protobuf(body: bytes, message_class: type[M]) -> M:
    if len(body) > MAX_EMPTY_ELEMENTS and body.count(0) > MAX_EMPTY_ELEMENTS:
        _refuse_bomb(sum(map(body.count, _EMPTY_PROTOBUF_ELEMENTS)))
    try:
        message = message_class.FromString(body)
        message.DiscardUnknownFields()
        known_bytes = message.ByteSize()
        # The cheap tests first: equal sizes mean that nothing was discarded.
        if known_bytes != len(body) and known_bytes != message_class.FromString(body).ByteSize():
            _check_wire_types(body, cast(Descriptor, message.DESCRIPTOR))
    except DecodeError as error:
        detail = str(error).partition(": ")[2] or "not a protobuf message"
        raise OtlpError(BAD_DATA, f"malformed protobuf for {message_class.DESCRIPTOR.name}: {detail}") from None
    return message


def _check_wire_types(body: bytes, descriptor: Descriptor) -> None:
    try:
        name = find_wrong_wire_type(body, descriptor)
    except TooManyFields:
        raise too_many(MAX_FIELDS, "fields in one span or in unknown fields") from None
    if name:
        raise OtlpError(BAD_DATA, f"malformed protobuf: wrong wire type for {name}")


def _refuse_bomb(count: int) -> None:
    if count > MAX_EMPTY_ELEMENTS:
        raise too_many(MAX_EMPTY_ELEMENTS, "empty elements")
