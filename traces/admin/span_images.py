"""Images that a span holds in its attributes and events, as data URIs that a page can show: pure.

Normalized messages name images and leave their bytes where they are (`spans.semconv.messages`).
"""

import re
from collections.abc import Iterator
from typing import Any

from spans.models import Span

MAX_IMAGES = 12
# Base64 digits; larger images are read from the raw JSON.
MAX_DIGITS = 2_000_000
# What base64 of each format begins with, in a data URI, in JSON or alone.
MEDIA_TYPES = {"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
IMAGE = re.compile(rf'(?:^|[",])((?:{"|".join(MEDIA_TYPES)})[A-Za-z0-9+/]{{40,}}={{0,2}})')


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, in order."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            left.extend(reversed(item.values()))
        elif isinstance(item, list):
            left.extend(reversed(item))


def images(span: Span) -> list[str]:
    """Data URIs of PNG, JPEG, GIF and WebP images, each once, MAX_IMAGES at most. The span has its payload."""
    held = [span.attributes, *(event.get("attributes") for event in span.events)]
    found: dict[str, None] = {}
    for text in texts(held):
        for digits in IMAGE.findall(text):
            if len(digits) <= MAX_DIGITS:
                media_type = next(type_ for start, type_ in MEDIA_TYPES.items() if digits.startswith(start))
                found[f"data:{media_type};base64,{digits}"] = None
            if len(found) == MAX_IMAGES:
                return list(found)
    return list(found)
