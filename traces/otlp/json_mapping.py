"""Protobuf messages ↔ JSON values by their descriptors: the proto3 JSON mapping with OTLP's deviations.

Ids are hexadecimal, enums integers, keys lowerCamelCase only, unknown keys ignored at every level.
Source: OTLP specification ac2c4b5d, "JSON Protobuf Encoding", and protobuf.dev/programming-guides/json.
"""

import base64
import binascii
import functools
import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from spans.values import NON_FINITE_NAMES, non_finite_name

# Messages inside one another, the outermost included: the limit of protobuf's own parser.
MAX_DEPTH = 100

_ID_FIELDS = {"trace_id", "span_id", "parent_span_id"}
_NOT_STANDARD_BASE64 = str.maketrans("-_", "+/")
_DECIMAL_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_LONGEST_NUMBER = 400


class MappingError(ValueError):
    """A value of the wrong type or shape. The text names the field and never the value."""


class _Field(NamedTuple):
    name: str
    repeated: bool
    # None for message fields
    read: Callable[[Any], Any] | None
    write: Callable[[Any], Any] | None
    oneof: str
    is_attributes: bool


def fill(message: Message, value: object, depth: int = 1) -> None:
    """Set the fields of an empty message from a parsed JSON value. Raises MappingError."""
    if not isinstance(value, dict):
        raise MappingError("an object is expected")
    if depth > MAX_DEPTH:
        raise MappingError("nested too deeply")
    fields = _fields_by_json_name(message.DESCRIPTOR)
    oneofs: set[str] = set()
    for key, item in value.items():
        field = fields.get(key)
        if field is None or item is None:
            continue
        if field.oneof:
            if field.oneof in oneofs:
                raise MappingError(f"{key}: only one kind of {field.oneof} can be set")
            oneofs.add(field.oneof)
        try:
            _fill_field(message, field, item, depth)
        except MappingError as error:
            raise MappingError(f"{key}.{error}" if field.read is None else f"{key}: {error}") from None


def _fill_field(message: Message, field: _Field, item: object, depth: int) -> None:
    if field.repeated:
        if not isinstance(item, list):
            raise MappingError("an array is expected")
        target = getattr(message, field.name)
        if field.is_attributes:
            for element in item:
                if depth > MAX_DEPTH - 2 or not _add_plain(target, element):
                    fill(target.add(), element, depth + 1)
        elif field.read is None:
            for element in item:
                fill(target.add(), element, depth + 1)
        else:
            target.extend([field.read(element) for element in item])
    elif field.read is None:
        target = getattr(message, field.name)
        target.SetInParent()
        fill(target, item, depth + 1)
    else:
        setattr(message, field.name, field.read(item))


def _add_plain(attributes: Any, element: Any) -> bool:
    """Add an attribute as nearly all are, a key with one text or integer, in a quarter of the time that `fill` takes.

    Returns False where it is another one, or wrong.
    """
    if type(element) is not dict or len(element) != 2:
        return False
    key, value = element.get("key"), element.get("value")
    if type(key) is not str or type(value) is not dict or len(value) != 1:
        return False
    ((kind, plain),) = value.items()
    if kind == "stringValue" and type(plain) is str:
        attribute = attributes.add()
        attribute.key = key
        attribute.value.string_value = plain
    elif kind == "intValue" and type(plain) is int and -(2**63) <= plain < 2**63:
        attribute = attributes.add()
        attribute.key = key
        attribute.value.int_value = plain
    else:
        return False
    return True


def to_json(message: Message) -> dict[str, Any]:
    """A message as JSON values; fields that are not set are left out."""
    result: dict[str, Any] = {}
    fields = _fields_by_name(message.DESCRIPTOR)
    for descriptor, value in message.ListFields():
        json_name, field = fields[descriptor.name]
        write = field.write or to_json
        result[json_name] = [write(item) for item in value] if field.repeated else write(value)
    return result


@functools.cache
def _fields_by_json_name(descriptor: Descriptor) -> dict[str, _Field]:
    return dict(_fields_by_name(descriptor).values())


@functools.cache
def _fields_by_name(descriptor: Descriptor) -> dict[str, tuple[str, _Field]]:
    return {field.name: (field.json_name, _field(field)) for field in descriptor.fields}


def _field(field: FieldDescriptor) -> _Field:
    read, write = _conversions(field)
    oneof = field.containing_oneof.name if field.containing_oneof else ""
    is_attributes = field.is_repeated and field.message_type is KeyValue.DESCRIPTOR
    return _Field(field.name, field.is_repeated, read, write, oneof, is_attributes)


def _conversions(field: FieldDescriptor) -> tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]:
    """How a scalar field is read from JSON and written to it; None for a message."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        return None, None
    if kind == FieldDescriptor.CPPTYPE_STRING:
        if field.type == FieldDescriptor.TYPE_STRING:
            return _read_string, _same
        return (_read_hex, bytes.hex) if field.name in _ID_FIELDS else (_read_base64, _write_base64)
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return _read_bool, _same
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return _read_double, _write_double
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return _read_enum, _same
    bits = 64 if kind in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64) else 32
    signed = kind in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_INT32)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return functools.partial(_read_integer, low, high), str if bits == 64 else _same


def _same(value: Any) -> Any:
    return value


def _read_string(value: object) -> str:
    if isinstance(value, str):
        return value
    raise MappingError("a string is expected")


def _read_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise MappingError("true or false is expected")


def _read_enum(value: object) -> int:
    if type(value) is int and -(2**31) <= value < 2**31:
        return value
    raise MappingError("an integer is expected (OTLP sends enums as numbers, not as names)")


def _read_integer(low: int, high: int, value: object) -> int:
    number: Decimal | int | None = None
    if type(value) is int:
        number = value
    elif isinstance(value, float) and abs(value) < 2**63:  # beyond it the JSON parser has rounded an integer
        number = Decimal(value)
    elif isinstance(value, str):
        number = int(value) if _DECIMAL_INTEGER.fullmatch(value) else _decimal(value)
    if number is None:
        raise MappingError("an integer is expected")
    if not low <= number <= high:
        raise MappingError(f"an integer from {low} to {high} is expected")
    if number != int(number):
        raise MappingError("an integer is expected, not a fraction")
    return int(number)


def _decimal(text: str) -> Decimal | None:
    """A number in exponent or decimal notation, which the mapping allows for integers too."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _read_double(value: object) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        if value in NON_FINITE_NAMES:
            return NON_FINITE_NAMES[value]
        number = _decimal(value)
        if number is None:
            raise MappingError("a number is expected")
        value = float(number)
        if math.isinf(value):
            raise MappingError("the number is too large for a double")
        return value
    if type(value) is int:
        return float(value)
    raise MappingError("a number is expected")


def _write_double(value: float) -> float | str:
    return value if math.isfinite(value) else non_finite_name(value)


def _read_hex(value: object) -> bytes:
    try:
        return binascii.unhexlify(_read_string(value))
    except ValueError:
        raise MappingError("hexadecimal digits are expected (OTLP ids are not base64)") from None


def _read_base64(value: object) -> bytes:
    text = _read_string(value).translate(_NOT_STANDARD_BASE64).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise MappingError("base64 is expected") from None


def _write_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
