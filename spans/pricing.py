"""What a call cost: by a project's own prices, else by the price list (`spans.price_list`).

A price is complete or it is none: where something that changes it is not known, or the list has no price of it, the
reason is said instead.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from spans.price_list import SECONDS_A_QUARTER, Listed, listed

PLACES = Decimal("0.0000000001")
MILLION = 1_000_000
NANOSECONDS_A_QUARTER = SECONDS_A_QUARTER * 10**9
# Whose caches cost more to write than plain input: where the list has no price of it, there is none.
DEAR_WRITERS = frozenset(("anthropic", "aws"))
# Whose audio costs what text does where the list has no price of its own.
AUDIO_AS_TEXT = frozenset(("google",))


class Tokens(NamedTuple):
    """The tokens of a call. All others are parts of `input` and `output`; None: the SDK does not say.

    unexplained: of the input, those that may have been read from a cache or written to one.  is_sum: of several calls.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    written_1h: int = 0
    audio_input: int | None = None
    cached_audio: int | None = None
    image_input: int | None = None
    cached_image: int | None = None
    audio_output: int | None = None
    image_output: int | None = None
    reasoning: int = 0
    unexplained: int = 0
    is_sum: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether no tokens are told apart that may have another price."""
        return not (any(self[2:11]) or self.unexplained)


class Price(NamedTuple):
    """US dollars with ten decimal places, or None and the reason."""

    usd: Decimal | None
    unpriced_reason: str = ""
    is_own: bool = False


class OwnPrice(NamedTuple):
    """A project's price of a model: US dollars a million tokens. It holds from one moment on and before another.

    provider: "" for any.  model: its name, or its beginning followed by a star.  cached_input: None is as input.
    """

    provider: str
    model: str
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    valid_from_unix_nano: int | None = None
    valid_before_unix_nano: int | None = None

    def holds(self, provider: str, model: str, at_unix_nano: int) -> bool:
        names = (model, model.rsplit("/", 1)[-1])
        start = self.model[:-1] if self.model.endswith("*") else None
        return (
            self.provider in ("", provider)
            and (self.valid_from_unix_nano is None or self.valid_from_unix_nano <= at_unix_nano)
            and (self.valid_before_unix_nano is None or at_unix_nano < self.valid_before_unix_nano)
            and (self.model in names if start is None else any(name.startswith(start) for name in names))
        )

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Of several that hold the greatest counts: the more exact one, then the later one."""
        exact = not self.model.endswith("*")
        return exact, bool(self.provider), len(self.model), self.valid_from_unix_nano or 0


def own_price(
    prices: Iterable[OwnPrice], provider: str, model: str, at_unix_nano: int, tokens: Tokens
) -> Decimal | None:
    """US dollars for one call by a project's prices, or None where none holds.

    They know input, cached input and output: tokens written to a cache, of audio and of images cost what those do.
    """
    found = max(
        (own for own in prices if own.holds(provider, model, at_unix_nano)), key=lambda own: own.rank, default=None
    )
    if found is None:
        return None
    cached = found.input if found.cached_input is None else found.cached_input
    plain = max(0, tokens.input - tokens.cached)
    return ((found.input * plain + cached * tokens.cached + found.output * tokens.output) / MILLION).quantize(PLACES)


