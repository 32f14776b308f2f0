"""Prices from the list, exactly, and none where it knows none."""

import subprocess
import sys
from decimal import Decimal

import pytest

from spans.pricing import price
from spans.semconv import content, normalize
from spans.semconv.normalize import listed_price
from tests.corpus import capture
from traces.otlp.decode import decode

NOW = 1_790_000_000 * 10**9


def test_a_known_model_costs_what_the_list_says():
    assert price("openai", "gpt-4o-mini", NOW, 1_000_000, 1_000_000) == Decimal("0.75")


def test_cached_tokens_cost_their_own_rate():
    assert price("openai", "gpt-4o-mini", NOW, 1_000_000, 0, 1_000_000) == Decimal("0.075")


def test_cached_tokens_that_are_counted_apart_are_added():
    together = price("anthropic", "claude-sonnet-4-20250514", NOW, 1_100, 10, 1_000, 0)
    assert price("anthropic", "claude-sonnet-4-20250514", NOW, 100, 10, 1_000, 0) == together


def test_a_rate_that_depends_on_the_size_of_the_request_is_calculated_by_the_list():
    small, large = (price("gcp.gemini", "gemini-2.5-pro", NOW, tokens, 0) for tokens in (100_000, 1_000_000))
    assert large > small * 10


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "openai/gpt-4o"),
        ("", "gpt-4o"),
        ("strands-agents", "gpt-4o"),
        ("azure.ai.openai", "gpt-4o"),
        ("gateway", "openai/gpt-4o"),
    ],
)
def test_names_that_sdks_use_are_found(provider, model):
    assert price(provider, model, NOW, 1_000_000, 0) == Decimal("2.5")


def test_an_embedding_without_a_provider_is_found_by_its_maker():
    assert price("", "text-embedding-3-small", NOW, 1_000_000, None) == Decimal("0.02")


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "no-such-model"), ("ollama", "llama3.1"), ("nobody", "gpt-4o")]
)
def test_an_unknown_price_is_none_and_not_zero(provider, model):
    assert price(provider, model, NOW, 1_000, 1_000) is None


def test_a_call_without_tokens_has_no_price():
    assert price("openai", "gpt-4o", NOW, None, None) is None


def test_the_list_agrees_with_the_costs_that_an_sdk_reported():
    compared = 0
    for request in capture("pydantic-ai").requests:
        for record in decode([request]).records:
            normalize(record)
            if record.cost_usd is not None:
                assert listed_price(record, record.start_time_unix_nano, None) == (record.cost_usd, False)
                assert content(record).normalization["cost_usd"]["attribute"] == "operation.cost"
                compared += 1
    assert compared == 12


def test_a_listed_price_says_so():
    for request in capture("otel-genai-new").requests:
        for record in decode([request]).records:
            normalize(record)
            if record.cost_usd is not None:
                assert content(record).normalization["cost_usd"]["rule"].startswith("genai-prices ")
                return
    pytest.fail("nothing was priced")


def test_the_price_list_is_not_imported_before_the_first_call_is_priced():
    code = "import sys, spans.semconv; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
