"""Payloads of the same SDKs used otherwise: in another language, by a handler, by another instrumentation.

Recorded against a fake model server each of whose calls has token counts of its own, 3 or 4 of the input cached.
"""

import json
from collections import Counter

import pytest

from spans.providers import canonical_provider
from spans.records import SpanRecord
from spans.semconv import content, normalize
from tests.spans.semconv.test_sdk_payloads import assert_traces, load, spans
from traces.summaries.summary import summarize

SUNNY = "It is sunny in Brno. C"
# name, status, input tokens, output tokens, session, user, beginning of the output
TRACES = {
    "langfuse-5-js": [
        ("gn", "OK", 308, 218, "S3", "U3", SUNNY),
        ("gn", "OK", 309, 219, "S3", "U3", 'get_weather({"city": "Brno"})'),
        ("gn", "OK", 310, 220, "S3", "U3", SUNNY),
        ("gn", "OK", None, None, "S3", "U3", 'get_weather({"city": "Brno"})'),
        ("gn", "OK", 412, 232, "S3", "U3", "The capital is Paris."),
        ("gn", "OK", 413, 233, "S3", "U3", "The capital is Paris."),
        ("gn", "OK", None, None, "S3", "U3", ""),
        ("gn", "ERROR", None, None, "S3", "U3", ""),
        ("flow", "OK", 21, 5, "S4", "U4", "TO"),
        ("thrower", "ERROR", None, None, "", "", ""),
    ],
    "langfuse-5-langchain": [
        ("RunnableSequence", "OK", 177, 87, "LS", "LU", SUNNY),
        ("LangGraph", "OK", 357, 177, "", "", SUNNY),
        ("ChatOpenAI", "ERROR", None, None, "", "", ""),
        ("ChatOpenAI", "OK", None, None, "", "", SUNNY),
    ],
    "llama-index-openllmetry": [
        ("OpenAILike.workflow", "OK", 314, 224, "", "", SUNNY),
        ("OpenAILike.workflow", "OK", 951, 681, "", "", SUNNY),
    ],
}


@pytest.mark.parametrize("family", TRACES)
def test_traces_have_their_status_totals_session_user_and_output(family):
    assert_traces(family, TRACES[family])


def langfuse(usage=None, cost=None, **attributes):
    details = {"langfuse.observation.usage_details": usage, "langfuse.observation.cost_details": cost}
    own = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini"}
    encoded = {key: json.dumps(value) for key, value in details.items() if value is not None}
    record = SpanRecord("t", "s", attributes={**own, **encoded, **attributes})
    normalize(record)
    return record


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input": 175, "output": 86, "total": 266, "input_cache_read": 3, "output_reasoning": 2}, (178, 88, 3)),
        ({"input": 305, "output": 216, "total": 524, "input_cached_tokens": 3}, (308, 216, 3)),
        ({"input": 10, "output": 5, "total": 15, "input_cached_tokens": 2}, (10, 5, 2)),
        ({"input": 10, "output": 5, "cache_read_input_tokens": 4, "total": 19}, (14, 5, 4)),
        ({"input": 50, "output": 11, "cache_read_input_tokens": 30}, (80, 11, 30)),
        ({"input_tokens": 50, "output_tokens": 11, "cache_read_input_tokens": 30}, (80, 11, 30)),
        ({"input_tokens": 50, "output_tokens": 11, "input_tokens_details": {"cached_tokens": 30}}, (50, 11, 30)),
        ({"input": 50, "output": 11, "input_audio": 40, "output_reasoning": 9}, (90, 20, None)),
        ({"input": 0, "output": 0, "total": 0}, (0, 0, None)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}, (9, 4, 2)),
    ],
)
def test_langfuse_counts_its_buckets_together_unless_the_total_is_that_of_input_and_output(usage, tokens):
    record = langfuse(usage)
    assert (record.input_tokens, record.output_tokens, record.cached_input_tokens) == tokens


