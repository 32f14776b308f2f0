"""Whatever a client sends, normalization neither fails nor changes it."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spans.models import SpanType
from spans.records import ScopeRecord, SpanRecord
from spans.semconv import content, normalize
from spans.semconv.conventions import CONVENTIONS
from spans.semconv.fields import FIELDS
from spans.semconv.lookup import REMEMBERED_KEYS, Tables
from spans.semconv.sources import Attribute, Name
from spans.values import NonFinite, TaggedMap

# What may follow the prefix of a family, as SDKs write it and as nobody does
TAILS = ["0.message.content", "0.message.role", "0.role", "0.content", "1.role", "role", ".role", "0", "00.0.role"]
KEYS = sorted(
    {
        key.removeprefix("event:").replace("#", tail).replace("*", "x")
        for convention in CONVENTIONS
        for name in convention.fields
        for source in convention.sources(name)
        for key in source.keys()  # noqa: SIM118 - a method of sources
        for tail in TAILS
    }
)
SCOPES = sorted({scope for convention in CONVENTIONS for scope in convention.scopes} | {""})
WORDS = """
    role content parts type text tool_calls id name input kwargs message messages data choices function arguments usage
    documents prompt system output model generations candidates image_url source url kind finish_reason config contents
    summary tool_call_id tool_call message_content block_type thinking delta document score metadata page_content lc
    toolUse toolResult function_call functionCall inlineData thought reasoning additional_kwargs error total value
