"""What real instrumentations sent, normalized, against what is known to be in it (expect.json).

Deviations are argued in docs/semantic-conventions-deviations.md and asserted here as exactly what they are.
"""

from collections import defaultdict
from decimal import Decimal
from functools import cache

import pytest

from spans.records import SpanRecord
from spans.semconv import content, normalize
from tests.corpus import FAMILIES, capture
from traces.otlp.decode import decode
from traces.summaries.summary import summarize

TYPES_OF_KIND = {
    "llm": {"LLM", "CHAT_MODEL"},
    "embedding": {"EMBEDDING"},
    "retriever": {"RETRIEVER"},
    "tool": {"TOOL"},
    "agent": {"AGENT"},
    "chain": {"CHAIN", "WORKFLOW", "TASK"},
    "prompt": {"CHAIN"},
    "guardrail": {"GUARDRAIL"},
    "evaluator": {"EVALUATOR"},
}
# (family, span name) → our output where it is not the expected one
OUTPUT_DEVIATIONS = {("traceloop-old", "ChatOpenAI.chat", '""'): '[{"type": "tool_call"'}
# (family, scenario) → our trace output where it is not the expected one
FINAL_OUTPUT_DEVIATIONS = {
    ("oi-openai", "stream-tool-call"): 'get_weather({"city": "Brno"})',
    ("traceloop", "langchain-rag"): "Hlavní město České republiky je Praha (Prague).",
    ("traceloop-old", "langchain-rag"): "Hlavní město České republiky je Praha (Prague).",
}
USER_DEVIATIONS = {("web-plain", scenario): "u-17" for scenario in ("ok", "not-found", "conflict", "client-as-root")}


@cache
def normalized(family: str) -> dict[str, list[SpanRecord]]:
    traces: dict[str, list[SpanRecord]] = defaultdict(list)
    for request in capture(family).requests:
        for record in decode([request]).records:
            normalize(record)
            traces[record.trace_id].append(record)
    return traces


def squeezed(text: str | None) -> str:
    return " ".join((text or "").split())


