"""Prices from the list, exactly and with all that changes them; none, with the reason, where something is not known."""

import datetime
import subprocess
import sys
from decimal import Decimal

import pytest

from spans.pricing import OwnPrice, Tokens, own_price, price
from spans.semconv import content, normalize
from tests.corpus import capture
from traces.otlp.decode import decode

NOW = 1_796_000_000 * 10**9
MILLION = 1_000_000


def cost(provider: str, model: str, tier: str = "", at: int = NOW, **tokens: int) -> Decimal | None:
    return price(provider, model, at, Tokens(**tokens), tier).usd


def why_not(provider: str, model: str, tier: str = "", **tokens: int) -> str:
    found = price(provider, model, NOW, Tokens(**tokens), tier)
    assert found.usd is None
    return found.unpriced_reason


def test_a_known_model_costs_what_the_list_says():
    assert cost("openai", "gpt-4o-mini", input=MILLION, output=MILLION) == Decimal("0.75")


def test_cached_tokens_cost_their_own_rate():
    assert cost("openai", "gpt-4o-mini", input=MILLION, cached=MILLION) == Decimal("0.075")


def test_a_long_request_costs_more_for_all_of_its_tokens():
    assert cost("gcp.gemini", "gemini-2.5-pro", input=200_000) == Decimal("0.25")
    assert cost("gcp.gemini", "gemini-2.5-pro", input=200_001) == Decimal("0.5000025")


def test_a_sum_of_calls_that_may_have_been_long_has_no_price():
    assert cost("gcp.gemini", "gemini-2.5-pro", input=200_000, is_sum=True) == Decimal("0.25")
    assert "a sum of calls" in why_not("gcp.gemini", "gemini-2.5-pro", input=200_001, is_sum=True)


def test_audio_costs_what_audio_costs():
    assert cost("openai", "gpt-realtime", input=4_200, output=900, audio_input=3_000, audio_output=800) == Decimal(
        "0.1536"
    )


def test_cached_audio_is_told_from_cached_text():
    tokens = {"input": 4_000, "audio_input": 3_000, "cached": 2_000, "audio_output": 0}
    assert cost("openai", "gpt-realtime", cached_audio=1_500, **tokens) == Decimal("0.0508")
    assert "which of the cached tokens" in why_not("openai", "gpt-realtime", **tokens)


def test_a_model_of_speech_has_no_price_where_the_sdk_does_not_tell_what_was_audio():
    assert "are audio" in why_not("openai", "gpt-realtime", input=4_200, output=900)


def test_audio_of_a_model_without_a_price_for_it_has_none():
    assert "no price of audio" in why_not("openai", "gpt-4o", input=100, audio_input=50)


def test_gemini_hears_at_the_price_of_text_where_the_list_has_no_other():
    assert cost("gcp.gemini", "gemini-2.5-pro", input=1_000, audio_input=400) == Decimal("0.00125")


def test_what_is_written_to_a_cache_costs_more_and_for_an_hour_still_more():
    model = ("anthropic", "claude-sonnet-4-5")
    assert cost(*model, input=1_000, written=1_000) == Decimal("0.00375")
    assert cost(*model, input=1_000, written=1_000, written_1h=1_000) == Decimal("0.006")
    assert cost(*model, input=3_000, cached=1_000, written=1_000, written_1h=400, output=10) == Decimal("0.0081")


def test_a_cache_whose_price_the_list_does_not_have_has_none():
    model = ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0")
    assert "for an hour" in why_not(*model, input=1_000, written=1_000, written_1h=1_000)
    assert "cached input" in why_not("openai", "gpt-4-turbo", input=1_000, cached=500)


@pytest.mark.parametrize(
    ("tier", "factor"),
    [("", 1), ("default", 1), ("auto", 1), ("flex", Decimal("0.5")), ("batch", Decimal("0.5")), ("priority", 2)],
)
def test_a_service_tier_has_its_own_price(tier, factor):
    assert cost("openai", "gpt-5", tier, input=1_000, output=100) == Decimal("0.00225") * factor


