import datetime
import itertools
import random
import threading
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from projects.models import Project
from spans.models import Span
from spans.semconv import normalize
from tests.builders import export_request, new_trace_id, span
from traces.models import Trace
from traces.otlp.receiver import export
from traces.summaries.rollup import refresh, refresh_due

LLM = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 10,
    "llm.token_count.completion": 5,
}
START = 1_700_000_000_000_000_000


def content() -> tuple[list[dict], list[dict]]:
    """Everything stored, but for the times at which it came."""
    return (
        list(Span.objects.order_by("id").values()),
        [
            {key: value for key, value in row.items() if key not in ("created_at", "refreshed_at")}
            for row in Trace.objects.order_by("id").values()
        ],
    )


def agent_run(trace_id: str) -> list:
    root, child = "a" * 16, "b" * 16
    return [
        span("agent", trace_id=trace_id, span_id=root, start_ns=START, duration_ns=90, attrs={"session.id": "s1"}),
        span("chat", trace_id=trace_id, span_id=child, parent_span_id=root, start_ns=START + 10, attrs=LLM),
        span(
            "tool", trace_id=trace_id, span_id="c" * 16, parent_span_id=child, start_ns=START + 20, status={"code": 2}
        ),
    ]


def test_a_request_becomes_spans_and_a_summary(project):
    trace_id = new_trace_id()
    export(export_request(*agent_run(trace_id), service="shop"), project)
    trace = Trace.objects.get(trace_id=trace_id)
    assert (trace.name, trace.service_name, trace.span_count, trace.error_count) == ("agent", "shop", 3, 1)
    assert (trace.start_time_unix_nano, trace.session_id, trace.model_names) == (START, "s1", ["gpt-4o"])
    assert (trace.input_tokens, trace.output_tokens) == (10, 5)
    assert Span.objects.filter(trace_row=trace).count() == 3


def test_the_same_request_again_changes_nothing(project):
    request = export_request(*agent_run(new_trace_id()))
    export(request, project)
    before, refreshed_at = content(), Trace.objects.get().refreshed_at
    export(request, project)
    assert content() == before
    assert Trace.objects.get().refreshed_at == refreshed_at


def test_a_span_twice_in_one_request_is_one_span(project):
    one = span("once", trace_id=new_trace_id())
    export(export_request(one, one), project)
    assert Span.objects.count() == Trace.objects.get().span_count == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_later_end_stays_in_whichever_order_versions_come(project, order):
    ids = {"trace_id": new_trace_id(), "span_id": "d" * 16}
    versions = [
        span("begun", **ids, duration_ns=1),
        span("running", **ids, duration_ns=5, attrs={"a": 1}),
        span("ended", **ids, duration_ns=5, attrs={"a": 1, "b": 2}),
    ]
    for index in order:
        export(export_request(versions[index]), project)
    stored = Span.objects.get()
    assert (stored.name, stored.attributes) == ("ended", {"a": 1, "b": 2})
    assert Trace.objects.get().name == "ended"


@pytest.mark.parametrize("seed", range(6))
def test_any_order_and_any_split_end_in_the_same_content(project, seed):
    trace_ids = [f"{number:032x}" for number in range(1, 5)]
    spans = [item for trace_id in trace_ids for item in agent_run(trace_id)]
    export(export_request(*spans), project)
    expected = content()
    Span.objects.all().delete()
    Trace.objects.all().delete()

    rng = random.Random(seed)
    rng.shuffle(spans)
    while spans:
        size = rng.randrange(1, 4)
        part, spans = spans[:size], spans[size:]
        export(export_request(*part), project)
        if rng.random() < 0.3:
            export(export_request(*part), project)
    assert content() == expected


def test_two_projects_with_the_same_trace_id_stay_apart(project, other_project):
    trace_id = new_trace_id()
    export(export_request(span("mine", trace_id=trace_id, span_id="e" * 16)), project)
    export(export_request(span("theirs", trace_id=trace_id, span_id="e" * 16)), other_project)
    assert {(trace.project_id, trace.name) for trace in Trace.objects.all()} == {
        (project.pk, "mine"),
        (other_project.pk, "theirs"),
    }


