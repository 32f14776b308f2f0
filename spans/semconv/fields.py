"""The fields of the normalized form: what each means, and how a raw value becomes one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from django.conf import settings

from spans.columns import USAGE_PARTS
from spans.semconv.json_values import decode_json
from spans.short_texts import distinct
from spans.values import NonFinite

TEXT_CHARACTERS = 500
ID_FIELDS = 3
MONEY_PLACES = Decimal("0.0000000001")
# Beyond these a number is no usage of a span; below them the sums of millions of spans fit into their columns.
MAX_TOKENS = 10**12
MAX_COST_USD = 10**6


def text(value: Any) -> str | None:
    """A non-empty text of at most 500 characters, so that every column can be indexed; of a list the first item.

    U+0000, which JSON inside a text can bring along and PostgreSQL refuses, is replaced.
    """
    found = long_text(value)
    return found if found is None or len(found) <= TEXT_CHARACTERS else found[:TEXT_CHARACTERS]


def long_text(value: Any) -> str | None:
    """A non-empty text of any length; numbers as written; of a list its first item."""
    if isinstance(value, str):
        return (value.replace("\x00", "\ufffd") if "\x00" in value else value) or None
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and value:
        return long_text(value[0])
    return None


# Values that stand for an id that must not be told, or that is not there
_NO_ID = re.compile(
    r"[\s_]*(?:[\[<({]+[\s_]*(?:scrubbed|redacted|filtered|masked|removed|hidden|anonymi[sz]ed|sanitized|sensitive)(?![a-z0-9])[^\])>}]*"
    r"[\])>}]+|scrubbed|redacted|filtered|masked|removed|[*\u2022\u25cf\u2588]{3,}|x{4,}|null|none|undefined)[\s_]*",
    re.IGNORECASE,
)
_NO_ID_CHARACTERS = 200


def identifier(value: Any) -> str | None:
    """The id of a session or user, as `stored_id` keeps it; none where it was scrubbed: "[REDACTED]", "***"."""
    if type(value) is str and len(value) <= _NO_ID_CHARACTERS:
        return _short_identifier(value)
    found = long_text(value)
    if found is None or len(found) > _NO_ID_CHARACTERS:
        return found and stored_id(found)
    return _short_identifier(found)


@lru_cache(maxsize=4096)
def _short_identifier(text: str) -> str | None:
    """All spans of a trace have the same."""
    return None if _NO_ID.fullmatch(text) else long_text(text)


def stored_id(text: str) -> str:
    """The id of a session or user that was sent, as columns and lists have it; safe to repeat.

    Two long ones may differ only at their ends: one of more than ID_FIELDS times MAX_FIELD_BYTES ends in a digest of
    the whole.
    """
    return text if len(text) <= TEXT_CHARACTERS else distinct(text, ID_FIELDS * settings.MAX_FIELD_BYTES)


def count(value: Any) -> int | None:
    """A count of tokens: a whole number from 0 to MAX_TOKENS, also as text; 0 is a count."""
    if type(value) is int:
        return value if 0 <= value <= MAX_TOKENS else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and 0 <= value <= MAX_TOKENS else None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return count(int(value)) if len(value) < 20 else None
    return None


def money(value: Any) -> Decimal | None:
    """US dollars with ten decimal places, from 0 to MAX_COST_USD."""
    if isinstance(value, bool | NonFinite) or not isinstance(value, str | int | float):
        return None
    try:
        amount = Decimal(str(value)).quantize(MONEY_PLACES)
    except InvalidOperation:
        return None
    return amount if 0 <= amount <= MAX_COST_USD else None


def milliseconds(value: Any) -> float | None:
    if isinstance(value, bool | NonFinite) or not isinstance(value, int | float) or value < 0:
        return None
    return round(float(value), 6)


def texts(value: Any) -> list[str] | None:
    """A list of texts; a single text counts as one, an empty list is a value."""
    value = decode_json(value)
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [item if isinstance(item, str) else str(item) for item in value if item is not None]
    return None


def as_it_is(value: Any) -> Any:
    return value


def anything(value: Any) -> Any:
    return decode_json(value)


def mapping(value: Any) -> dict[str, Any] | None:
    value = decode_json(value)
    return dict(value) if isinstance(value, Mapping) and value else None


def flag(value: Any) -> bool | None:
    """True or False, also as text."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Field:
    """stored: needed while receiving, for a column. lazy: content, of which receiving reads no more
    than its preview needs. merged: all sources together, the first one winning key by key.
    """

    name: str
    coerce: Callable[[Any], Any]
    about: str
    stored: bool = False
    lazy: bool = False
    merged: bool = False


