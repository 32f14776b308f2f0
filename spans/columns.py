"""The normalized columns of a span, declared once for the bulk writer, `renormalizespans`, the summaries and the API.

The model and the record spell them out for their types; a test holds them together.
"""

from typing import NamedTuple


class UsagePart(NamedTuple):
    """Tokens that are a part of `whole`, input or output. `label` stands behind their number: "64 reasoning"."""

    name: str
    whole: str
    label: str
    about: str


USAGE_PARTS = (
    UsagePart("cached_input_tokens", "input_tokens", "cached", "Input tokens read from a cache."),
    UsagePart("cache_creation_input_tokens", "input_tokens", "written to a cache", "Input tokens written to a cache."),
    UsagePart(
        "cache_creation_1h_input_tokens",
        "input_tokens",
        "written for an hour",
        "Those of the written ones that the cache keeps for an hour, not for five minutes.",
    ),
    UsagePart("audio_input_tokens", "input_tokens", "audio in", "Input tokens of audio."),
    UsagePart("image_input_tokens", "input_tokens", "image in", "Input tokens of images."),
    UsagePart("reasoning_tokens", "output_tokens", "reasoning", "Output tokens spent on reasoning."),
    UsagePart("audio_output_tokens", "output_tokens", "audio out", "Output tokens of audio."),
)
USAGE_PART_NAMES = tuple(part.name for part in USAGE_PARTS)

COUNTS = ("input_tokens", "output_tokens", *USAGE_PART_NAMES)
MONEY = ("cost_usd",)
FLAGS = ("is_error",)
LABELS = ("labels",)
TEXTS = (
    "span_type", "operation_name", "provider_name", "request_model", "response_model", "tool_name", "session_id",
    "user_id", "input_preview", "output_preview", "error_type", "framework_trace_id", "unpriced_reason",
)  # fmt: skip
NORMALIZED = (*TEXTS, *COUNTS, *MONEY, *FLAGS, *LABELS)
