"""Whose a span is: the session and user of the span or its resource, in every spelling, and never a scrubbed one."""

import json

import pytest

from spans.models import Span
from spans.records import ResourceRecord, ScopeRecord, SpanRecord
from spans.semconv import content, normalize


def span(attributes, resource=None, scope="demo"):
    record = SpanRecord(
        "t", "1", name="chat m", attributes=attributes,
        resource=ResourceRecord(attributes=resource or {}), scope=ScopeRecord(name=scope),
    )  # fmt: skip
    normalize(record)
    return record


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"session.id": "ses-9a", "user.id": "dev-4"}, ("ses-9a", "dev-4")),
        ({"langfuse.session.id": "ses-9a", "langfuse.user.id": "dev-4"}, ("ses-9a", "dev-4")),
        ({"gen_ai.conversation.id": "ses-9a", "enduser.id": "dev-4"}, ("ses-9a", "dev-4")),
        ({"traceloop.association.properties.session_id": "ses-9a"}, ("ses-9a", "")),
        ({"session.id": "[REDACTED]", "service.name": "demo"}, ("", "")),
    ],
)
def test_session_and_user_of_the_resource_are_those_of_its_spans(resource, expected):
    record = span({"gen_ai.operation.name": "chat"}, resource)
    assert (record.session_id, record.user_id) == expected
    full = content(record, resource)
    assert (full.session_id, full.user_id) == expected
    if expected[0]:
        assert full.normalization["session_id"]["attribute"].startswith("resource: ")


def test_what_a_span_says_goes_before_its_resource():
    record = span({"session.id": "own"}, {"session.id": "ses-9a", "user.id": "dev-4"})
    assert (record.session_id, record.user_id) == ("own", "dev-4")


def test_a_stored_span_reads_its_resource_like_a_received_one():
    row = Span(attributes={}, events=[], resource={"attributes": {"session.id": "ses-9a"}}, start_time_unix_nano=1)
    normalize(row)
    assert row.session_id == "ses-9a"


@pytest.mark.parametrize(
    "scrubbed",
    [
        "[Scrubbed due to 'session']", "[REDACTED]", "<redacted>", "__REDACTED__", "REDACTED", "***", "****", "••••",
        "[Filtered]", "[MASKED_USER]", "[redacted: email]", "XXXX", "null", "None", "undefined",
    ],
)  # fmt: skip
def test_a_scrubbed_value_is_no_session_and_no_user(scrubbed):
    record = span({"session.id": scrubbed, "user.id": scrubbed, "gen_ai.conversation.id": "c-1"})
    assert (record.session_id, record.user_id) == ("c-1", "")


@pytest.mark.parametrize("real", ["s-1", "redacted-42", "hidden_session", "[7f3]", "xxx", "*1", "nonesuch", "x" * 300])
def test_an_odd_id_is_still_one(real):
    assert span({"session.id": real}).session_id == real


LITELLM = [
    {"gen_ai.conversation.id": "lf-1"},
    {"metadata.session_id": "lf-1"},
    {"metadata.requester_metadata": "{'session_id': 'lf-1', 'n': 1}"},
    {"metadata.requester_metadata": '{"session_id": "lf-1"}'},
    {"metadata.spend_logs_metadata": "{'litellm_session_id': 'lf-1'}"},
    {"llm.openai.metadata": "{'session_id': 'lf-1'}"},
    {"llm.anthropic.litellm_session_id": "lf-1"},
    {"metadata": '{"session_id": "lf-1"}'},
]


@pytest.mark.parametrize("attributes", LITELLM, ids=[next(iter(item)) for item in LITELLM])
def test_a_session_in_litellms_metadata_is_one(attributes):
    assert span({"gen_ai.operation.name": "completion"} | attributes, scope="litellm").session_id == "lf-1"


def test_litellm_metadata_without_a_session_names_none():
    attributes = {"metadata.requester_metadata": "", "llm.openai.metadata": "{}", "llm.None.user": ""}
    assert span(attributes, scope="litellm").session_id == ""


@pytest.mark.parametrize("key", ["session_id", "conversation_id", "thread_id"])
def test_a_session_in_openinferences_metadata_is_one(key):
    assert span({"openinference.span.kind": "LLM", "metadata": json.dumps({key: "lf-1"})}).session_id == "lf-1"