FIELDS: tuple[Field, ...] = (
    Field("span_type", text, "What the span did: MLflow's span types.", stored=True),
    Field(
        "operation_name", text, "The operation, in OpenTelemetry's words: chat, embeddings, execute_tool.", stored=True
    ),
    Field("provider_name", text, "Who ran the model, by OpenTelemetry's well-known name.", stored=True),
    Field("request_model", text, "The model that was asked for.", stored=True),
    Field("response_model", text, "The model that answered.", stored=True),
    Field("tool_name", text, "The tool that ran.", stored=True),
    Field("input_tokens", count, "Tokens of the prompt, the cached ones included.", stored=True),
    Field("output_tokens", count, "Tokens of the answer, those of reasoning included.", stored=True),
    *(Field(part.name, count, part.about, stored=True) for part in USAGE_PARTS),
    Field("total_tokens", count, "The total as the SDK reported it.", stored=True),
    Field(
        "counts_of",
        text,
        "Whose counts these are: `provider` where the SDK passes them on, with parts beside the whole.",
        stored=True,
    ),
    Field("cached_audio_input_tokens", count, "Those of the cached tokens that are audio.", stored=True),
    Field("cached_image_input_tokens", count, "Those of the cached tokens that are images.", stored=True),
    Field("image_output_tokens", count, "Output tokens of images.", stored=True),
    Field("service_tier", text, "The service tier: priority, flex, batch; other prices hold for it.", stored=True),
    Field("cost_usd", money, "The cost that the SDK reported.", stored=True),
    Field("session_id", identifier, "The session, conversation or thread.", stored=True),
    Field("user_id", identifier, "The end user.", stored=True),
    Field("title", text, "What people call the span, where its name is a template.", stored=True),
    Field("trace_name", text, "The name of the whole trace, on whichever span it comes.", stored=True),
    Field("trace_input", as_it_is, "What the whole trace was asked.", stored=True),
    Field("trace_output", as_it_is, "What the whole trace answered.", stored=True),
    Field("is_error", flag, "That it failed, where its status does not say so.", stored=True),
    Field("error_type", text, "The class of the error.", stored=True),
    Field("error_message", long_text, "What the error said.", stored=True),
    Field("framework_trace_id", text, "The framework's own id of the run.", stored=True),
    Field("input_messages", anything, "The messages sent to the model, in one schema.", stored=True, lazy=True),
    Field("output_messages", anything, "The model's answers, in one schema.", stored=True, lazy=True),
    Field("input", as_it_is, "What went in, where it is not messages.", stored=True, lazy=True),
    Field("output", as_it_is, "What came out, where it is not messages.", stored=True, lazy=True),
    Field("system_instructions", anything, "System instructions that are kept apart from the messages."),
    Field("tool_arguments", anything, "The arguments that the tool was called with."),
    Field("tool_result", anything, "What the tool gave back."),
    Field("tool_call_id", text, "The id of the call that the tool answers."),
    Field("tool_description", long_text, "What the tool says of itself."),
    Field("tool_definitions", anything, "The tools offered to the model."),
    Field("documents", anything, "What a retriever found: id, score, content, metadata."),
    Field("embedding_inputs", texts, "The texts that were embedded; never the vectors."),
    Field("request_parameters", mapping, "Temperature, limits, seed and so on.", merged=True),
    Field("finish_reasons", texts, "Why the model stopped, one for each answer."),
    Field("response_id", text, "The provider's id of the answer."),
    Field("time_to_first_token_ms", milliseconds, "Milliseconds to the first piece of the answer."),
    Field("agent_name", text, "The agent at work."),
    Field("tags", texts, "Tags."),
    Field("metadata", mapping, "Metadata that the program attached.", merged=True),
    Field("environment", text, "The deployment environment."),
    Field("release", text, "The release of the program."),
    Field("prompt_name", text, "The name of the prompt template."),
    Field("prompt_version", text, "Its version."),
    Field("prompt_template", long_text, "Its text."),
    Field("prompt_variables", mapping, "What was put into it."),
)
