"""One schema, whatever form messages, documents and tools came in."""

import json

import pytest

from spans.records import SpanRecord
from spans.semconv import content, normalize
from spans.semconv.messages import join_pieces, messages_of
from spans.semconv.previews import messages_preview, preview
from spans.semconv.shapes import documents_of, tools_of


def text(value):
    return {"type": "text", "text": value}


def call(identity="c1", name="get_weather", arguments=None):
    return {"type": "tool_call", "id": identity, "name": name, "arguments": arguments or {"city": "Brno"}}


USER = [{"role": "user", "parts": [text("hi")]}]


@pytest.mark.parametrize(
    "value",
    [
        "hi",
        [{"role": "user", "content": "hi"}],
        {"messages": [{"role": "user", "content": "hi"}], "model": "gpt-4o"},
        {"prompt": "hi"},
        {"model": "gpt-4.1", "input": "hi"},
        [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
        [{"message": {"role": "user", "content": "hi"}}],
        [{"message": {"role": "user", "contents": [{"message_content": {"type": "text", "text": "hi"}}]}}],
        [["human", "hi"]],
        [[{"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "hi"}}]],
        [{"type": "human", "data": {"content": "hi"}}],
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        [{"role": "user", "content": [{"text": "hi"}]}],
        [{"role": "user", "blocks": [{"block_type": "text", "text": "hi"}]}],
        [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        [{"text": "hi", "role": "user"}],
        [{"prompt": {"text": "hi"}}],
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_the_same_question_reads_the_same_in_every_form(value):
    assert messages_of(value) == USER
    assert messages_of(json.dumps(value) if not isinstance(value, str) else value) == USER
    assert messages_preview(value, output=False) == "hi"


@pytest.mark.parametrize(
    "value",
    [
        {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Brno"}'}}]}}]},
        {"object": "response", "output": [
            {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Brno"}'}]},
        [{"role": "assistant", "content": [
            {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"city": "Brno"}}]}],
        [{"role": "assistant", "parts": [
            {"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Brno"}}]}],
        [{"role": "assistant", "content": [
            {"toolUse": {"toolUseId": "c1", "name": "get_weather", "input": {"city": "Brno"}}}]}],
        [{"role": "assistant", "content": [
            {"type": "tool-call", "toolCallId": "c1", "toolName": "get_weather", "input": {"city": "Brno"}}]}],
        [{"role": "model", "parts": [
            {"function_call": {"id": "c1", "name": "get_weather", "args": {"city": "Brno"}}}]}],
        {"message": {"role": "assistant", "tool_calls": [
            {"tool_call": {"id": "c1", "function": {"name": "get_weather", "arguments": '{"city": "Brno"}'}}}]}},
        {"role": "assistant", "content": '""', "tool_calls": [
            {"id": "c1", "name": "get_weather", "arguments": '{"city": "Brno"}'}]},
        {"type": "ai", "data": {"content": "", "tool_calls": [
            {"id": "c1", "name": "get_weather", "args": {"city": "Brno"}}]}},
    ],
    ids=range(10),
)  # fmt: skip
def test_the_same_tool_call_reads_the_same_in_every_form(value):
    (message,) = messages_of(value, "assistant")
    assert message["role"] == "assistant"
    assert message["parts"] == [call()]
    assert messages_preview(value, output=True) == 'get_weather({"city": "Brno"})'


@pytest.mark.parametrize(
    "value",
    [
        {"role": "tool", "tool_call_id": "c1", "content": "21 °C"},
        {"type": "function_call_output", "call_id": "c1", "output": "21 °C"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "21 °C"}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "21 °C"}]}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "21 °C"}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "21 °C"}]}}]},
        {"role": "tool", "content": [
            {"type": "tool-result", "toolCallId": "c1", "output": {"type": "text", "value": "21 °C"}}]},
    ],
    ids=range(7),
)  # fmt: skip
def test_the_same_tool_result_reads_the_same_in_every_form(value):
    ((part,),) = [message["parts"] for message in messages_of(value)]
    assert (part["type"], part["id"], part["result"]) == ("tool_result", "c1", "21 °C")


@pytest.mark.parametrize(
    ("block", "modality", "mime_type", "uri"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x/y.png"}}, "image", "", "https://x/y.png"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, "image", "image/png", ""),
        ({"type": "image", "source": {"media_type": "image/jpeg", "data": "AA"}}, "image", "image/jpeg", ""),
        ({"type": "blob", "mime_type": "audio/wav", "data": "AA"}, "audio", "audio/wav", ""),
        ({"message_content": {"type": "image", "image": {"image": {"url": "https://x/z"}}}}, "image", "", "https://x/z"),
        ({"inline_data": {"mime_type": "image/png", "data": "AA"}}, "image", "image/png", ""),
    ],
)  # fmt: skip
def test_media_are_references_and_never_bytes(block, modality, mime_type, uri):
    ((part,),) = [message["parts"] for message in messages_of([{"role": "user", "content": [block]}])]
    assert part == {"type": "media", "modality": modality, "mime_type": mime_type, "uri": uri}


