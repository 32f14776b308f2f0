"""JSON in and out, by orjson; whatever depth the stored data has, an answer can be written."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

# orjson writes 254 levels. Deeper values are shown as far as here; GET …/otlp has them whole.
MAX_DEPTH = 200
CONTENT_TYPE = "application/json; charset=utf-8"
CUT = "… (nested too deeply to be shown here)"


def cut_depth(value: Any, levels: int) -> Any:
    """A copy in which what lies deeper than so many levels is replaced by CUT."""
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        return CUT
    if isinstance(value, dict):
        return {key: cut_depth(item, levels - 1) for key, item in value.items()}
    return [cut_depth(item, levels - 1) for item in value]


def dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return orjson.dumps(cut_depth(value, MAX_DEPTH))


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else dumps(data)


class JSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise ParseError(f"The body has more than {limit} bytes.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"Not JSON: {error.msg} at character {error.pos}.") from None


class AnyAccept(DefaultContentNegotiation):
    """Answers JSON whatever the client accepts, as bee-observe does."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
