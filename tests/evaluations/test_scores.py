"""Scores that come over OTLP: kept once, before, with or after their trace, and gone with it."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evaluations import otlp_scores
from evaluations.models import Score, ScorePull
from evaluations.otlp_scores import pull_scores
from evaluations.upkeep import delete_orphans
from mlflow_sync.erasure import Subject, erase
from mlflow_sync.models import Erasure
from projects.background_work import lanes
from spans.models import SpanLog
from spans.semconv.evaluation import EVALUATION_EVENT, evaluation_of
from spans.values import NonFinite
from tests.builders import attributes, export_request, log_record, logs_request, new_span_id, new_trace_id, span
from tests.traces.admin.test_pages import member
from traces.models import Trace
from traces.otlp.logs import export_logs
from traces.otlp.receiver import export
from traces.upkeep.deletion import delete_traces

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forget():
    otlp_scores._seen.clear()


@pytest.fixture
def ids():
    return {"trace_id": new_trace_id(), "span_id": new_span_id()}


@pytest.fixture
def api(key):
    return Client(headers={"x-bee-authorization": key})


def said(name="Relevance", value=0.2, label="not_relevant", explanation="Another product.", **more):
    found = {"name": name, "score.value": value, "score.label": label, "explanation": explanation}
    named = {f"gen_ai.evaluation.{key}": item for key, item in found.items() if item is not None}
    return named | {"gen_ai.response.id": "r-1"} | more


def with_event(ids, time_ns=5, **fields):
    event = {"name": EVALUATION_EVENT, "time_unix_nano": time_ns, "attributes": attributes(said(**fields))}
    return export_request(span("chat", **ids, events=[event]), scope="evals")


def as_log(ids, time_ns=5, **fields):
    request = logs_request(log_record(EVALUATION_EVENT, **ids, attrs=said(**fields), time_ns=time_ns))
    request.resource_logs[0].scope_logs[0].scope.name = "evals"
    return request


def listed(client, ids, **query):
    return client.get("/v1/scores", {"trace_id": ids["trace_id"]} | query).json()["results"]


def test_a_span_event_and_a_log_record_are_scores_of_their_span(project, api, ids):
    export(with_event(ids), project)
    export_logs([as_log(ids, name="Groundedness", value=0.1, label="fail", explanation="Not in the sources.")], project)
    pull_scores()
    found = {score["name"]: score for score in listed(api, ids)}
    assert found.keys() == {"Relevance", "Groundedness"}
    relevance = found["Relevance"]
    assert (relevance["value"], relevance["label"], relevance["explanation"]) == (
        0.2,
        "not_relevant",
        "Another product.",
    )
    assert (relevance["trace_id"], relevance["span_id"], relevance["target_kind"]) == (*ids.values(), "span")
    assert (relevance["data_type"], relevance["source"], relevance["source_id"]) == ("number", "otlp", "evals")
    assert relevance["metadata"] == {"time_unix_nano": "5", "response_id": "r-1"}


@pytest.mark.parametrize("order", [[0, 1], [1, 0], [0, 1, 0, 1], [1, 1, 0]])
def test_a_score_may_come_before_or_after_its_trace_and_again(project, api, ids, order):
    steps = [lambda: export(export_request(span("chat", **ids)), project), lambda: export_logs([as_log(ids)], project)]
    for number in order:
        steps[number]()
        pull_scores()
    (score,) = listed(api, ids)
    assert score["name"] == "Relevance"


def test_a_score_is_found_before_its_trace_is_there(project, api, ids):
    export_logs([as_log(ids)], project)
    pull_scores()
    assert [score["trace_id"] for score in listed(api, ids)] == [ids["trace_id"]]


def test_the_same_result_as_event_and_as_record_is_one_score_and_a_later_one_another(project, ids):
    export(with_event(ids), project)
    export_logs([as_log(ids)], project)
    export_logs([as_log(ids, time_ns=6)], project)
    pull_scores()
    assert Score.objects.count() == 2


def test_a_record_without_a_span_scores_the_trace(project, api, ids):
    export_logs([as_log(ids | {"span_id": ""})], project)
    pull_scores()
    (score,) = listed(api, ids)
    assert (score["target_kind"], score["span_id"]) == ("trace", "")


def test_an_event_that_a_late_version_of_a_span_brings_is_seen(project, ids):
    export(export_request(span("chat", **ids)), project)
    pull_scores()
    export(with_event(ids), project)
    pull_scores()
    assert Score.objects.count() == 1


def test_what_a_slow_transaction_commits_late_is_found(project, ids):
    pull_scores()
    export(with_event(ids), project)
    Trace.objects.update(refreshed_at=timezone.now() - otlp_scores.OVERLAP / 2)
    pull_scores()
    assert Score.objects.count() == 1


def test_a_backlog_is_read_in_parts(project, monkeypatch):
    monkeypatch.setattr(otlp_scores, "PAGE", 2)
    monkeypatch.setattr(otlp_scores, "MAX_PAGES", 2)
    for _ in range(7):
        export(with_event({"trace_id": new_trace_id(), "span_id": new_span_id()}), project)
    for number, trace in enumerate(Trace.objects.all()):
        Trace.objects.filter(pk=trace.pk).update(refreshed_at=f"2026-01-01T00:00:0{number}Z")
    assert pull_scores()
    assert Score.objects.count() == 4
    while pull_scores():
        pass
    assert Score.objects.count() == 7


def test_more_than_a_page_is_read_to_the_end(project, monkeypatch):
    monkeypatch.setattr(otlp_scores, "PAGE", 2)
    monkeypatch.setattr(otlp_scores, "MAX_PAGES", 1)
    for _ in range(7):
        ids = {"trace_id": new_trace_id(), "span_id": new_span_id()}
        export(with_event(ids), project)
        export_logs([as_log(ids, name="Other")], project)
    ScorePull.objects.create(pk=1, logs_until=timezone.now(), traces_until=timezone.now())
    assert not pull_scores()
    assert Score.objects.count() == 14


def test_where_nothing_moved_little_is_asked(project, ids):
    export(with_event(ids), project)
    pull_scores()
    with CaptureQueriesContext(connection) as queries:
        pull_scores()
    assert not any("spans_span" in query["sql"].replace("spans_spanlog", "") for query in queries)
    assert len(queries) <= 5


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        (said(value=True, label=None), (1.0, True, "")),
        (said(value="0.5"), (0.5, False, "not_relevant")),
        (said(value=None), (None, False, "not_relevant")),
        (said(value=NonFinite("nan")), (None, False, "not_relevant")),
        (said(value=0, label=None, explanation=None), (0.0, False, "")),
    ],
)
def test_values_of_any_kind(attrs, expected):
    found = evaluation_of(attrs)
    assert (found.value, found.is_verdict, found.label) == expected


@pytest.mark.parametrize(
    "attrs",
    [{}, said(name=None), said(value=None, label=None, explanation=None), said() | {"error.type": "timeout"}],
)
def test_what_is_no_score(attrs):
    assert evaluation_of(attrs) is None


# Reading


def test_filters_and_pages(project, api):
    kept = [{"trace_id": new_trace_id(), "span_id": new_span_id()} for _ in range(3)]
    for one in kept:
        export_logs([as_log(one)], project)
    export_logs([as_log(kept[0], name="Tone")], project)
    pull_scores()
    assert len(listed(api, kept[0])) == 2
    assert [score["name"] for score in listed(api, kept[0], name="Tone")] == ["Tone"]
    assert listed(api, kept[0], span_id=kept[1]["span_id"]) == []
    assert listed(api, kept[0], source="human") == []
    found, cursor = [], ""
    while cursor is not None:
        page = api.get("/v1/scores", {"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        found += [score["id"] for score in page["results"]]
        cursor = page["next"]
    assert len(found) == len(set(found)) == 4


def test_who_sees_scores(project, other_key, api, ids):
    export(with_event(ids), project)
    pull_scores()
    assert len(listed(api, ids)) == 1
    assert listed(Client(headers={"x-bee-authorization": other_key}), ids) == []
    assert Client().get("/v1/scores").status_code == 401
    assert len(listed(member(project, "viewer"), ids)) == 1


def test_the_trace_page_and_the_panel_show_the_score_with_its_reason(project, ids):
    export(with_event(ids), project)
    pull_scores()
    client = member(project, "viewer")
    pk = Trace.objects.get().pk
    for url in (f"/admin/traces/trace/{pk}/change/", f"/admin/traces/trace/{pk}/spans/{ids['span_id']}/"):
        html = client.get(url).content.decode().split('class="scores"')[1]
        assert "Relevance" in html
        assert "0.2 not_relevant" in html
        assert "Another product." in html


# Going


def test_scores_go_with_their_trace_and_do_not_come_back(project, ids):
    export(with_event(ids), project)
    export_logs([as_log(ids, name="Tone")], project)
    pull_scores()
    delete_traces(Trace.objects.all())
    assert not Score.objects.exists()
    export_logs([as_log(ids)], project)
    otlp_scores._seen.clear()
    pull_scores()
    assert not Score.objects.exists()


def test_scores_without_a_trace_expire(project, ids):
    export_logs([as_log(ids)], project)
    pull_scores()
    delete_orphans()
    assert Score.objects.count() == 1
    Score.objects.update(created_at="2020-01-01T00:00:00Z")
    delete_orphans()
    assert not Score.objects.exists()


def test_a_score_that_was_stored_while_its_trace_was_deleted_goes(project, ids):
    export_logs([as_log(ids)], project)
    pull_scores()
    SpanLog.objects.all().delete()
    delete_orphans()
    assert not Score.objects.exists()


def test_erasing_a_user_erases_the_scores_of_their_traces(project, ids):
    event = {"name": EVALUATION_EVENT, "attributes": attributes(said())}
    export(export_request(span("chat", **ids, attrs={"user.id": "u-1"}, events=[event])), project)
    export_logs([as_log(ids, name="Tone")], project)
    pull_scores()
    assert Score.objects.count() == 2
    erase(Subject(project, Erasure.Kind.USER, "u-1"), "somebody")
    assert (Score.objects.count(), SpanLog.objects.count()) == (0, 0)


@pytest.mark.parametrize("with_redis", [True, False])
def test_a_worker_pulls_scores_and_keeps_them_tidy(with_redis):
    running = {task.run for lane in lanes(with_redis=with_redis).values() for task in lane}
    assert {pull_scores, delete_orphans} <= running