""".split()  # noqa: SIM905
KINDS = ["text", "tool_use", "tool_result", "reasoning", "image", "function_call", "human", "ai", "tool", "user"]
json_texts = st.sampled_from(
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '""',
        '"',
        "[[]]",
        '{"messages": null}',
        '[{"role": 1}]',
        '{"a": {"b": []}}',
        "[1, 2]",
    ]
)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30), json_texts, st.sampled_from(KINDS),
    st.binary(max_size=8), st.just(NonFinite("inf")), st.just(TaggedMap({"$a": 1})),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(WORDS) | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
values |= values.map(lambda value: json.dumps(value, default=str))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    attributes=st.dictionaries(st.sampled_from(KEYS), values, max_size=12),
    events=st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["exception", "gen_ai.choice", "gen_ai.user.message", "x"])},
            optional={
                "attributes": st.dictionaries(st.sampled_from([*KEYS, "content", "message"]), values, max_size=3)
            },
        ),
        max_size=3,
    ),
    scope=st.sampled_from(SCOPES),
    name=st.text(max_size=20),
)
def test_anything_can_be_normalized_and_stays_as_it_was(attributes, events, scope, name):
    record = SpanRecord(
        "0" * 31 + "1", "0" * 15 + "1", name=name, attributes=attributes, events=events, scope=ScopeRecord(name=scope)
    )
    before = copy.deepcopy((attributes, events))
    normalize(record)
    content(record)
    assert (record.attributes, record.events) == before
    assert record.span_type in SpanType.values
    assert len(record.input_preview) <= 500
    for field in ("operation_name", "provider_name", "request_model", "session_id", "user_id", "error_type"):
        assert isinstance(getattr(record, field), str)
    for field in ("input_tokens", "output_tokens", "cached_input_tokens"):
        assert getattr(record, field) is None or 0 <= getattr(record, field) < 2**63


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.prompt.role": "user"},
        {"gen_ai.prompt.0": "hi", "gen_ai.prompt.role": "user", "gen_ai.completion.role": "assistant"},
        {"gen_ai.prompt.0.role": ["user"], "gen_ai.prompt.0.content": "hi"},
        {"gen_ai.prompt.0.role": {"a": 1}, "llm.input_messages.0.message.role": TaggedMap({"$a": 1})},
    ],
)
def test_a_role_in_the_wrong_place_or_of_the_wrong_type_does_no_harm(attributes):
    record = SpanRecord("t", "s", attributes={"gen_ai.operation.name": "chat"} | attributes)
    normalize(record)
    content(record)
    assert record.operation_name == "chat"


@pytest.mark.parametrize(
    "text", ['{"content":[' * 500 + "1" + "]}" * 500, "[" * 1000 + "]" * 1000, '{"kwargs":' * 900 + "{}" + "}" * 900]
)
def test_content_nested_hundreds_of_levels_deep_does_no_harm(text):
    record = SpanRecord("t", "s", attributes={"input.value": text, "gen_ai.input.messages": text, "output.value": text})
    normalize(record)
    assert content(record).input is not None


def test_a_key_of_ten_thousand_steps_does_no_harm():
    key = "llm.input_messages.0." + ".".join(["x"] * 10_000)
    record = SpanRecord("t", "s", attributes={"openinference.span.kind": "LLM", key: "deep"})
    normalize(record)
    content(record)
    assert record.span_type == "LLM"


def test_zero_and_empty_are_values():
    record = SpanRecord(
        "t",
        "s",
        attributes={
            "gen_ai.usage.input_tokens": 0,
            "gen_ai.usage.output_tokens": 0,
            "output.value": "",
            "tag.tags": [],
        },
    )
    normalize(record)
    result = content(record)
    assert (record.input_tokens, record.output_tokens) == (0, 0)
    assert result.output == ""
    assert result.tags == []
    assert "tags" in result.normalization


def test_what_is_remembered_of_foreign_keys_is_bounded():
    tables = Tables(CONVENTIONS, FIELDS)
    index = tables.index("")
    for number in range(REMEMBERED_KEYS + 10):
        index.resolve(f"foreign.{number}")
    assert len(index.remembered) == REMEMBERED_KEYS


def test_every_type_in_the_tables_is_one_of_mlflows():
    for convention in CONVENTIONS:
        for source in convention.sources("span_type"):
            if isinstance(source, Attribute):
                found = list((source.values or {}).values()) if source.constant is None else [source.constant]
            elif isinstance(source, Name):
                found = [source.constant]
            else:
                found = []
            assert set(found) <= set(SpanType.values), convention.name


def test_every_convention_names_known_fields_and_a_pinned_source():
    names = {field.name for field in FIELDS}
    for convention in CONVENTIONS:
        assert set(convention.fields) <= names, convention.name
        assert convention.source.startswith("https://github.com/"), convention.name
        assert "/main/" not in convention.source, convention.name
        assert convention.about, convention.name


def test_nul_characters_inside_json_texts_do_not_reach_a_column():
    record = SpanRecord(
        "t",
        "s",
        attributes={
            "input.value": '{"query": "a\\u0000b"}',
            "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "a\\u0000b"}]}]',
            "llm.invocation_parameters": '{"model": "gpt\\u0000"}',
        },
    )
    normalize(record)
    assert (record.input_preview, record.output_preview, record.request_model) == ("a\ufffdb", "a\ufffdb", "gpt\ufffd")


def test_columns_are_short_enough_for_an_index_but_ids_of_sessions_and_users_stay_whole():
    attributes = {"session.id": "ж" * 5000, "user.id": "x" * 5000, "llm.model_name": "m" * 5000}
    record = SpanRecord("t", "s", attributes=attributes)
    normalize(record)
    assert len(record.response_model or record.request_model) == 500
    assert (len(record.session_id), len(record.user_id)) == (5000, 5000)


def test_reading_a_family_leaves_an_attribute_that_is_an_object_as_it_was():
    attributes = {"gen_ai.prompt.0": {"parts": {"0": {"a": 1}}}, "gen_ai.prompt.0.content": "Hi?"}
    before = json.loads(json.dumps(attributes))
    record = SpanRecord("t", "s", attributes=attributes | {"gen_ai.prompt.0.parts.1": 2})
    normalize(record)
    content(record)
    assert record.attributes == before | {"gen_ai.prompt.0.parts.1": 2}
