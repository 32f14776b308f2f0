"""The usage of a span: its tokens with all of their parts, and what they cost."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from spans.columns import COUNTS, MONEY
from spans.pricing import OwnPrice, Price, Tokens, own_price, price
from spans.semconv.fields import MAX_COST_USD
from spans.semconv.token_counts import Whole, whole_counts

# Spans of other types that report usage report sums of calls.
CALL_TYPES = frozenset(("LLM", "CHAT_MODEL", "EMBEDDING", "RERANKER"))

# The fields that may say something of a span's usage: without any of them it has none.
USAGE = frozenset((*COUNTS, *MONEY))

Get = Callable[[str], Any]


class SpanUsage(NamedTuple):
    """What was mended of the counts, None where nothing was, and the price that was found: None for a reported cost."""

    whole: Whole | None
    price: Price | None


def clear_usage(record: Any) -> None:
    """Set the columns of a span that reports no usage, as most spans do."""
    record.input_tokens = record.output_tokens = None
    record.cached_input_tokens = record.cache_creation_input_tokens = record.cache_creation_1h_input_tokens = None
    record.audio_input_tokens = record.image_input_tokens = None
    record.reasoning_tokens = record.audio_output_tokens = None
    record.cost_usd = None
    record.unpriced_reason = ""


def set_usage(record: Any, get: Get, own: Sequence[OwnPrice] = ()) -> SpanUsage:
    """Set the counts, the cost and why there is none. `get` finds fields by name, as they were sent; type, provider
    and models are set already. `own`: the project's prices.
    """
    record.input_tokens = get("input_tokens")
    record.output_tokens = get("output_tokens")
    record.cached_input_tokens = get("cached_input_tokens")
    record.cache_creation_input_tokens = get("cache_creation_input_tokens")
    record.cache_creation_1h_input_tokens = get("cache_creation_1h_input_tokens")
    record.audio_input_tokens = get("audio_input_tokens")
    record.image_input_tokens = get("image_input_tokens")
    record.reasoning_tokens = get("reasoning_tokens")
    record.audio_output_tokens = get("audio_output_tokens")
    record.cost_usd = get("cost_usd")
    record.unpriced_reason = ""
    if record.input_tokens is None and record.output_tokens is None:
        return SpanUsage(None, None)
    whole = whole_counts(get, record.provider_name, record.response_model or record.request_model)
    if whole is not None:
        record.input_tokens, record.output_tokens = whole.input, whole.output
    if record.cost_usd is not None:
        return SpanUsage(whole, None)
    found = price_of(
        record, tokens_of(record, get, 0 if whole is None else whole.unexplained), get("service_tier"), own
    )
    record.cost_usd = found.usd
    if found.usd is None and (record.input_tokens or record.output_tokens):
        record.unpriced_reason = found.unpriced_reason
    return SpanUsage(whole, found)


def tokens_of(record: Any, get: Get, unexplained: int = 0) -> Tokens:
    """The tokens of a span whose counts are set."""
    return Tokens(
        record.input_tokens or 0,
        record.output_tokens or 0,
        record.cached_input_tokens or 0,
        record.cache_creation_input_tokens or 0,
        record.cache_creation_1h_input_tokens or 0,
        record.audio_input_tokens,
        get("cached_audio_input_tokens"),
        record.image_input_tokens,
        get("cached_image_input_tokens"),
        record.audio_output_tokens,
        get("image_output_tokens"),
        record.reasoning_tokens or 0,
        unexplained,
        record.span_type not in CALL_TYPES,
    )


def price_of(record: Any, tokens: Tokens, service_tier: str | None, own: Sequence[OwnPrice] = ()) -> Price:
    """The price of so many tokens of the span's model, the one that answered or else the one asked for.

    The project's own prices come before the list. A price above MAX_COST_USD is none.
    """
    models = _models(record.response_model, record.request_model)
    at_unix_nano = record.start_time_unix_nano
    for model in models if own else ():
        found = own_price(own, record.provider_name, model, at_unix_nano, tokens)
        if found is not None:
            return _bounded(Price(found, is_own=True))
    first: Price | None = None
    for model in models:
        listed = price(record.provider_name, model, at_unix_nano, tokens, (service_tier or "").lower())
        if listed.usd is not None:
            return _bounded(listed)
        first = first or listed
    return first or Price(None, "the span names no model")


def _bounded(found: Price) -> Price:
    too_much = found.usd is not None and found.usd > MAX_COST_USD
    return Price(None, f"above {MAX_COST_USD} dollars it is no price of a call") if too_much else found


def _models(response_model: str, request_model: str) -> list[str]:
    """The names of the model, the more exact one first: of us.anthropic.claude-x and claude-x the former."""
    if response_model == request_model:
        return [request_model] if request_model else []
    if not request_model:
        return [response_model]
    if not response_model:
        return [request_model]
    if response_model in request_model:
        return [request_model, response_model]
    return [response_model, request_model]