def test_a_trace_too_large_to_summarise_at_once_is_summarised_afterwards(project, monkeypatch):
    monkeypatch.setattr("traces.summaries.rollup.IMMEDIATE_SPANS", 3)
    trace_id = new_trace_id()
    for number in range(5):
        export(export_request(span(f"span {number}", trace_id=trace_id, attrs=LLM)), project)
    trace = Trace.objects.get()
    assert (trace.refresh_due, trace.span_count) == (True, 3)
    assert refresh_due() == 1
    trace.refresh_from_db()
    assert (trace.refresh_due, trace.span_count, trace.input_tokens) == (False, 5, 50)
    assert refresh_due() == 0


def test_a_long_trace_that_goes_on_growing_is_summarised_less_often(project, monkeypatch):
    monkeypatch.setattr("traces.summaries.rollup.IMMEDIATE_SPANS", 3)
    trace_id = new_trace_id()
    for number in range(5):
        export(export_request(span(f"span {number}", trace_id=trace_id)), project)
    monkeypatch.setattr("traces.summaries.rollup.SPANS_A_SECOND", 1)  # three seconds for the three spans it knows
    assert refresh_due() == 0
    Trace.objects.update(refreshed_at=timezone.now() - datetime.timedelta(seconds=4))
    assert refresh_due() == 1
    assert Trace.objects.get().span_count == 5


def test_a_replaced_span_of_a_large_trace_counts_as_a_change_once_it_is_summarised(project, monkeypatch):
    monkeypatch.setattr("traces.summaries.rollup.IMMEDIATE_SPANS", 1)
    trace_id = new_trace_id()
    ids = [f"{number:016x}" for number in (1, 2, 3)]
    export(export_request(*(span(trace_id=trace_id, span_id=span_id) for span_id in ids)), project)
    before = Trace.objects.get().refreshed_at
    export(export_request(span(trace_id=trace_id, span_id=ids[1], attrs={"more": "text"})), project)
    assert Trace.objects.get().refreshed_at == before
    refresh_due()
    assert Trace.objects.get().refreshed_at > before


def test_a_refresh_of_an_unchanged_trace_does_not_move_refreshed_at(project):
    export(export_request(*agent_run(new_trace_id())), project)
    before = Trace.objects.values().get()
    refresh([before["id"]])
    assert Trace.objects.values().get() == before


def test_a_refresh_repairs_a_summary_that_is_wrong(project):
    export(export_request(*agent_run(new_trace_id())), project)
    before = content()
    Trace.objects.update(span_count=99, cost_usd=Decimal(3), model_names=["x"])
    Span.objects.update(counted=False)
    refresh(Trace.objects.values_list("id", flat=True))
    assert content() == before


@pytest.mark.parametrize("text", ["tab\tnew\nline\r", "back\\slash \\N \\.", "quote ' \" ;--", "", "日本 🎉", "%s {x}"])
def test_texts_come_back_as_they_were_sent(project, text):
    export(export_request(span(text, attrs={text: text, "list": [text, {"k": text}]}, trace_state=text)), project)
    stored = Span.objects.get()
    assert (stored.name, stored.trace_state) == (text, text)
    assert stored.attributes == {text: text, "list": [text, {"k": text}]}


def test_nul_is_replaced_and_warned_of_wherever_it_stands(project):
    export(
        export_request(
            span("a\x00b", attrs={"k\x00": "v\x00", "input.value": "x\x00y"}, events=[{"name": "e\x00"}]),
            service="s\x00",
        ),
        project,
    )
    stored, trace = Span.objects.get(), Trace.objects.get()
    assert (stored.name, stored.attributes["k\ufffd"], stored.events[0]["name"]) == ("a\ufffdb", "v\ufffd", "e\ufffd")
    assert (trace.name, trace.service_name) == ("a\ufffdb", "s\ufffd")
    assert sum("NUL" in warning for warning in stored.warnings) >= 3


