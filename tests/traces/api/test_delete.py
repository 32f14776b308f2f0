import pytest

from mlflow_sync.models import MlflowTrace
from spans.models import Span
from tests.builders import new_trace_id, span
from tests.traces.api.conftest import BeeRun
from traces.models import Trace
from traces.upkeep.deletion import delete_traces


def post(client, body: str, content_type: str = "application/json"):
    return client.post("/v1/traces/delete", body, content_type=content_type)


def test_a_deleted_trace_is_gone_with_its_spans_and_no_other(api, store):
    kept, gone = new_trace_id(), new_trace_id()
    store(span(trace_id=kept), span(trace_id=gone), span(trace_id=gone))
    response = api.delete(f"/v1/traces/{gone}")
    assert (response.status_code, response.content) == (204, b"")
    assert list(Trace.objects.values_list("trace_id", flat=True)) == [kept]
    assert Span.objects.count() == 1
    assert api.delete(f"/v1/traces/{gone}").status_code == 404


def test_many_are_deleted_by_either_id(api, store):
    made, other = BeeRun(), new_trace_id()
    store(*made.spans, scope=made.scope)
    store(span(trace_id=other))
    response = api.post(
        "/v1/traces/delete", {"ids": ["d3f41ddf", other.upper(), "unknown"]}, content_type="application/json"
    )
    assert response.json() == {"deleted": 2, "not_found": ["unknown"]}
    assert (Trace.objects.count(), Span.objects.count()) == (0, 0)


def test_a_trace_named_twice_is_deleted_once(api, store):
    made = BeeRun()
    store(*made.spans, scope=made.scope)
    response = api.post("/v1/traces/delete", {"ids": ["d3f41ddf", made.trace_id]}, content_type="application/json")
    assert response.json() == {"deleted": 1, "not_found": []}


def test_a_run_that_its_trace_is_not_named_after_can_be_deleted(api, store):
    first = BeeRun("aaaaaaaa")
    second = BeeRun("bbbbbbbb", trace_id=first.trace_id)
    for made in (first, second):
        store(*made.spans, scope=made.scope)
    response = api.post("/v1/traces/delete", {"ids": ["bbbbbbbb", "aaaaaaaa"]}, content_type="application/json")
    assert response.json() == {"deleted": 1, "not_found": []}


def test_the_mirror_is_told(api, store, project):
    trace_id = new_trace_id()
    store(span(trace_id=trace_id))
    trace = Trace.objects.get()
    MlflowTrace.objects.create(
        trace_row=trace, project=project, trace_id=trace_id, step="CLOSE_TRACE", changed_at=trace.refreshed_at
    )
    api.delete(f"/v1/traces/{trace_id}")
    assert MlflowTrace.objects.get().delete_requested_at is not None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", "body/ids must be array of strings"),
        ("[]", "body/ids must be array of strings"),
        ('{"ids": "x"}', "body/ids must be array of strings"),
        ('{"ids": [1]}', "body/ids must be array of strings"),
        ("{", "An unspecified syntax error occurred"),
        ("", "body/ids must be array of strings"),
        ("[" * 100_000, "An unspecified syntax error occurred"),
        ('{"ids": [' + '"x",' * 1000 + '"x"]}', "body/ids must NOT have more than 1000 items"),
    ],
)
def test_a_body_that_makes_no_sense_is_400(api, body, message):
    response = post(api, body)
    assert (response.status_code, response.json()["message"]) == (400, message)


def test_another_media_type_is_415(api):
    response = post(api, "ids=x", "application/x-www-form-urlencoded")
    assert (response.status_code, response.json()["code"]) == (415, "FST_ERR_CTP_INVALID_MEDIA_TYPE")


def test_ids_that_no_database_holds_are_not_found(api):
    response = api.post("/v1/traces/delete", {"ids": ["\x00", "", "x" * 5000]}, content_type="application/json")
    assert response.json()["deleted"] == 0
    assert post(api, '{"ids": ["\\ud800"]}').status_code == 400  # not JSON: half a character


def test_deleting_goes_in_batches_and_takes_querysets_and_keys(store, monkeypatch):
    monkeypatch.setattr("traces.upkeep.deletion.TRACES_A_DELETION", 2)
    store(*[span() for _ in range(9)])
    keys = list(Trace.objects.values_list("id", flat=True)[:3])
    assert delete_traces(keys) == 3
    assert delete_traces(keys) == 0
    assert delete_traces(Trace.objects.all()) == 6
    assert Span.objects.count() == 0
