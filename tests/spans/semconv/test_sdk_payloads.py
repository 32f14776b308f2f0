"""Payloads of more SDKs, recorded against a fake model server, with every fact that they carry.

The server answers each chat with 25 tokens in and 9 out (3 of the input cached, 1 of the output reasoning), each
Responses call with 20 and 6, and each embedding with 7. google-adk adds the reasoning token to the output.
"""

import gzip
from collections import defaultdict
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spans.semconv import content, normalize
from traces.otlp.decode import decode
from traces.summaries.summary import summarize

PAYLOADS = Path(__file__).parent / "payloads"
SUNNY = "It is sunny in Brno."


def load(family):
    request = ExportTraceServiceRequest()
    request.ParseFromString(gzip.decompress((PAYLOADS / f"{family}.pb.gz").read_bytes()))
    traces = defaultdict(list)
    for record in decode([request]).records:
        normalize(record)
        traces[record.trace_id].append(record)
    return traces


def summaries(family):
    found = [summarize(records) for records in load(family).values()]
    return [
        (
            one.name,
            one.status,
            one.input_tokens,
            one.output_tokens,
            one.session_id,
            one.user_id,
            one.output_preview.strip(),
        )
        for one in sorted(found, key=lambda one: one.start_time_unix_nano)
    ]


def assert_traces(family, expected):
    """The family's traces are these summaries, of which the output is the beginning, or none."""
    found = summaries(family)
    assert [trace[:6] for trace in found] == [trace[:6] for trace in expected]
    for trace, facts in zip(found, expected, strict=True):
        assert trace[6].startswith(facts[6]), facts
        assert bool(trace[6]) == bool(facts[6]), facts


def spans(family, name):
    found = [record for records in load(family).values() for record in records if record.name == name]
    return sorted(found, key=lambda record: record.start_time_unix_nano)


LANGFUSE = [
    ("plain", "OK", 25, 9, "s-1", "jana", SUNNY),
    ("agent", "OK", 50, 18, "", "", SUNNY),
    ("stream", "OK", 25, 9, "", "", SUNNY),
    ("fail", "ERROR", None, None, "", "", ""),
    ("handled", "ERROR", None, None, "", "", "1"),
    ("OpenAI-embedding", "OK", 7, 0, "", "", '{"dimensions": 16, "count": 2}'),
    ("OpenAI-generation", "OK", 20, 6, "", "", "The capital is Paris."),
    ("manual", "OK", 12, 5, "", "", "o"),
    ("an event", "OK", None, None, "", "", ""),
]
TRACES = {
    "langfuse-3": LANGFUSE,
    "langfuse-5": LANGFUSE,
    "vercel-ai-5": [
        ("ai.generateText", "OK", 25, 9, "s-1", "u-1", SUNNY),
        ("ai.generateText", "OK", 20, 6, "s-1", "u-1", "The capital is Paris."),
        ("ai.generateText", "OK", 50, 18, "s-1", "u-1", SUNNY),
        ("ai.streamText", "OK", 25, 9, "s-1", "u-1", SUNNY),
        ("ai.embed", "OK", 7, 0, "s-1", "u-1", ""),
        ("ai.embedMany", "OK", 7, 0, "s-1", "u-1", ""),
        ("ai.generateText", "ERROR", None, None, "s-1", "u-1", ""),
        ("ai.generateText", "OK", 50, 18, "s-1", "u-1", SUNNY),
    ],
    "vercel-ai-7": [
        ("invoke_agent gpt-4o-mini", "OK", 25, 9, "s-1", "u-1", SUNNY),
        ("invoke_agent gpt-4.1-mini", "OK", 20, 6, "", "", "The capital is Paris."),
        ("invoke_agent gpt-4o-mini", "OK", 50, 18, "", "", SUNNY),
        ("invoke_agent gpt-4o", "OK", 25, 9, "", "", SUNNY),
        ("embeddings text-embedding-3-small", "OK", 7, 0, "", "", ""),
        ("embeddings text-embedding-3-small", "OK", 7, 0, "", "", ""),
        ("invoke_agent error-500", "ERROR", None, None, "", "", ""),
        ("invoke_agent gpt-4o-mini", "OK", 50, 18, "", "", SUNNY),
    ],
    "google-adk": [
        ("invoke_workflow plain", "OK", 25, 10, "s-adk", "", SUNNY),
        ("invoke_workflow weather", "OK", 50, 20, "s-adk", "", SUNNY),
        ("invoke_workflow broken", "ERROR", 25, 10, "s-adk", "", 'boom({"city": "Brno"})'),
        ("invoke_workflow llmerr", "ERROR", None, None, "s-adk", "", ""),
        ("invoke_workflow seq", "OK", 50, 20, "s-adk", "", SUNNY),
    ],
}


@pytest.mark.parametrize("family", TRACES)
def test_traces_have_their_status_totals_session_user_and_output(family):
    assert summaries(family) == TRACES[family]


def test_agno_agents_are_understood():
    assert summaries("agno")[0] == ("Weather_Agent.run", "OK", 50, 18, "sess-1", "jana", SUNNY)
    (tool,) = spans("agno", "get_weather")
    assert (tool.span_type, tool.tool_name, tool.output_preview) == ("TOOL", "get_weather", '{"city": "Brno", "t": 21}')
    call = spans("agno", "OpenAIChat.invoke")[0]
    assert (call.provider_name, call.request_model, call.cached_input_tokens) == ("openai", "gpt-4o-mini", 3)
    assert [trace[1] for trace in summaries("agno")] == ["OK", "OK", "OK", "ERROR", "OK"]


