"""Models in the price list that genai-prices carries along: MIT, data inside the package, nothing fetched.

The names of SDKs are turned into the list's: frameworks that stand where a provider should, prefixes of gateways,
regions of Bedrock, numbers of versions. Prices have effective dates, some hours of the day: those of the call's moment
hold.
"""

import datetime
import importlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple

from spans.providers import canonical_provider

SECONDS_A_QUARTER = 900
# So much of a name is in a reason.
SHOWN = 200

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
# Names of frameworks and gateways stand where the provider should; the model's name decides then, as it does where none
# is given.
NOT_PROVIDERS = frozenset(
    (
        "", "ag2", "agno", "ai_gateway", "ai-gateway", "ai21_labs", "autogen", "agent_framework", "beeai", "chatmodel",
        "crewai", "custom", "custom_openai", "default", "dspy", "eliza", "flowise", "gateway", "gcp.vertex.agent",
        "generic", "genkit", "google_adk", "haystack", "helicone", "instructor", "langchain", "langchain_core",
        "langchain4j", "langfuse", "langgraph", "langsmith", "litellm", "litellm_proxy", "livekit", "llama-index",
        "llama_index", "llamaindex", "mastra", "microsoft.agent_framework", "mlflow", "n8n", "none", "null",
        "openai_agents", "openai-agents", "openclaw", "opentelemetry", "other", "otel", "pipecat", "portkey",
        "pydantic-ai", "pydantic_ai", "semantic-kernel", "semantic_kernel", "smolagents", "spring-ai", "spring_ai",
        "strands", "strands-agents", "traceloop", "undefined", "unknown", "unset", "vercel", "vercel_ai",
        "vercel-ai-gateway", "voltagent", "_other",
    )
)  # fmt: skip
# How models of Bedrock are called: a region or "global", the maker, the model; or an ARN that ends so.
BEDROCK = re.compile(
    r"(?:^|/)(?:(?:us|eu|apac|ap|jp|au|ca|sa|me|af|global|us-gov)\.)?"
    r"(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|writer|stability|nvidia|minimax|moonshot|zai)"
    r"\.[a-z]"
)
# Whose a model is, where no provider is given.
MAKERS = (
    ("openai", re.compile(r"^(?:gpt-|chatgpt-|o[134](?:-|$)|text-embedding-(?:3|ada)|codex-|computer-use-|davinci)")),
    ("anthropic", re.compile(r"^claude-")),
    ("google", re.compile(r"^(?:gemini-|gemini-embedding|text-embedding-00)")),
    ("mistral", re.compile(r"^(?:mistral-|ministral-|magistral-|codestral|devstral|pixtral-|open-mi[sx]tral)")),
    ("cohere", re.compile(r"^(?:command-|embed-|rerank-)")),
    ("x-ai", re.compile(r"^grok-")),
    ("deepseek", re.compile(r"^deepseek-(?:chat|reasoner)")),
    ("perplexity", re.compile(r"^sonar(?:-|$)")),
    ("voyageai", re.compile(r"^voyage-")),
)
# Paths of models: models/gemini-…, publishers/google/models/…
PATH = re.compile(r"^(?:.*/)?(?:models|tunedModels)/")
VERSION = re.compile(r"-\d{3}$")
STANDARD_TIERS = frozenset(
    ("", "default", "standard", "standard_only", "auto", "on_demand", "on-demand", "unspecified", "none", "null")
)
# Output whose price is another one: what of it there was has to be known.
SPECIAL_OUTPUT = frozenset(("output_audio", "output_image", "output_reasoning"))
# What of a request the list calls which price: the same word may be a tier, a way of processing, or a speed.
CONTEXTS = ("service_tier", "processing", "speed")


class Listed(NamedTuple):
    """The prices of a model in US dollars, by the list's names of units without "_mtok": input, cache_read, output.

    tiers: (tokens of input that it begins above, prices a million tokens), rising from -1.  requests: a thousand calls.
    plain: the prices of input and output, where size and kind of tokens change nothing but what they themselves have.
    """

    provider: str
    model: str
    tiers: tuple[tuple[int, dict[str, Decimal]], ...]
    requests: Decimal = Decimal(0)
    plain: tuple[Decimal, Decimal] | None = None

    def at(self, input_tokens: int) -> dict[str, Decimal]:
        """The prices of a request of this size, which hold for all of its tokens."""
        return next(prices for start, prices in reversed(self.tiers) if input_tokens > start)


