"""What the counts of a span's tokens mean: input and output with all of their parts, whoever counts those beside them.

Providers differ: Anthropic and Bedrock count what a cache gave and took beside the input, Gemini and xAI thoughts
beside the output, all others within. Some SDKs pass the provider's counts on, some add them up, some also send a total.
The total decides where it can; then the conventions, which say of an SDK that it passes counts on (`counts_of`); else
parts are within, unless they are more than the whole.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

# The values of `counts_of` for SDKs that pass on what the provider counts, all of it or what a cache gave and took.
PROVIDER = "provider"
PROVIDER_CACHE = "provider, cache only"
# Who counts how, by the model's name, else by the provider's.
CACHE_BESIDE = re.compile(r"claude|(?:^|[./])amazon\.")
THOUGHTS_BESIDE = re.compile(r"gemini|grok-")
# Gateways and APIs that count as OpenAI does, whosever model it is.
ALL_WITHIN = frozenset(("openai", "azure.ai.openai", "azure.ai.inference", "litellm", "openrouter", "groq", "deepseek"))
CACHE_BESIDE_PROVIDERS = frozenset(("anthropic", "aws.bedrock"))
THOUGHTS_BESIDE_PROVIDERS = frozenset(("gcp.gemini", "gcp.gen_ai", "gcp.vertex_ai", "google", "x_ai"))


class Whole(NamedTuple):
    """Input and output with their parts, and how much of each was counted beside.

    unexplained: of the input, tokens that only the total knows of.
    """

    input: int
    output: int
    added_input: int = 0
    added_output: int = 0
    unexplained: int = 0


def whole_counts(get: Callable[[str], Any], provider: str, model: str) -> Whole | None:
    """The counts of a span with a part or a total; None where there is nothing to mend. `get` finds fields by name."""
    sent_input, sent_output = get("input_tokens"), get("output_tokens")
    if sent_input is None or sent_output is None:
        return None
    read, written = get("cached_input_tokens") or 0, get("cache_creation_input_tokens") or 0
    cache, thoughts = read + written, get("reasoning_tokens") or 0
    total = get("total_tokens")
    beyond = 0 if total is None else total - sent_input - sent_output
    if not cache and not thoughts and beyond <= 0:
        return None
    cache_beside, thoughts_beside = _beside(provider, model)
    if beyond > 0:
        found = _by_total(beyond, cache, read, written, thoughts)
        if found is None:
            found = _left_over(beyond, cache, thoughts, cache_beside, thoughts_beside)
        added_input, added_output, unexplained = found
    else:
        counts_of = get("counts_of")
        cache_beside = cache_beside and counts_of in (PROVIDER, PROVIDER_CACHE)
        thoughts_beside = thoughts_beside and counts_of == PROVIDER
        added_input = cache if cache_beside or cache > sent_input else 0
        added_output = thoughts if thoughts_beside or thoughts > sent_output else 0
        unexplained = 0
    if not added_input and not added_output:
        return None
    return Whole(sent_input + added_input, sent_output + added_output, added_input, added_output, unexplained)


def _beside(provider: str, model: str) -> tuple[bool, bool]:
    """Whether the model's provider counts its cache beside the input, and thoughts beside the output."""
    if provider in ALL_WITHIN:
        return False, False
    lower = model.lower()
    if CACHE_BESIDE.search(lower):
        return True, False
    if THOUGHTS_BESIDE.search(lower):
        return False, True
    return provider in CACHE_BESIDE_PROVIDERS, provider in THOUGHTS_BESIDE_PROVIDERS


def _by_total(beyond: int, cache: int, read: int, written: int, thoughts: int) -> tuple[int, int, int] | None:
    """Which parts make up what the total has beyond input and output: to add to the input, and to the output."""
    for to_input, to_output in (
        (cache, 0),
        (0, thoughts),
        (cache, thoughts),
        (read, 0),
        (written, 0),
        (read, thoughts),
    ):
        if to_input + to_output == beyond:
            return to_input, to_output, 0
    return None


def _left_over(
    beyond: int, cache: int, thoughts: int, cache_beside: bool, thoughts_beside: bool
) -> tuple[int, int, int]:
    """What no part explains: of Gemini thoughts, and beside these the prompts of its own tools; of Anthropic what a
    cache gave or took; of others nobody knows.
    """
    if thoughts_beside:
        return (beyond - thoughts, thoughts, 0) if thoughts and beyond > thoughts else (0, beyond, 0)
    if cache_beside:
        return (beyond, 0, beyond - cache) if beyond > cache else (beyond, 0, beyond)
    return 0, 0, 0
