"""Query parameters: what they are in the OpenAPI document, and how their text is read.

Messages follow bee-observe's ("querystring/limit must be <= 100"); parameters that nobody knows are ignored.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.utils import OpenApiParameter

from spans.timestamps import to_unix_nano
from traces.api.errors import invalid_argument
from traces.reading.queries import is_storable

MAX_INTEGER = 2**63 - 1
MAX_TEXT = 1_000
# Sessions and users have ids of any length; a request's head holds some 60,000 bytes.
MAX_ID = 50_000
_INTEGER = re.compile(r"-?[0-9]{1,30}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,10})?", re.ASCII)


class Invalid(Exception):
    """The text is no value of its parameter; the message completes "querystring/NAME "."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    description: str
    schema: dict[str, Any]
    parse: Callable[[str], Any]
    default: Any = None

    @property
    def openapi(self) -> OpenApiParameter:
        schema = self.schema if self.default in (None, "") else self.schema | {"default": self.default}
        return OpenApiParameter(self.name, schema, OpenApiParameter.QUERY, description=self.description)


def integer(
    name: str, description: str, *, minimum: int = 0, maximum: int = MAX_INTEGER, default: int | None = None
) -> Parameter:
    def parse(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise Invalid("must be integer")
        if (value := int(text)) < minimum:
            raise Invalid(f"must be >= {minimum}")
        if value > maximum:
            raise Invalid(f"must be <= {maximum}")
        return value

    bounds = {"minimum": minimum} | ({} if maximum == MAX_INTEGER else {"maximum": maximum})
    return Parameter(name, description, {"type": "integer"} | bounds, parse, default)


def boolean(name: str, description: str, *, default: bool | None = None) -> Parameter:
    def parse(text: str) -> bool:
        if text not in {"true", "false"}:
            raise Invalid("must be boolean")
        return text == "true"

    return Parameter(name, description, {"type": "boolean"}, parse, default)


def string(name: str, description: str, *, maximum: int = MAX_TEXT) -> Parameter:
    """A text; an empty one counts as not given."""

    def parse(text: str) -> str:
        if len(text) > maximum:
            raise Invalid(f"must NOT have more than {maximum} characters")
        if not is_storable(text):
            raise Invalid("must NOT have NUL characters")
        return text

    return Parameter(name, description, {"type": "string", "maxLength": maximum}, parse, "")


def choice(name: str, description: str, values: Sequence[str], *, default: str = "") -> Parameter:
    def parse(text: str) -> str:
        if text not in values:
            raise Invalid("must be equal to one of the allowed values: " + ", ".join(values))
        return text

    return Parameter(name, description, {"type": "string", "enum": list(values)}, parse, default or None)


def amount(name: str, description: str) -> Parameter:
    def parse(text: str) -> Decimal:
        if not _DECIMAL.fullmatch(text):
            raise Invalid("must be a number >= 0, like 0.05")
        return Decimal(text)

    return Parameter(name, description, {"type": "number", "minimum": 0}, parse)


def milliseconds(name: str, description: str) -> Parameter:
    """Milliseconds, fractions allowed; the value is nanoseconds."""
    whole = amount(name, description)
    return Parameter(name, description, whole.schema, lambda text: int(whole.parse(text) * 1_000_000))


def moment(name: str, description: str) -> Parameter:
    """An ISO 8601 time, UTC where it names no zone, or Unix nanoseconds; the value is nanoseconds."""

    def parse(text: str) -> int:
        if _INTEGER.fullmatch(text) and 0 <= (value := int(text)) <= MAX_INTEGER:
            return value
        try:
            parsed = parse_datetime(text)
            if parsed is None and (day := parse_date(text)):
                parsed = datetime.datetime.combine(day, datetime.time())
        except ValueError:
            parsed = None
        if parsed is None:
            raise Invalid("must be an ISO 8601 time like 2026-01-31T12:00:00Z, or Unix nanoseconds")
        value = to_unix_nano(parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC))
        return min(max(value, 0), MAX_INTEGER)

    return Parameter(name, description, {"type": "string"}, parse)


def read(query: QueryDict, parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The values by name, defaults where a parameter is not given. Raises ApiError (400)."""
    values: dict[str, Any] = {}
    for parameter in parameters:
        texts = query.getlist(parameter.name)
        try:
            if len(texts) > 1:
                raise Invalid(f"must be {parameter.schema['type']}")
            values[parameter.name] = parameter.parse(texts[0]) if texts else parameter.default
        except Invalid as error:
            raise invalid_argument(f"querystring/{parameter.name} {error}", parameter.description) from None
    return values