def test_a_tier_that_the_list_does_not_know_has_no_price():
    assert "the service tier scale" in why_not("openai", "gpt-5", "scale", input=1_000)
    assert "the service tier priority" in why_not("anthropic", "claude-sonnet-4-5", "priority", input=1_000)


def test_hours_of_the_day_have_their_prices():
    by_hour = {cost("deepseek", "deepseek-chat", input=MILLION, at=_at(2025, 3, 1, hour)) for hour in range(24)}
    assert by_hour == {Decimal("0.27"), Decimal("0.135")}


def _at(*moment: int) -> int:
    return int(datetime.datetime(*moment, tzinfo=datetime.UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "openai/gpt-4o"),
        ("", "gpt-4o"),
        ("strands-agents", "gpt-4o"),
        ("langchain", "gpt-4o-2024-08-06"),
        ("unknown", "openai:gpt-4o"),
        ("custom", "openai/gpt-4o"),
        ("litellm", "azure/gpt-4o"),
        ("azure.ai.openai", "gpt-4o"),
        ("gateway", "openai/gpt-4o"),
    ],
)
def test_names_that_sdks_use_are_found(provider, model):
    assert cost(provider, model, input=MILLION) == Decimal("2.5")


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        ("strands-agents", "us.anthropic.claude-sonnet-4-20250514-v1:0", "3"),
        ("aws.bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("langchain", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        ("", "bedrock/converse/us.anthropic.claude-sonnet-4-20250514-v1:0", "3"),
        ("unknown", "amazon.nova-lite-v1:0", "0.06"),
        ("strands-agents", "us.amazon.nova-pro-v1:0", "0.8"),
        ("anthropic", "us.anthropic.claude-sonnet-4-20250514-v1:0", "3"),
        ("", "arn:aws:bedrock:us-east-1:1234:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0", "3"),
        ("", "claude-sonnet-4@20250514", "3"),
        ("", "anthropic/claude-sonnet-4-5", "3"),
        ("", "models/gemini-2.5-flash", "0.3"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-flash", "0.3"),
        ("gcp.gemini", "gemini-2.5-flash-001", "0.3"),
        ("gcp.gemini", "gemini-2.0-flash-001", "0.1"),
        ("langgraph", "google_genai/gemini-2.5-flash", "0.3"),
        ("openai", "gpt-5.2-20251211", "1.75"),
        ("", "text-embedding-3-small", "0.02"),
    ],
)
def test_regions_versions_and_paths_do_not_hide_a_model(provider, model, dollars):
    assert cost(provider, model, input=100_000) == Decimal(dollars) / 10


@pytest.mark.parametrize(
    ("provider", "model", "reason"),
    [
        ("openai", "no-such-model", "does not know the model no-such-model of openai"),
        ("azure.ai.openai", "our-deployment", "does not know the model our-deployment"),
        ("", "no-such-model", "does not know the model no-such-model"),
        ("ollama", "llama3.1", "does not know the provider ollama"),
        ("nobody", "gpt-4o", "does not know the provider nobody"),
        ("openai", "whisper-1", "in other units than tokens"),
    ],
)
def test_an_unknown_price_is_none_and_not_zero(provider, model, reason):
    assert reason in why_not(provider, model, input=1_000, output=1_000)


def test_parts_that_are_more_than_the_whole_have_no_price():
    assert "more than the input" in why_not("openai", "gpt-4o", input=100, cached=200)


def test_a_projects_own_price_counts_every_kind_of_token_as_input_and_output():
    own = [OwnPrice("", "acme-*", Decimal(2), Decimal(4), Decimal(1))]
    tokens = Tokens(input=3_000, cached=1_000, written=500, audio_input=200, output=100)
    assert own_price(own, "", "acme-1", NOW, tokens) == Decimal("0.0054")


def test_the_list_agrees_with_the_costs_that_an_sdk_reported():
    compared = 0
    for request in capture("pydantic-ai").requests:
        for record in decode([request]).records:
            normalize(record)
            if record.cost_usd is not None:
                reported = record.cost_usd
                assert content(record).normalization["cost_usd"]["attribute"] == "operation.cost"
                del record.attributes["operation.cost"]
                normalize(record)
                assert record.cost_usd == reported
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
