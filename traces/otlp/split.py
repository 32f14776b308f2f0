"""A large export request as a row of small ones, so that its parsed form is never in memory as a whole.

A parsed element may take fifty times its bytes on the wire. Only the envelopes are read here, by their wire format;
every field that is no envelope and no span goes as it is into each part that it belongs to, so the parts together mean
what the whole does. Source: https://protobuf.dev/programming-guides/encoding/#structure
"""

from collections.abc import Iterator

from django.conf import settings

from traces.otlp.errors import BAD_DATA, OtlpError, too_many

PART_BYTES = 1024 * 1024
# Field 1 of ExportTraceServiceRequest, field 2 of ResourceSpans and of ScopeSpans, all length-delimited
_RESOURCE_SPANS, _SCOPE_SPANS, _SPANS = 0x0A, 0x12, 0x12
# Beside the envelopes and spans; real requests have a handful an envelope.
_MAX_OTHER_FIELDS = 1_000_000

Slice = tuple[int, int]
Pieces = list[bytes | memoryview]


def split(body: bytes) -> Iterator[bytes]:
    """Export requests of about PART_BYTES each, more only where one span or resource is larger.

    About half a microsecond a span. Raises OtlpError (400, 413) at the limits on spans and resources, before the
    spans over the limit are parsed.
    """
    yield from _Splitter(body).parts()


class _Splitter:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.view = memoryview(body)
        self.left = {
            "resources": settings.MAX_RESOURCES_PER_REQUEST,
            "scopes": settings.MAX_SPANS_PER_REQUEST,
            "spans": settings.MAX_SPANS_PER_REQUEST,
            "other fields": _MAX_OTHER_FIELDS,
        }
        self.limits = self.left.copy()

    def parts(self) -> Iterator[bytes]:
        part: Pieces = []  # of the body itself: only the part that is yielded is a copy
        size = 0
        resources, rest = self.children(0, len(self.body), _RESOURCE_SPANS, "resources")
        if rest:
            yield rest
        for start, end in resources:
            scopes, resource = self.children(start, end, _SCOPE_SPANS, "scopes")
            groups: Pieces = []
            for scope_start, scope_end in scopes:
                spans, scope = self.children(scope_start, scope_end, _SPANS, "spans")
                run: Pieces = []
                for span_start, span_end in spans:
                    run += _header(_SPANS, span_end - span_start), self.view[span_start:span_end]
                    size += span_end - span_start
                    if size >= PART_BYTES:
                        groups += _field(_SCOPE_SPANS, [scope, *run])
                        part += _field(_RESOURCE_SPANS, [resource, *groups])
                        yield b"".join(part)
                        part, groups, run, size = [], [], [], 0
                # Envelopes without spans are kept too: their other fields must be well-formed.
                if run or not spans:
                    groups += _field(_SCOPE_SPANS, [scope, *run])
                    size += len(scope)
            if groups or not scopes:
                part += _field(_RESOURCE_SPANS, [resource, *groups])
                size += len(resource)
            if size >= PART_BYTES:
                yield b"".join(part)
                part, size = [], 0
        if part:
            yield b"".join(part)

    def children(self, position: int, end: int, tag: int, name: str) -> tuple[list[Slice], bytes]:
        """Where the contents of all fields with this tag lie in a message, and its other fields joined."""
        body = self.body
        left, others_left = self.left[name], self.left["other fields"]
        children: list[Slice] = []
        rest: list[bytes] = []
        rest_start = position
        groups = others = 0
        try:
            while position < end:
                start = position
                key, position = _varint(body, position)
                wire_type = key & 7
                if wire_type == 2:
                    length, position = _varint(body, position)
                    content = position
                    position += length
                    if key == tag and not groups:
                        children.append((content, position))
                        rest.append(body[rest_start:start])
                        rest_start = position
                        if len(children) > left:
                            raise too_many(self.limits[name], name)
                elif wire_type == 0:
                    _, position = _varint(body, position)
                elif wire_type == 1:
                    position += 8
                elif wire_type == 5:
                    position += 4
                else:
                    groups += 1 if wire_type == 3 else -1
                if position > end:
                    raise IndexError
                others += 1
                if others - len(children) > others_left:
                    raise too_many(self.limits["other fields"], "other fields")
        except IndexError:
            raise OtlpError(BAD_DATA, "malformed protobuf: a field is longer than its message") from None
        self.left[name] -= len(children)
        self.left["other fields"] -= others - len(children)
        rest.append(body[rest_start:end])
        return children, b"".join(rest)


def _varint(body: bytes, position: int) -> tuple[int, int]:
    """The number at the position, and the position after it. Raises IndexError."""
    byte = body[position]
    if byte < 0x80:
        return byte, position + 1
    value = byte & 0x7F
    for shift in range(7, 70, 7):
        position += 1
        byte = body[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
    raise IndexError


def _field(tag: int, content: Pieces) -> Pieces:
    """A length-delimited field."""
    return [_header(tag, sum(map(len, content))), *content]


def _header(tag: int, length: int) -> bytes:
    header = bytearray((tag,))
    while length > 0x7F:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    header.append(length)
    return bytes(header)
