"""What a call cost, by the price list that genai-prices carries along: MIT, data inside the package, nothing fetched.

Prices have effective dates; those of the call's day hold. A model or provider that the list does not know has no price,
which is None and never 0.
"""

import datetime
import importlib
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple

PLACES = Decimal("0.0000000001")
MILLION = 1_000_000
NANOSECONDS_A_DAY = 86_400 * 10**9

# OpenTelemetry's well-known provider names by the list's ids, where they differ.
LIST_IDS = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}
# Names of frameworks stand where the provider should; the model's name decides then, as it does where none is given.
NOT_PROVIDERS = frozenset(
    (
        "", "langchain", "langgraph", "llamaindex", "llama_index", "litellm", "strands-agents", "autogen", "crewai",
        "gcp.vertex.agent", "agno", "spring_ai", "haystack", "pydantic_ai", "semantic_kernel", "vercel", "gateway",
    )
)  # fmt: skip
# Models that the list finds only together with their maker.
MAKERS = {
    "text-embedding-": "openai",
    "gpt-": "openai",
    "claude-": "anthropic",
    "gemini-": "google",
    "mistral-": "mistral",
}


class Rates(NamedTuple):
    """US dollars a million tokens. `calculate` is set where a rate depends on the size of the request."""

    input: Decimal
    cache_read: Decimal
    cache_write: Decimal
    output: Decimal
    calculate: Callable[[int, int, int, int], Decimal] | None = None


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
    prices: Iterable[OwnPrice],
    provider: str,
    model: str,
    at_unix_nano: int,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_input_tokens: int | None = None,
    cache_creation_input_tokens: int | None = None,
) -> Decimal | None:
    """US dollars for one call by a project's prices, or None where none holds. Tokens as for `price`.

    Tokens written to a cache cost what input does.
    """
    found = max(
        (own for own in prices if own.holds(provider, model, at_unix_nano)), key=lambda own: own.rank, default=None
    )
    if found is None or (input_tokens is None and output_tokens is None):
        return None
    total, read, write = input_tokens or 0, cached_input_tokens or 0, cache_creation_input_tokens or 0
    if read + write > total:
        total += read + write
    cached = found.input if found.cached_input is None else found.cached_input
    amount = found.input * (total - read) + cached * read + found.output * (output_tokens or 0)
    return (amount / MILLION).quantize(PLACES)


def price(
    provider: str,
    model: str,
    at_unix_nano: int,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_input_tokens: int | None = None,
    cache_creation_input_tokens: int | None = None,
) -> Decimal | None:
    """US dollars for one call, with ten decimal places, or None where the list has no price.

    `input_tokens` include the cached ones. Where a provider counts them apart they may exceed it, and are added.
    """
    if input_tokens is None and output_tokens is None:
        return None
    found = rates(provider, model, at_unix_nano // NANOSECONDS_A_DAY)
    if found is None:
        return None
    total, read, write = input_tokens or 0, cached_input_tokens or 0, cache_creation_input_tokens or 0
    if read + write > total:
        total += read + write
    if found.calculate is not None:
        return found.calculate(total, read, write, output_tokens or 0).quantize(PLACES)
    amount = (
        found.input * (total - read - write)
        + found.cache_read * read
        + found.cache_write * write
        + found.output * (output_tokens or 0)
    )
    return (amount / MILLION).quantize(PLACES)


@lru_cache(maxsize=4096)
def rates(provider: str, model: str, day: int) -> Rates | None:
    """The rates of a model on a day, counted from 1970-01-01."""
    when = datetime.datetime.fromtimestamp(max(day, 0) * 86_400, datetime.UTC)
    short = model.rsplit("/", 1)[-1]
    if provider in NOT_PROVIDERS:
        maker = next((maker for prefix, maker in MAKERS.items() if short.startswith(prefix)), None)
        attempts = [(None, model), (None, short), (maker, short)]
    else:
        attempts = [(LIST_IDS.get(provider, provider), name) for name in (model, short)]
    for listed, name in attempts:
        try:
            found = _list().calc_price(_list().Usage(), name, provider_id=listed, genai_request_timestamp=when)
        except LookupError:
            continue
        return _rates(found, when)
    return None


def _rates(found: Any, when: datetime.datetime) -> Rates | None:
    prices = found.model_price
    fixed = {name: getattr(prices, f"{name}_mtok") for name in ("input", "cache_read", "cache_write", "output")}
    if all(value is None for value in fixed.values()):
        return None
    if all(value is None or isinstance(value, Decimal) for value in fixed.values()):
        whole = fixed["input"] or Decimal(0)
        read, write = (whole if fixed[name] is None else fixed[name] for name in ("cache_read", "cache_write"))
        return Rates(whole, read, write, fixed["output"] or Decimal(0))

    def calculate(total: int, read: int, write: int, output: int) -> Decimal:
        usage = _list().Usage(
            input_tokens=total, cache_read_tokens=read, cache_write_tokens=write, output_tokens=output
        )
        amount: Decimal = found.model.calc_price(usage, found.provider, genai_request_timestamp=when).total_price
        return amount

    return Rates(Decimal(0), Decimal(0), Decimal(0), Decimal(0), calculate)


@cache
def _list() -> Any:
    """The price list, imported with the first call that needs it: it takes a quarter of a second."""
    return importlib.import_module("genai_prices")


def list_version() -> str:
    """The version of the price list, for explanations."""
    return str(_list().__version__)
