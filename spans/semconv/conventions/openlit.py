import re

from spans.semconv.convention import Convention
from spans.semconv.conventions.passed_on import CACHE_KEYS
from spans.semconv.sources import Attribute, Name
from spans.semconv.token_counts import PROVIDER

# Of LiteLLM and of frameworks it has counts that are added up already.
BESIDE = ("gen_ai.provider.name", re.compile("anthropic|bedrock|google|gemini|gcp|vertex"))
THOUGHTS = "gen_ai.usage.reasoning_tokens"

OPENLIT = Convention(
    name="openlit",
    title="OpenLIT",
    source="https://github.com/openlit/openlit/tree/py-1.45.0/sdk/python/src/openlit",
    about=(
        "After OpenTelemetry GenAI, which it follows. Failed calls of some clients have nothing but their name. "
        "A cost of 0 says that OpenLIT had no price: it fetches its list from the internet."
    ),
    scopes=("openlit.",),
    fields={
        "span_type": (
            Name(re.compile("^chat "), constant="CHAT_MODEL"),
            Name(re.compile("^embeddings "), constant="EMBEDDING"),
        ),
        "request_model": (Name(re.compile(r"^(?:chat|embeddings) (\S+)$")),),
        "counts_of": tuple(Attribute(key, constant=PROVIDER, when=BESIDE) for key in (*CACHE_KEYS, THOUGHTS)),
        "cost_usd": (Attribute("gen_ai.usage.cost", transform=lambda cost: cost or None),),
    },
)