def price(provider: str, model: str, at_unix_nano: int, tokens: Tokens, tier: str = "") -> Price:
    """The price of a call by the list; `provider` by OpenTelemetry's well-known name or "", `tier` in lower case."""
    found = listed(provider, model, at_unix_nano // NANOSECONDS_A_QUARTER, tier)
    if isinstance(found, str):
        return Price(None, found)
    if found.plain is not None and tokens.is_plain:
        of_input, of_output = found.plain
        return Price(((of_input * tokens.input + of_output * tokens.output) / MILLION).quantize(PLACES))
    if tokens.unexplained:
        return Price(None, f"the SDK does not say what {tokens.unexplained} tokens of the input are")
    if tokens.is_sum and len(found.tiers) > 1 and tokens.input > found.tiers[1][0]:
        return Price(None, f"a sum of calls: {model} costs more for long requests, and their sizes are not known")
    amount = _amount(found, found.at(tokens.input), tokens)
    return Price(None, amount) if isinstance(amount, str) else Price((amount / MILLION).quantize(PLACES))


def _amount(found: Listed, prices: dict[str, Decimal], tokens: Tokens) -> Decimal | str:
    """Millionths of a US dollar; else what keeps it from being known."""
    get = prices.get
    whole_input, whole_output = get("input"), get("output")
    missing = f"the price list has no price of {{}} for {found.model}"
    amount = found.requests * 1_000
    plain = tokens.input
    if tokens.cached or tokens.written or tokens.audio_input or tokens.image_input or "output_audio" in prices:
        parts = _input_parts(found, prices, tokens)
        if isinstance(parts, str):
            return parts
        for name, part, rate in parts:
            if rate is None:
                return missing.format(name)
            amount += rate * part
            plain -= part
    if plain < 0:
        return "the parts of the input are more than the input"
    if plain:
        if whole_input is None:
            return missing.format("input tokens")
        amount += whole_input * plain
    plain = tokens.output
    for name, count, rate in _output_parts(prices, tokens):
        if count is None:
            return f"the SDK does not say how many of the output tokens are {name}"
        if count:
            if rate is None:
                return missing.format(f"output tokens of {name}")
            amount += rate * count
            plain -= count
    if plain < 0:
        return "the parts of the output are more than the output"
    if plain:
        if whole_output is None:
            return missing.format("output tokens")
        amount += whole_output * plain
    return amount


def _input_parts(
    found: Listed, prices: dict[str, Decimal], tokens: Tokens
) -> list[tuple[str, int, Decimal | None]] | str:
    """Name, tokens and price of each part of the input that there is; else what is not known of them."""
    get = prices.get
    if tokens.audio_input is None and "output_audio" in prices:
        return "the SDK does not say how many of the input tokens are audio"
    audio, image = tokens.audio_input or 0, tokens.image_input or 0
    audio_rate = get("input_audio", get("input") if found.provider in AUDIO_AS_TEXT else None)
    image_rate = get("input_image", get("input"))
    cached_audio, cached_image = tokens.cached_audio, tokens.cached_image
    if tokens.cached and (
        (audio and cached_audio is None and audio_rate != get("input"))
        or (image and cached_image is None and image_rate != get("input"))
    ):
        if tokens.cached == tokens.input:
            cached_audio, cached_image = audio, image
        else:
            return "the SDK does not say which of the cached tokens are audio or images"
    cached_audio, cached_image = cached_audio or 0, cached_image or 0
    write_rate = get("cache_write", None if found.provider in DEAR_WRITERS else get("input"))
    read_rate = get("cache_read")
    parts = [
        ("cached input tokens", tokens.cached - cached_audio - cached_image, read_rate),
        ("cached audio tokens", cached_audio, get("cache_audio_read", read_rate)),
        ("cached image tokens", cached_image, get("cache_image_read", read_rate)),
        ("tokens written to a cache", tokens.written - tokens.written_1h, write_rate),
        ("tokens written to a cache for an hour", tokens.written_1h, get("cache_write_1h")),
        ("audio input tokens", audio - cached_audio, audio_rate),
        ("image input tokens", image - cached_image, image_rate),
    ]
    if any(count < 0 for _, count, _ in parts):
        return "the parts of the input contradict each other"
    return [part for part in parts if part[1]]


def _output_parts(prices: dict[str, Decimal], tokens: Tokens) -> list[tuple[str, int | None, Decimal | None]]:
    """Name, tokens and price of the parts of the output that have prices of their own, or should have."""
    parts: list[tuple[str, int | None, Decimal | None]] = []
    if "output_audio" in prices or tokens.audio_output:
        parts.append(("audio", tokens.audio_output, prices.get("output_audio")))
    if "output_image" in prices or tokens.image_output:
        parts.append(("images", tokens.image_output, prices.get("output_image")))
    if "output_reasoning" in prices:
        parts.append(("reasoning", tokens.reasoning, prices["output_reasoning"]))
    return parts