def test_a_langfuse_observation_of_level_error_failed_whatever_its_status():
    level = "langfuse.observation.level"
    failed = langfuse(**{level: "ERROR", "langfuse.observation.status_message": "401 wrong key"})
    assert failed.is_error
    shown = content(failed)
    assert (shown.is_error, shown.error_message) == (True, "401 wrong key")
    assert shown.normalization["is_error"]["attribute"] == level
    assert not langfuse(**{level: "WARNING"}).is_error
    assert not content(langfuse()).is_error


def test_a_failed_langfuse_call_has_no_cost_that_nobody_reported():
    nothing = {"input": 0, "output": 0, "total": 0}
    level = "langfuse.observation.level"
    assert langfuse(cost=nothing, **{level: "ERROR"}).cost_usd is None
    assert langfuse(cost=nothing, **{level: "DEFAULT"}).cost_usd == 0
    assert langfuse(cost=nothing).cost_usd == 0
    assert str(langfuse(cost={"input": 0.001, "output": 0.002}, **{level: "ERROR"}).cost_usd) == "0.0030000000"
    failed = spans("langfuse-5-js", "gn")[-1]
    assert (failed.cost_usd, content(failed).error_message) == (None, "Error: 500 Server exploded")


def test_langfuse_requests_of_the_responses_api_are_messages():
    request = {"input": [{"role": "system", "content": "be terse"}, {"role": "user", "content": "w?"}], "tools": []}
    record = langfuse(**{"langfuse.observation.input": json.dumps(request)})
    assert record.input_preview == "w?"
    assert [message["role"] for message in content(record).input_messages] == ["system", "user"]


def test_a_langchain_call_and_the_openai_call_inside_it_count_once():
    records = next(records for records in load("langfuse-5-langchain").values() if len(records) == 4)
    counted = summarize(records).counted
    assert [record.name for record in records if record.span_id in counted] == ["OpenAI-generation"]


def test_messages_given_as_pairs_of_role_and_text_show_their_text():
    (graph,) = spans("langfuse-5-langchain", "LangGraph")
    assert graph.input_preview == "Weather?"


def test_llama_index_steps_through_openllmetry_are_what_their_classes_do():
    records = [record for records in load("llama-index-openllmetry").values() for record in records]
    types = Counter((record.name, record.span_type) for record in records)
    assert types["OpenAILike.task", "CHAT_MODEL"] == 4
    assert types["OpenAIEmbedding.workflow", "EMBEDDING"] == 1
    assert types["VectorIndexRetriever.task", "RETRIEVER"] == 2
    assert types["FunctionTool.task", "TOOL"] == 1
    assert types["FunctionAgent.workflow", "AGENT"] == 1
    assert types["RetrieverQueryEngine.workflow", "WORKFLOW"] == 1
    models = {name for records in load("llama-index-openllmetry").values() for name in summarize(records).model_names}
    assert models == {"gpt-4o-mini-2024-07-18", "text-embedding-3-small"}


def test_llama_index_tools_documents_and_calls_of_tools_are_read_from_its_objects():
    (tool,) = spans("llama-index-openllmetry", "FunctionTool.task")
    full = content(tool)
    assert (tool.tool_name, full.tool_arguments, full.tool_result) == (
        "get_weather", {"city": "Brno"}, {"city": "Brno", "t": 21},
    )  # fmt: skip
    (document,) = content(spans("llama-index-openllmetry", "VectorIndexRetriever.task")[0]).documents
    assert (document["content"], document["metadata"]) == ("Refund policy: 30 days.", {"src": "a"})
    assert document["score"] == pytest.approx(1.0)
    (call,) = [record for record in spans("llama-index-openllmetry", "OpenAILike.task") if record.input_tokens == 317]
    assert call.output_preview == 'get_weather({"city": "Brno"})'
    assert content(call).output_messages[0]["parts"] == [
        {"type": "tool_call", "id": "call_217", "name": "get_weather", "arguments": {"city": "Brno"}}
    ]