@pytest.mark.parametrize("attrs", [{"$bytes": "no base64\x00"}, {"$double": {"a": "x\x00"}}, {"$map": {"a": "x\x00"}}])
def test_nul_characters_are_replaced_in_an_attribute_that_looks_like_a_tag(project, attrs):
    export(export_request(span(attrs=attrs)), project)
    stored = Span.objects.get()
    assert stored.attributes.keys() == attrs.keys()
    assert stored.warnings == ["attributes: NUL characters replaced by U+FFFD"]


def test_the_escape_for_nul_in_a_text_is_not_a_nul(project):
    export(export_request(span(attrs={"code": "\\u0000"})), project)
    stored = Span.objects.get()
    assert stored.attributes == {"code": "\\u0000"}
    assert stored.warnings == []


@pytest.mark.django_db(transaction=True)
def test_requests_of_one_trace_at_the_same_time_lose_and_double_nothing():
    project = Project.objects.create(slug="parallel", name="Parallel")
    trace_ids = [new_trace_id() for _ in range(4)]
    spans = [span(trace_id=trace_id, attrs=LLM) for trace_id in trace_ids for _ in range(30)]
    errors: list[Exception] = []

    def send(seed: int) -> None:
        rng = random.Random(seed)
        mine = spans.copy()
        rng.shuffle(mine)
        try:
            for start in range(0, len(mine), 10):
                export(export_request(*mine[start : start + 10]), project)
        except Exception as error:  # noqa: BLE001
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Span.objects.count() == len(spans)
    assert {(trace.span_count, trace.input_tokens) for trace in Trace.objects.all()} == {(30, 300)}


def test_a_request_for_new_traces_takes_a_fixed_number_of_statements(project, django_assert_num_queries):
    # savepoint, traces, tombstones, log records, spans, receipt, release; on PostgreSQL first the bounds of waiting
    with django_assert_num_queries(7 + (connection.vendor == "postgresql")):
        export(export_request(*[span() for _ in range(50)]), project)


@pytest.mark.parametrize("traces", [3, 60])
def test_a_request_for_existing_traces_takes_a_fixed_number_of_statements(project, traces, django_assert_num_queries):
    ids = [new_trace_id() for _ in range(traces)]
    export(export_request(*[span("first", trace_id=trace_id) for trace_id in ids]), project)
    # as for new traces but for the tombstones, and one each for the stored versions, the stored rows and the summaries
    with django_assert_num_queries(9 + (connection.vendor == "postgresql")):
        export(export_request(*[span("second", trace_id=trace_id) for trace_id in ids]), project)
    assert set(Trace.objects.values_list("span_count", "refresh_due")) == {(2, False)}


def test_what_is_too_much_to_summarise_at_once_is_left_to_the_worker(project, monkeypatch):
    monkeypatch.setattr("traces.summaries.rollup.IMMEDIATE_ROWS", 2)
    ids = [new_trace_id() for _ in range(3)]
    for _ in range(2):
        export(export_request(*[span(trace_id=trace_id) for trace_id in ids]), project)
    assert sorted(Trace.objects.values_list("span_count", "refresh_due")) == [(1, True), (2, False), (2, False)]
    assert refresh_due() == 1
    assert set(Trace.objects.values_list("span_count", "refresh_due")) == {(2, False)}


def test_a_span_that_no_convention_can_read_is_stored_with_a_warning(project, monkeypatch, caplog):
    def failing(record, tables):
        if record.name == "odd":
            raise ValueError("a prompt that nobody may read")
        normalize(record, tables)

    monkeypatch.setattr("traces.otlp.receiver.normalize", failing)
    export(export_request(span("odd", attrs={"input.value": "x"}), span("even")), project)
    assert dict(Span.objects.values_list("name", "warnings")) == {
        "odd": ["its conventions could not be read; only the raw attributes are shown"],
        "even": [],
    }
    assert "ValueError in failing" in caplog.text
    assert "prompt" not in caplog.text