@lru_cache(maxsize=4096)
def listed(provider: str, model: str, quarter: int, tier: str = "") -> Listed | str:
    """The prices of a model in a quarter of an hour, counted from 1970; else why there are none."""
    found = _find(provider, model)
    if isinstance(found, str):
        return found
    owner, info = found
    when = datetime.datetime.fromtimestamp(max(quarter, 0) * SECONDS_A_QUARTER, datetime.UTC)
    context: dict[str, str] | None = None
    variant: Any = None
    if tier not in STANDARD_TIERS:
        context, variant = _variant(info, tier, when)
        if variant is None:
            return f"the price list has no price of {model[:SHOWN]} for the service tier {tier[:SHOWN]}"
    prices = {name: value for name, value in vars(info.get_prices(when, context)).items() if value is not None}
    if variant is not None and (special := vars(variant.prices)):
        # What the tier's price leaves open may cost anything.
        prices = {name: value for name, value in prices.items() if special.get(name) is not None}
    by_token = {name.removesuffix("_mtok"): value for name, value in prices.items() if name.endswith("_mtok")}
    if not by_token:
        return f"the price list counts {model[:SHOWN]} in other units than tokens"
    tiers, requests = _tiers(by_token), prices.get("requests_kcount", Decimal(0))
    base = tiers[0][1]
    is_plain = len(tiers) == 1 and not requests and not SPECIAL_OUTPUT & base.keys()
    plain = (base["input"], base["output"]) if is_plain and "input" in base and "output" in base else None
    return Listed(owner.id, model, tiers, requests, plain)


def _variant(info: Any, tier: str, when: datetime.datetime) -> tuple[dict[str, str] | None, Any]:
    """The context that asks the list for the prices of a tier, and what differs in it; None where it has none."""
    for variant in info.price_variants or ():
        for name in CONTEXTS:
            if variant.when == {name: tier} and (variant.constraint is None or variant.constraint.active(when)):
                return {name: tier}, variant
    return None, None


def _tiers(prices: dict[str, Any]) -> tuple[tuple[int, dict[str, Decimal]], ...]:
    starts = {-1} | {tier.start for value in prices.values() if not isinstance(value, Decimal) for tier in value.tiers}
    return tuple((start, {name: _price_at(value, start) for name, value in prices.items()}) for start in sorted(starts))


def _price_at(value: Any, start: int) -> Decimal:
    """The price of requests just above the start of a tier."""
    if isinstance(value, Decimal):
        return value
    price: Decimal = value.base
    for tier in value.tiers:
        if tier.start <= start:
            price = tier.price
    return price


@lru_cache(maxsize=4096)
def _find(provider: str, model: str) -> tuple[Any, Any] | str:
    """The list's provider and model; else why it has none."""
    providers = _list().data_snapshot.get_snapshot().providers
    known = False
    for listed_provider, name in _attempts(provider, model):
        owner = _owner(providers, listed_provider, name.lower())
        if owner is not None:
            known = True
            if (info := owner.find_model(name, all_providers=providers)) is not None:
                return owner, info
    if known or provider in NOT_PROVIDERS:
        return f"the price list does not know the model {model[:SHOWN]}" + (
            f" of {provider[:SHOWN]}" if known and provider else ""
        )
    return f"the price list does not know the provider {provider[:SHOWN]}"


def _owner(providers: Sequence[Any], listed_provider: str | None, model: str) -> Any:
    """The list's provider of an id, or that whose models are called so."""
    if listed_provider is not None:
        return _list().data_snapshot.find_provider_by_id(providers, listed_provider)
    return next((one for one in providers if one.model_match is not None and one.model_match.is_match(model)), None)


def _attempts(provider: str, model: str) -> Iterator[tuple[str | None, str]]:
    """What to ask the list for, best first: its id of a provider, and a name of the model."""
    names = list(_names(model))
    if BEDROCK.search(model) and (provider in NOT_PROVIDERS or provider in ("aws.bedrock", "anthropic", "bedrock")):
        yield from (("aws", name) for name in names)
    if provider in NOT_PROVIDERS:
        yield from _by_name(names)
    else:
        yield from ((LIST_IDS.get(provider, provider), name) for name in names)


def _names(model: str) -> Iterator[str]:
    """The model's name, then without what gateways and versions add to it."""
    short = PATH.sub("", model)
    plain = VERSION.sub("", short)
    seen: set[str] = set()
    for name in (model, short, short.rsplit("/", 1)[-1], plain, plain.rsplit("/", 1)[-1]):
        if name not in seen:
            seen.add(name)
            yield name


def _by_name(names: list[str]) -> Iterator[tuple[str | None, str]]:
    """The provider that stands before the model (openai/gpt-4o, google-gla:gemini-2.5-pro), else the model's maker."""
    for separator in "/:":
        before, found, rest = names[0].partition(separator)
        provider = canonical_provider(before)
        if found and provider not in NOT_PROVIDERS:
            yield from ((LIST_IDS.get(provider, provider), name) for name in _names(rest))
    for name in names:
        yield from ((maker, name) for maker, pattern in MAKERS if pattern.search(name))
    yield from ((None, name) for name in names)


@cache
def _list() -> Any:
    """The price list, imported with the first call that needs it: it takes a quarter of a second."""
    return importlib.import_module("genai_prices")


def list_version() -> str:
    """The version of the price list, for explanations."""
    return str(_list().__version__)