def test_the_input_of_a_llama_index_agent_is_what_it_was_asked_and_not_the_state_of_its_engine():
    agent, *_ = spans("llama-index", "FunctionAgent.run")
    assert agent.input_preview == ""
    records = next(records for records in load("llama-index").values() if agent in records)
    assert summarize(records).input_preview.lower() == "weather in brno?"


def test_prompts_listed_in_one_attribute_are_messages():
    record = SpanRecord("t", "s", attributes={"openinference.span.kind": "LLM", "llm.prompts": ["Paris?"]})
    normalize(record)
    assert record.input_preview == "Paris?"
    assert content(record).input_messages == [{"role": "user", "parts": [{"type": "text", "text": "Paris?"}]}]


def test_a_call_listed_as_content_and_as_call_is_one():
    call = {"tool_call.id": "toolu_1", "tool_call.function.name": "get_weather"}
    call["tool_call.function.arguments"] = '{"city": "Brno"}'
    first = "llm.output_messages.0.message."
    attributes = {
        "openinference.span.kind": "LLM",
        first + "role": "assistant",
        first + "contents.0.message_content.type": "text",
        first + "contents.0.message_content.text": "Let me see.",
        first + "contents.1.message_content.type": "tool_use",
        **{f"{first}contents.1.{key}": value for key, value in call.items()},
        **{f"{first}tool_calls.0.{key}": value for key, value in call.items()},
    }
    record = SpanRecord("t", "s", attributes=attributes)
    assert content(record).output_messages[0]["parts"] == [
        {"type": "text", "text": "Let me see."},
        {"type": "tool_call", "id": "toolu_1", "name": "get_weather", "arguments": {"city": "Brno"}},
    ]


@pytest.mark.parametrize(
    ("metadata", "tokens"),
    [
        ({"anthropic": {"usage": {"cache_read_input_tokens": 30}, "cacheCreationInputTokens": 20}}, (30, 20, None)),
        ({"anthropic": {"cacheReadInputTokens": 30, "cacheCreationInputTokens": 20}}, (30, 20, None)),
        ({"openai": {"cachedPromptTokens": 0, "reasoningTokens": 2}}, (0, None, 2)),
        ({"openai": {}}, (None, None, None)),
    ],
)
def test_vercel_ai_has_cached_tokens_in_the_metadata_of_the_provider(metadata, tokens):
    attributes = {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.usage.promptTokens": 342,
        "ai.response.providerMetadata": json.dumps(metadata),
    }
    full = content(SpanRecord("t", "s", attributes=attributes))
    assert (full.cached_input_tokens, full.cache_creation_input_tokens, full.reasoning_tokens) == tokens


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("openai.chat", "openai"),
        ("azure.responses", "azure.ai.openai"),
        ("AzureOpenAI", "azure.ai.openai"),
        ("google.generative-ai", "google"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("togetherai.chat", "togetherai"),
        ("azure.ai.openai", "azure.ai.openai"),
        ("gcp.gen_ai", "gcp.gen_ai"),
    ],
)
def test_the_name_of_an_api_is_no_part_of_the_providers_name(name, provider):
    assert canonical_provider(name) == provider


def test_langfuse_attributes_that_programs_set_themselves_are_read():
    attributes = {
        "langfuse.tags": ["a", "b"],
        "langfuse.prompt.name": "greeting",
        "langfuse.prompt.version": 3,
        "langfuse.metadata.tier": "gold",
    }
    full = content(SpanRecord("t", "s", attributes=attributes))
    assert (full.tags, full.prompt_name, full.prompt_version) == (["a", "b"], "greeting", "3")
    assert full.metadata == {"tier": "gold"}


@pytest.mark.parametrize(("time", "waited_ms"), [("20.002997", 0.0), ("20.003", 0.003), ("20.002996", None)])
def test_the_time_to_a_first_token_is_exact_to_the_microsecond(time, waited_ms):
    attributes = {"langfuse.observation.completion_start_time": f'"2023-11-14T22:13:{time}Z"'}
    record = SpanRecord("t", "s", start_time_unix_nano=1_700_000_000_002_997_000, attributes=attributes)
    assert content(record).time_to_first_token_ms == waited_ms
