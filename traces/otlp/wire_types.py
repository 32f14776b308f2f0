"""Known field numbers with a wrong wire type, which protobuf's parser takes for unknown fields and ignores.

Source: https://protobuf.dev/programming-guides/encoding/#structure
"""

import functools

from google.protobuf.descriptor import Descriptor, FieldDescriptor

VARINT, FIXED64, LENGTH_DELIMITED, START_GROUP, END_GROUP, FIXED32 = range(6)

# Only bodies with unknown fields are read in Python; this bounds how long that may take (about a second a million).
MAX_FIELDS = 1_000_000

_FIXED64_TYPES = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64}
_FIXED32_TYPES = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_SFIXED32}
_LENGTH_DELIMITED_TYPES = {
    FieldDescriptor.TYPE_STRING,
    FieldDescriptor.TYPE_BYTES,
    FieldDescriptor.TYPE_MESSAGE,
}


class TooManyFields(Exception):
    """The body has more than MAX_FIELDS fields."""


def find_wrong_wire_type(body: bytes, descriptor: Descriptor) -> str:
    """The full name of the first field whose wire type is wrong, or "". The body must be well-formed protobuf.

    Unknown groups are passed over. Raises TooManyFields.
    """
    stack = [(0, len(body), descriptor)]
    visited = 0
    while stack:
        position, end, message = stack.pop()
        fields = _wire_types(message)
        groups = 0
        while position < end:
            visited += 1
            if visited > MAX_FIELDS:
                raise TooManyFields
            tag, position = _varint(body, position)
            wire_type = tag & 7
            known = None if groups else fields.get(tag >> 3)
            if known is not None and wire_type not in known[1]:
                return known[0].full_name
            if wire_type == VARINT:
                _, position = _varint(body, position)
            elif wire_type == LENGTH_DELIMITED:
                length, position = _varint(body, position)
                if known is not None and known[0].message_type is not None:
                    stack.append((position, position + length, known[0].message_type))
                position += length
            elif wire_type == FIXED64:
                position += 8
            elif wire_type == FIXED32:
                position += 4
            else:
                groups += 1 if wire_type == START_GROUP else -1
    return ""


def _varint(body: bytes, position: int) -> tuple[int, int]:
    """The number at the position, and the position after it."""
    value = shift = 0
    while True:
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


@functools.cache
def _wire_types(message: Descriptor) -> dict[int, tuple[FieldDescriptor, set[int]]]:
    """Fields of a message by number, each with the wire types that it may have."""
    return {field.number: (field, _allowed(field)) for field in message.fields}


def _allowed(field: FieldDescriptor) -> set[int]:
    if field.type in _LENGTH_DELIMITED_TYPES:
        return {LENGTH_DELIMITED}
    native = VARINT
    if field.type in _FIXED64_TYPES:
        native = FIXED64
    elif field.type in _FIXED32_TYPES:
        native = FIXED32
    return {native, LENGTH_DELIMITED} if field.is_repeated else {native}