@pytest.mark.parametrize(
    "value",
    [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "ok"}]},
        {"role": "assistant", "reasoning_content": "hm", "content": "ok"},
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "ok"}]},
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "ok"}]},
        {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "ok"}]},
    ],
    ids=range(5),
)
def test_reasoning_stands_apart_from_the_text(value):
    (message,) = messages_of(value, "assistant")
    assert message["parts"] == [{"type": "reasoning", "text": "hm"}, text("ok")]


def test_normalized_messages_stay_as_they_are():
    value = [
        {"role": "user", "parts": [text("hi")]},
        {"role": "assistant", "parts": [{"type": "reasoning", "text": "hm"}, call()]},
        {"role": "tool", "parts": [{"type": "tool_result", "id": "c1", "name": "get_weather", "result": {"t": 1}}]},
    ]
    assert messages_of(value) == value


def test_a_text_that_is_json_stays_a_text():
    (message,) = messages_of([{"role": "assistant", "content": '{"sentiment": "positive"}'}])
    assert message["parts"] == [text('{"sentiment": "positive"}')]


def test_streamed_pieces_become_one_message():
    pieces = [{"role": "assistant", "content": piece} for piece in ("Hel", "lo ", "there")]
    assert join_pieces(pieces) == [{"role": "assistant", "parts": [text("Hello there")]}]


def test_several_choices_are_all_in_the_preview():
    choices = {"choices": [{"message": {"content": "one"}}, {"message": {"content": "two"}}]}
    assert messages_preview(choices, output=True) == "one two"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  several\n\n lines ", "several lines"),
        ('{"answer": "42", "confidence": 0.5}', "42"),
        ('{"city": "Brno", "t": 21}', '{"city": "Brno", "t": 21}'),
        ('"quoted"', "quoted"),
        ('{"args": [], "kwargs": {}}', ""),
        ('{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}', "a"),
        ('{"embedder": {"meta": {}}, "llm": {"replies": ["done"]}}', "done"),
        ("AgentOutput(response=ChatMessage(role=<R.A: 'assistant'>, blocks=[TextBlock(text='sunny')]))", "sunny"),
        ("{broken", "{broken"),
        ("", ""),
        (0, "0"),
    ],
)
def test_previews_show_the_text_that_people_look_for(value, expected):
    assert preview(value, output=True) == expected


def test_previews_contain_no_vectors():
    assert preview(json.dumps({"data": [{"embedding": [0.1] * 500}]}), output=True).count("0.1") == 0
    assert preview([0.25] * 100, output=True) == "[vector of 100 numbers]"


def test_previews_end_with_an_ellipsis_where_they_were_cut():
    assert len(preview("x" * 5000, output=True)) == 500
    assert preview("x" * 5000, output=True).endswith("…")


@pytest.mark.parametrize(
    "value",
    [
        [{"document": {"id": "1", "score": 0.5, "content": "c", "metadata": '{"k": 1}'}}],
        {"documents": [{"id": "1", "score": 0.5, "page_content": "c", "metadata": {"k": 1}}]},
        [{"node": {"id_": "1", "text": "c", "metadata": {"k": 1}}, "score": 0.5}],
        json.dumps([{"id": 1, "score": 0.5, "content": "c", "meta": {"k": 1}}]),
        [{"lc": 1, "id": ["x"], "score": 0.5, "kwargs": {"id": "1", "page_content": "c", "metadata": {"k": 1}}}],
    ],
    ids=range(5),
)
def test_documents_have_one_shape(value):
    assert documents_of(value) == [{"id": "1", "score": 0.5, "content": "c", "metadata": {"k": 1}}]


@pytest.mark.parametrize(
    "value",
    [
        [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
        [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}],
        [{"tool": {"json_schema": '{"name": "f", "description": "d", "input_schema": {"type": "object"}}'}}],
        [{"function_declarations": [{"name": "f", "description": "d", "parameters": {"type": "object"}}]}],
        [{"name": "f", "description": "d", "parameters": '{"type": "object"}'}],
        ['{"name": "f", "description": "d", "inputSchema": {"type": "object"}}'],
    ],
    ids=range(6),
)
def test_tools_have_one_shape(value):
    assert tools_of(value) == [{"name": "f", "description": "d", "parameters": {"type": "object"}}]


@pytest.mark.parametrize("key", ["documents", "output"])
def test_what_a_retriever_found_by_langsmiths_word_is_documents(key):
    found = [{"id": "d1", "metadata": {"page": 2}, "page_content": "Refunds within 30 days.", "type": "Document"}]
    record = SpanRecord(
        "t", "1", name="VectorStoreRetriever",
        attributes={
            "langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings",
            "gen_ai.prompt": '{"query": "refunds?"}', "gen_ai.completion": json.dumps({key: found}),
        },
    )  # fmt: skip
    normalize(record)
    assert (record.span_type, record.operation_name, record.input_preview) == ("RETRIEVER", "retrieval", "refunds?")
    assert content(record).documents == [
        {"id": "d1", "score": None, "content": "Refunds within 30 days.", "metadata": {"page": 2}}
    ]
