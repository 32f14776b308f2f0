"""What SDKs count beside input and output is added to them, what they count within is not."""

import json

import pytest

from spans.records import ScopeRecord, SpanRecord
from spans.semconv import content, normalize

NOW = 1_796_000_000 * 10**9


def read(scope="demo", name="chat", **attributes):
    record = SpanRecord("t", "s", name=name, scope=ScopeRecord(name=scope), attributes=attributes)
    record.start_time_unix_nano = NOW
    normalize(record)
    shown = content(record)
    for column in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd"):
        assert getattr(shown, column) == getattr(record, column), "read while receiving and while showing"
    return record


def gen_ai(model="gpt-4o", provider="openai", scope="demo", **counts):
    usage = {f"gen_ai.usage.{key}": count for key, count in counts.items()}
    names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model}
    return read(scope, **names, **usage)


def openinference(model="gpt-4o", provider="openai", scope="demo", **counts):
    usage = {f"llm.token_count.{key.replace('__', '.')}": count for key, count in counts.items()}
    names = {"openinference.span.kind": "LLM", "llm.provider": provider, "llm.model_name": model}
    return read(scope, **names, **usage)


def tokens(record):
    return record.input_tokens, record.output_tokens


def cost(record):
    return None if record.cost_usd is None else float(record.cost_usd)


READ = "cache_read.input_tokens"
WRITTEN = "cache_creation.input_tokens"


def test_thoughts_that_only_the_total_knows_of_are_output_of_gemini():
    record = gen_ai("gemini-2.5-pro", "gcp.gen_ai", input_tokens=1200, output_tokens=300, total_tokens=4500)
    assert (tokens(record), cost(record)) == ((1200, 3300), 0.0345)
    record = openinference("gemini-2.5-pro", "google", prompt=1200, completion=300, total=4500)
    assert (tokens(record), cost(record)) == ((1200, 3300), 0.0345)


def test_what_geminis_tools_read_is_input_beside_its_thoughts():
    counts = {"input_tokens": 1000, "output_tokens": 100, "reasoning_tokens": 50, "total_tokens": 1250}
    assert tokens(gen_ai("gemini-2.5-pro", "gcp.gemini", **counts)) == (1100, 150)


def test_the_total_says_that_a_cache_is_beside_the_input():
    counts = {"input_tokens": 9000, "output_tokens": 400, "total_tokens": 15400, READ: 6000}
    record = gen_ai("us.anthropic.claude-sonnet-4-20250514-v1:0", "strands-agents", **counts)
    assert (tokens(record), record.cached_input_tokens, cost(record)) == ((15000, 400), 6000, 0.0348)


def test_the_total_says_that_parts_are_within():
    counts = {"input_tokens": 9000, "output_tokens": 400, "total_tokens": 9400, READ: 6000, "reasoning_tokens": 300}
    assert tokens(gen_ai("claude-sonnet-4-5", "anthropic", **counts)) == (9000, 400)


def test_a_part_that_is_more_than_the_whole_is_beside_it():
    assert tokens(gen_ai(input_tokens=100, output_tokens=10, **{READ: 300})) == (400, 10)
    assert tokens(gen_ai(input_tokens=100, output_tokens=10, reasoning_tokens=30)) == (100, 40)


def test_of_anthropic_what_only_the_total_knows_of_is_input_without_a_price():
    record = gen_ai("claude-sonnet-4-5", "anthropic", input_tokens=100, output_tokens=10, total_tokens=610)
    assert (tokens(record), cost(record)) == ((600, 10), None)
    assert record.unpriced_reason == "the SDK does not say what 500 tokens of the input are"


def test_a_total_that_nothing_explains_changes_nothing_of_others():
    assert tokens(gen_ai(input_tokens=100, output_tokens=10, total_tokens=610)) == (100, 10)
    assert tokens(gen_ai(input_tokens=100, output_tokens=10, total_tokens=7)) == (100, 10)