def test_llama_index_queries_and_agents_are_understood():
    query = next(trace for trace in summaries("llama-index") if trace[0] == "RetrieverQueryEngine.query")
    assert query == ("RetrieverQueryEngine.query", "OK", 25, 9, "s-9", "u-9", SUNNY)
    agent = next(trace for trace in summaries("llama-index") if trace[0] == "FunctionAgent.run")
    assert agent[-1] == SUNNY
    (retriever,) = spans("llama-index", "VectorIndexRetriever.retrieve")
    documents = content(retriever).documents
    assert {document["content"] for document in documents} == {"Refund policy: 30 days.", "Hours 8-18"}
    assert all(0 <= document["score"] <= 1.001 for document in documents)
    (tool,) = spans("llama-index", "FunctionTool.acall")
    assert (tool.tool_name, tool.output_preview) == ("get_weather", '{"city": "Brno", "t": 21}')


def test_the_wrapper_of_an_llm_call_in_llama_index_does_not_count():
    records = next(
        records for records in load("llama-index").values() if any(r.name == "OpenAI.predict" for r in records)
    )
    counted = summarize(records).counted
    assert {record.name for record in records if record.span_id in counted} == {"OpenAI.chat"}


@pytest.mark.parametrize("family", ["langfuse-3", "langfuse-5"])
def test_langfuse_observations_are_understood(family):
    generation = spans(family, "OpenAI-generation")[0]
    full = content(generation)
    assert (generation.span_type, generation.request_model) == ("LLM", "gpt-4o-mini-2024-07-18")
    assert (generation.cached_input_tokens, full.reasoning_tokens, full.tags) == (3, 1, ["a", "b"])
    assert full.metadata == {"k": "v"}
    assert [message["role"] for message in full.input_messages] == ["system", "user"]
    (tool,) = spans(family, "get_weather")
    assert (tool.span_type, tool.tool_name) == ("TOOL", "get_weather")
    (retriever,) = spans(family, "retrieve")
    assert [document["id"] for document in content(retriever).documents] == ["d1", "d2"]
    (manual,) = spans(family, "manual")
    assert (manual.cached_input_tokens, str(manual.cost_usd)) == (2, "0.3000000000")
    assert content(manual).normalization["cost_usd"]["rule"] == "langfuse.cost_usd"
    (embedding,) = spans(family, "OpenAI-embedding")
    assert (embedding.span_type, content(embedding).embedding_inputs) == ("EMBEDDING", ["a", "b"])
    streamed = spans(family, "OpenAI-generation")[3]
    assert content(streamed).time_to_first_token_ms > 0
    (handled,) = spans(family, "handled")
    assert (handled.is_error, content(handled).error_message) == (True, "handled badly")


def test_vercel_ai_5_calls_are_a_wrapper_and_a_call():
    records = next(iter(load("vercel-ai-5").values()))
    counted = summarize(records).counted
    wrapper, call = sorted(records, key=lambda record: record.start_time_unix_nano)
    assert (wrapper.name, wrapper.span_type, call.span_type) == ("ai.generateText", "LLM", "CHAT_MODEL")
    assert counted == {call.span_id}
    assert (call.provider_name, call.request_model, call.response_model) == (
        "openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18",
    )  # fmt: skip
    assert call.attributes["gen_ai.system"] == "openai.chat"
    full = content(call)
    assert [(message["role"], message["parts"][0]["text"]) for message in full.input_messages] == [
        ("system", "terse"),
        ("user", "hello?"),
    ]
    assert full.request_parameters["temperature"] == 0.2


def test_vercel_ai_5_tools_and_embeddings_are_understood():
    tool = spans("vercel-ai-5", "ai.toolCall")[0]
    assert (tool.span_type, tool.tool_name, tool.input_preview) == ("TOOL", "get_weather", '{"city":"Brno"}')
    assert content(tool).tool_result == {"t": 21}
    (many,) = spans("vercel-ai-5", "ai.embedMany.doEmbed")
    assert content(many).embedding_inputs == ["a", "b"]
    assert many.output_preview == ""


def test_vercel_ai_7_steps_stand_between_agent_and_call():
    records = next(iter(load("vercel-ai-7").values()))
    types = {record.name: record.span_type for record in records}
    assert types == {"invoke_agent gpt-4o-mini": "AGENT", "step 1": "CHAIN", "chat gpt-4o-mini": "CHAT_MODEL"}


def test_google_adk_calls_and_tools_are_understood():
    call = spans("google-adk", "generate_content openai/gpt-4o-mini")[0]
    full = content(call)
    assert (call.span_type, call.provider_name, full.reasoning_tokens) == ("LLM", "openai", 1)
    assert [message["role"] for message in full.input_messages] == ["system", "user"]
    (tool,) = spans("google-adk", "execute_tool get_weather")
    assert (tool.span_type, tool.tool_name) == ("TOOL", "get_weather")
    assert content(tool).tool_arguments == {"city": "Brno"}