def first_word(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ").replace(".", " ").split()[0]


def expected_spans(family: str):
    for trace in capture(family).expected["traces"]:
        by_id = {record.span_id: record for record in normalized(family)[trace["trace_id"]]}
        for expected in trace["spans"]:
            yield expected, by_id[expected["span_id"]]


def expected_traces(family: str):
    for trace in capture(family).expected["traces"]:
        yield trace, summarize(normalized(family)[trace["trace_id"]])


def test_the_captures_are_there():
    assert len(FAMILIES) >= 29


@pytest.mark.parametrize("family", FAMILIES)
def test_spans_have_the_expected_type_model_provider_tool_and_error(family):
    for expected, record in expected_spans(family):
        where = (record.name, record.span_id)
        assert record.span_type in TYPES_OF_KIND[expected["kind"]], where
        assert record.is_error == expected["error"], where
        if expected.get("model"):
            assert expected["model"] in (record.request_model, record.response_model), where
        if expected.get("response_model"):
            assert expected["response_model"] == record.response_model, where
        if expected.get("provider"):
            assert first_word(expected["provider"]) == first_word(record.provider_name), where
        if "tool_name" in expected:
            assert expected["tool_name"] == record.tool_name, where


@pytest.mark.parametrize("family", FAMILIES)
def test_spans_have_exactly_the_tokens_that_their_payload_reports(family):
    for expected, record in expected_spans(family):
        where = (record.name, record.span_id)
        assert record.input_tokens == expected.get("input_tokens"), where
        assert record.output_tokens == expected.get("output_tokens"), where
        if "cached_tokens" in expected:
            assert record.cached_input_tokens == expected["cached_tokens"], where
        if "reasoning_tokens" in expected:
            assert content(record).reasoning_tokens == expected["reasoning_tokens"], where


@pytest.mark.parametrize("family", FAMILIES)
def test_spans_have_the_expected_output(family):
    for expected, record in expected_spans(family):
        if not (wanted := squeezed(expected.get("output_first_100"))):
            continue
        wanted = OUTPUT_DEVIATIONS.get((family, record.name, wanted), wanted)
        assert squeezed(content(record).output).startswith(wanted[:98]), (record.name, record.span_id)


@pytest.mark.parametrize("family", FAMILIES)
def test_traces_have_the_expected_totals(family):
    for expected, summary in expected_traces(family):
        where = (expected["scenario"], expected["trace_id"])
        assert summary.input_tokens == expected["total_input_tokens"], where
        assert summary.output_tokens == expected["total_output_tokens"], where


@pytest.mark.parametrize("family", FAMILIES)
def test_traces_have_the_expected_root_counts_errors_and_times(family):
    for expected, summary in expected_traces(family):
        where = (expected["scenario"], expected["trace_id"])
        root = expected["root_span"]
        assert summary.span_count == expected["span_count"], where
        assert summary.root_span_id == (root["span_id"] if root else ""), where
        if root:
            (record,) = [one for one in normalized(family)[expected["trace_id"]] if one.span_id == root["span_id"]]
            assert record.name == root["name"], where
            assert summary.name == record.title, where
        assert summary.status == ("ERROR" if expected["root_error" if root else "any_error"] else "OK"), where
        assert summary.error_count == expected["error_span_count"], where
        assert summary.service_name in expected["services"], where
        assert summary.duration_ns / 1e6 == pytest.approx(expected["duration_ms"], abs=0.11), where


@pytest.mark.parametrize("family", FAMILIES)
def test_traces_have_the_expected_session_and_user(family):
    for expected, summary in expected_traces(family):
        where = (expected["scenario"], expected["trace_id"])
        sessions, users = expected["session_id"], expected["user_id"]
        assert summary.session_id in (sessions if isinstance(sessions, list) else [sessions or ""]), where
        user = USER_DEVIATIONS.get((family, expected["scenario"]), "") if users is None else users
        assert summary.user_id in (user if isinstance(user, list) else [user]), where


@pytest.mark.parametrize("family", FAMILIES)
def test_traces_end_with_the_expected_output(family):
    for expected, summary in expected_traces(family):
        if not expected.get("final_output_in_payload") or not expected.get("final_output_first_100"):
            continue
        wanted = FINAL_OUTPUT_DEVIATIONS.get((family, expected["scenario"]), expected["final_output_first_100"])
        assert squeezed(summary.output_preview).startswith(squeezed(wanted)[:98]), expected["scenario"]


@pytest.mark.parametrize("family", FAMILIES)
def test_traces_carry_the_frameworks_own_id(family):
    for expected, summary in expected_traces(family):
        if "beeai" in expected:
            assert summary.framework_trace_id == expected["beeai"]["framework_trace_id"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_field_says_where_it_came_from(family):
    for records in normalized(family).values():
        for record in records:
            result = content(record)
            for field in ("span_type", "request_model", "input_tokens", "session_id", "input", "output", "documents"):
                value = getattr(result, field)
                if value not in (None, "", "UNKNOWN", []):
                    assert set(result.normalization[field]) == {"rule", "attribute"}, (record.name, field)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stored_columns_agree_with_the_full_form(family):
    for records in normalized(family).values():
        for record in records:
            result = content(record)
            for field in (
                "span_type",
                "operation_name",
                "provider_name",
                "request_model",
                "response_model",
                "tool_name",
            ):
                assert getattr(result, field) == getattr(record, field), (record.name, field)
            for field in (
                "input_tokens",
                "output_tokens",
                "cached_input_tokens",
                "session_id",
                "user_id",
                "error_type",
            ):
                assert getattr(result, field) == getattr(record, field), (record.name, field)


@pytest.mark.parametrize("family", FAMILIES)
def test_previews_are_the_beginning_of_the_readable_text(family):
    for records in normalized(family).values():
        for record in records:
            result = content(record)
            assert squeezed(result.input_text).startswith(record.input_preview[:400]), record.name
            assert squeezed(result.output_text).startswith(record.output_preview[:400]), record.name


@pytest.mark.parametrize("family", FAMILIES)
def test_previews_are_short_single_lines_without_vectors(family):
    for records in normalized(family).values():
        for record in records:
            for preview in (record.input_preview, record.output_preview):
                assert len(preview) <= 500
                assert "\n" not in preview
                assert preview.count("0.0") < 20, (record.name, preview)


def test_costs_that_the_sdk_reported_are_taken_exactly():
    costs = {record.cost_usd for records in normalized("dspy").values() for record in records if record.cost_usd}
    assert {Decimal("0.0000444"), Decimal("0.0000801"), Decimal("0.00001245")} <= costs