@pytest.mark.parametrize(
    ("scope", "provider", "model", "whole"),
    [
        ("opentelemetry.instrumentation.bedrock", "aws.bedrock", "anthropic.claude-sonnet-4-20250514-v1:0", 15000),
        ("opentelemetry.instrumentation.bedrock", "AWS", "us.amazon.nova-pro-v1:0", 15000),
        ("opentelemetry.instrumentation.botocore.bedrock-runtime", "aws.bedrock", "us.amazon.nova-pro-v1:0", 15000),
        ("opentelemetry.instrumentation.anthropic", "anthropic", "claude-sonnet-4-5", 9000),
        ("openlit.otel.tracing", "anthropic", "claude-sonnet-4-5", 15000),
        ("openlit.otel.tracing", "litellm", "claude-sonnet-4-5", 9000),
        ("openlit.otel.tracing", "openai", "gpt-4o", 9000),
        ("agent_framework", "anthropic", "claude-sonnet-4-5", 15000),
        ("agent_framework", "openai", "gpt-4o", 9000),
        ("pipecat", "anthropic", "claude-sonnet-4-5", 15000),
        ("demo", "anthropic", "claude-sonnet-4-5", 9000),
    ],
)
def test_some_sdks_pass_on_how_the_provider_counts_a_cache(scope, provider, model, whole):
    record = gen_ai(model, provider, scope, input_tokens=9000, output_tokens=400, **{READ: 6000, WRITTEN: 0})
    assert tokens(record) == (whole, 400)


@pytest.mark.parametrize(
    ("provider", "model", "whole"),
    [("Anthropic", "claude-sonnet-4-5", 15000), ("OpenAI", "gpt-4o", 9000), ("LiteLLM", "claude-sonnet-4-5", 9000)],
)
def test_agno_passes_on_how_the_provider_counts_a_cache(provider, model, whole):
    scope = "openinference.instrumentation.agno"
    record = openinference(
        model, provider, scope, prompt=9000, completion=400, total=9400, prompt_details__cache_read=6000
    )
    assert tokens(record) == (whole, 400)


def test_openlit_passes_on_geminis_thoughts():
    counts = {"input_tokens": 10, "output_tokens": 50, "reasoning_tokens": 40}
    assert tokens(gen_ai("gemini-2.5-flash", "gcp.gemini", "openlit.otel.tracing", **counts)) == (10, 90)


def test_older_google_adk_passes_on_geminis_thoughts_later_ones_add_them():
    names = {"gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-flash"}
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 50}
    old = read("gcp.vertex.agent", **names, **usage, **{"gen_ai.usage.experimental.reasoning_tokens": 40})
    new = read("gcp.vertex.agent", **names, **usage, **{"gen_ai.usage.reasoning.output_tokens": 40})
    assert (tokens(old), tokens(new)) == ((10, 90), (10, 50))


def vercel(model, provider, metadata=None, operation="ai.generateText.doGenerate", **usage):
    known = {"ai.operationId": operation, "ai.model.id": model, "ai.model.provider": provider}
    usage = {f"ai.usage.{key.replace('__', '.')}": count for key, count in usage.items()}
    if metadata is not None:
        known["ai.response.providerMetadata"] = json.dumps(metadata)
    return read("ai", operation, **known, **usage)


ANTHROPIC = {"input_tokens": 9000, "cache_read_input_tokens": 6000, "cache_creation_input_tokens": 0}


def test_the_ai_sdk_up_to_version_5_counts_anthropics_cache_beside_the_input():
    for operation in ("ai.streamText.doStream", "ai.streamText"):
        record = vercel(
            "claude-sonnet-4-5", "anthropic.messages", operation=operation, inputTokens=9000, outputTokens=400,
            totalTokens=9400, cachedInputTokens=6000,
        )  # fmt: skip
        assert (tokens(record), record.cached_input_tokens, cost(record)) == ((15000, 400), 6000, 0.0348)
    metadata = {"anthropic": {"usage": ANTHROPIC, "cacheCreationInputTokens": 0}}
    record = vercel("claude-sonnet-4-5", "anthropic.messages", metadata, promptTokens=9000, completionTokens=400)
    assert (tokens(record), record.cached_input_tokens, cost(record)) == ((15000, 400), 6000, 0.0348)


def test_the_ai_sdk_from_version_6_on_counts_it_within():
    record = vercel(
        "claude-sonnet-4-5", "anthropic.messages", {"anthropic": {"usage": ANTHROPIC}}, inputTokens=15000,
        outputTokens=400, totalTokens=15400, cachedInputTokens=6000, inputTokenDetails__noCacheTokens=9000,
    )  # fmt: skip
    assert (tokens(record), record.cached_input_tokens, cost(record)) == ((15000, 400), 6000, 0.0348)


def test_the_ai_sdk_counts_geminis_thoughts_beside_the_output_and_xais_within():
    counts = {"outputTokens": 300, "reasoningTokens": 3000, "totalTokens": 4500, "inputTokens": 1200}
    assert tokens(vercel("gemini-2.5-pro", "google.generative-ai", **counts)) == (1200, 3300)
    usage = {"thoughtsTokenCount": 3000, "totalTokenCount": 4500}
    metadata = {"google": {"usageMetadata": usage}}
    record = vercel("gemini-2.5-pro", "google.generative-ai", metadata, promptTokens=1200, completionTokens=300)
    assert (tokens(record), record.reasoning_tokens, cost(record)) == ((1200, 3300), 3000, 0.0345)
    counts = {"outputTokens": 103, "reasoningTokens": 94, "totalTokens": 135, "inputTokens": 32}
    assert tokens(vercel("grok-4", "xai.chat", **counts)) == (32, 103)


def test_langsmith_tells_the_parts_in_its_metadata():
    usage = {
        "input_tokens": 3000, "output_tokens": 80, "total_tokens": 3080,
        "input_token_details": {"cache_read": 1000, "ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 400},
        "output_token_details": {"reasoning": 64},
    }  # fmt: skip
    record = read(
        "langsmith",
        **{
            "langsmith.span.kind": "llm",
            "langsmith.metadata.ls_provider": "anthropic",
            "langsmith.metadata.ls_model_name": "claude-sonnet-4-5",
            "langsmith.metadata.usage_metadata": json.dumps(usage),
        },
    )
    written = record.cache_creation_input_tokens, record.cache_creation_1h_input_tokens
    assert (tokens(record), record.cached_input_tokens, written) == ((3000, 80), 1000, (1000, 400))
    assert (record.reasoning_tokens, cost(record)) == (64, 0.00915)


def test_langsmith_tells_the_tier_by_the_names_of_the_parts():
    details = {"flex_cache_read": 500, "flex": 500}
    usage = {"input_tokens": 1000, "output_tokens": 100, "input_token_details": details}
    record = read(
        "langsmith",
        **{
            "langsmith.span.kind": "llm",
            "langsmith.metadata.ls_provider": "openai",
            "langsmith.metadata.ls_model_name": "gpt-5",
            "langsmith.metadata.usage_metadata": json.dumps(usage),
        },
    )
    assert (record.cached_input_tokens, cost(record)) == (500, 0.00084375)


def test_audio_and_images_are_parts_of_the_usage():
    record = gen_ai(
        "gpt-realtime", input_tokens=4200, output_tokens=900,
        **{"audio.input_tokens": 3000, "audio.output_tokens": 800, "image.input_tokens": 0},
    )  # fmt: skip
    assert (record.audio_input_tokens, record.audio_output_tokens, record.image_input_tokens) == (3000, 800, 0)
    assert cost(record) == 0.1536
    older = gen_ai(
        "gpt-realtime", input_tokens=4200, output_tokens=900, input_audio_tokens=3000, output_audio_tokens=800
    )
    assert cost(older) == 0.1536


def test_a_service_tier_changes_the_price():
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}
    names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5"}
    prices = [
        cost(read(**names, **usage, **tier))
        for tier in ({}, {"openai.response.service_tier": "priority"}, {"gen_ai.openai.request.service_tier": "flex"})
    ]
    assert prices == [0.00225, 0.0045, 0.001125]
    record = read(**names, **usage, **{"openai.response.service_tier": "scale"})
    assert (cost(record), record.unpriced_reason) == (
        None, "the price list has no price of gpt-5 for the service tier scale",
    )  # fmt: skip


def test_openinferences_response_tells_the_tier():
    answer = {"output.value": json.dumps({"model": "gpt-5", "service_tier": "flex"})}
    names = {"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "gpt-5"}
    usage = {"llm.token_count.prompt": 1000, "llm.token_count.completion": 100}
    assert cost(read(**names, **usage, **answer)) == 0.001125


def test_usage_of_an_agent_has_a_price_and_a_span_without_a_model_says_why_not():
    names = {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "openai"}
    usage = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}
    assert cost(read(**names, **usage, **{"gen_ai.request.model": "gpt-4o"})) == 0.0035
    record = read(**names, **usage)
    assert (cost(record), record.unpriced_reason) == (None, "the span names no model")
    assert read(**names).unpriced_reason == ""


def test_explanations_say_what_was_counted_beside():
    record = gen_ai("gemini-2.5-pro", "gcp.gen_ai", input_tokens=1200, output_tokens=300, total_tokens=4500)
    assert content(record).normalization["output_tokens"] == {
        "rule": "otel_genai.output_tokens", "attribute": "gen_ai.usage.output_tokens + 3000 counted beside it",
    }  # fmt: skip
