"""bee-observe's contract, as its clients call it."""

import pytest

from mlflow_sync.models import MlflowTrace
from projects.models import Project
from tests.builders import new_span_id, span
from tests.traces.api.conftest import MS, START_NS, BeeRun
from traces.models import Trace


@pytest.fixture
def run(store) -> BeeRun:
    made = BeeRun()
    store(*made.spans, scope=made.scope)
    return made


def get(client, url: str) -> dict:
    response = client.get(url)
    assert response.status_code == 200, response.content
    return response.json()


@pytest.mark.parametrize("scope", ["beeai-framework", "bee-agent-framework"])
def test_a_trace_is_found_by_the_frameworks_id(api, store, scope):
    made = BeeRun(scope=scope)
    store(*made.spans, scope=scope)
    result = get(api, "/v1/traces/d3f41ddf?include_tree=false&include_mlflow=true")["result"]
    assert result["id"] == "d3f41ddf"
    assert (result["start_at"], result["finish_at"]) == ("2024-10-27T03:33:20.000Z", "2024-10-27T03:33:20.101Z")
    assert result["request"] == {
        "message": "hello",
        "history": [{"role": "user", "text": "before"}],
        "framework": {"version": "0.1.2"},
    }
    assert result["response"] == {"role": "assistant", "text": "Hi!"}
    assert result["tree"] is None


def test_a_trace_is_found_by_its_otel_id_in_any_case(api, run):
    assert get(api, f"/v1/traces/{run.trace_id.upper()}")["result"]["id"] == "d3f41ddf"


def test_the_platforms_keys_stand_beside_the_contracts(api, run):
    result = get(api, "/v1/traces/d3f41ddf")["result"]
    assert (result["trace_id"], result["span_count"], result["error_count"]) == (run.trace_id, 3, 0)
    assert (result["name"], result["status"]) == ("beeai-framework-BeeAgent-d3f41ddf", "OK")
    assert (result["input"], result["output"]) == ("hello", "Hi!")
    assert result["service_name"] == "test-service"
    assert result["start_time_unix_nano"] == str(START_NS)


def test_without_a_response_attribute_the_key_is_absent(api, store):
    made = BeeRun()
    del made.main.attributes[4]
    store(*made.spans, scope=made.scope)
    assert "response" not in get(api, "/v1/traces/d3f41ddf")["result"]


def test_the_tree_nests_by_parent_and_spans_its_children(api, run):
    [root] = get(api, "/v1/traces/d3f41ddf?include_tree=true")["result"]["tree"]
    assert (root["id"], root["target"]) == (run.main_id, "")
    assert (root["start_time"], root["end_time"]) == ("2024-10-27T03:33:20.000Z", "2024-10-27T03:33:20.151Z")
    [child] = root["children"]
    assert (child["id"], child["target"]) == (run.agent_id, "groupId")
    [event] = child["children"][0]["events"]
    assert event == {
        "name": "agent.run-1",
        "status_code": "OK",
        "status_message": "",
        "start_time": "2024-10-27T03:33:20.005Z",
        "end_time": "2024-10-27T03:33:20.015Z",
        "data": {"x": None},
    }
    assert root["events"][0]["data"] is None


def test_a_failed_event_marks_its_own_item_only(api, store):
    made = BeeRun()
    made.update.status.code = 2
    made.update.status.message = "boom"
    store(*made.spans, scope=made.scope)
    [root] = get(api, "/v1/traces/d3f41ddf?include_tree=true")["result"]["tree"]
    failed = root["children"][0]["children"][0]
    assert (root["status_code"], failed["status_code"]) == ("OK", "ERROR")
    assert failed["events"][0]["status_message"] == "boom"


def test_the_spans_come_by_start_with_the_contracts_keys(api, run):
    answer = get(api, "/v1/traces/d3f41ddf/spans?include_attributes_ctx=false")
    assert answer["total_count"] == 3
    main, agent, update = answer["results"]
    assert "parent_id" not in main
    assert [main["context"]["span_id"], agent["parent_id"], update["parent_id"]] == [
        run.main_id,
        run.main_id,
        run.agent_id,
    ]
    assert update["attributes"] == {
        "target": "agent.run",
        "data": {"x": None},
        "name": "newToken",
        "traceId": "d3f41ddf",
        "version": "",
        "prompt": "",
        "response": {},
        "history": [],
    }
    assert (update["start_time"], update["status_code"]) == ("2024-10-27T03:33:20.005Z", "OK")
    assert (update["span_id"], update["parent_span_id"]) == (run.update_id, run.agent_id)


def test_ctx_comes_only_when_asked_for(api, run):
    main, _, update = get(api, "/v1/traces/d3f41ddf/spans?include_attributes_ctx=true")["results"]
    assert (update["attributes"]["ctx"], main["attributes"]["ctx"]) == ({"deep": 1}, {})


def test_the_list_has_the_trace(api, run):
    answer = get(api, "/v1/traces?limit=100&offset=0")
    assert answer["total_count"] == 1
    assert answer["results"][0]["id"] == "d3f41ddf"
    assert (answer["results"][0]["tree"], answer["results"][0]["mlflow"]) == (None, None)
    listed = get(api, "/v1/traces?include_tree=true&include_mlflow=true")["results"][0]
    assert listed["tree"][0]["id"] == run.main_id
    assert listed["mlflow"]["step"] == "CLOSE_TRACE"


def test_without_a_mirror_a_trace_counts_as_mirrored(api, run):
    mlflow = get(api, "/v1/traces/d3f41ddf?include_mlflow=true")["result"]["mlflow"]
    assert mlflow["step"] == "CLOSE_TRACE"
    assert len(mlflow["id"]) == 24
    assert (mlflow["request_id"], mlflow["tree"]) == (f"tr-{run.trace_id}", [])
    mirrored = get(api, "/v1/traces/d3f41ddf?include_mlflow=true&include_mlflow_tree=true")["result"]["mlflow"]["tree"]
    assert [span["context"]["span_id"] for span in mirrored] == [run.main_id, run.agent_id, run.update_id]
    assert get(api, "/v1/traces/d3f41ddf?include_mlflow_tree=true")["result"]["mlflow"] is None


def test_spans_that_come_after_their_main_span_belong_to_the_run(api, store):
    made = BeeRun()
    store(made.main, scope=made.scope)
    store(made.agent, made.update, scope=made.scope)
    assert get(api, "/v1/traces/d3f41ddf/spans")["total_count"] == 3


def test_a_request_sent_twice_changes_nothing(api, store, run):
    store(*run.spans, scope=run.scope)
    assert get(api, "/v1/traces")["total_count"] == 1
    assert get(api, "/v1/traces/d3f41ddf/spans")["total_count"] == 3


def test_foreign_spans_are_not_in_the_frameworks_view(api, store, run):
    store(span("POST /chat", trace_id=run.trace_id, parent_span_id=run.main_id), scope="http")
    assert get(api, "/v1/traces/d3f41ddf/spans")["total_count"] == 3
    [root] = get(api, "/v1/traces/d3f41ddf?include_tree=true")["result"]["tree"]
    assert [child["id"] for child in root["children"]] == [run.agent_id]


def test_by_the_otel_id_all_spans_are_there(api, store, run):
    store(span("POST /chat", trace_id=run.trace_id, parent_span_id=run.main_id), scope="http")
    assert get(api, f"/v1/traces/{run.trace_id}/spans")["total_count"] == 4
    [root] = get(api, f"/v1/traces/{run.trace_id}?include_tree=true")["result"]["tree"]
    assert len(root["children"]) == 2


def test_two_runs_in_one_otel_trace_are_two_to_the_frameworks_clients(api, store):
    first, server_id = BeeRun("aaaaaaaa"), new_span_id()
    second = BeeRun("bbbbbbbb", trace_id=first.trace_id, prompt="second")
    for made in (first, second):
        made.main.parent_span_id = bytes.fromhex(server_id)
        store(*made.spans, scope=made.scope)
    store(span("POST /ask", trace_id=first.trace_id, span_id=server_id, duration_ns=500 * MS), scope="http")
    for made, prompt in ((first, "hello"), (second, "second")):
        result = get(api, f"/v1/traces/{made.run_id}?include_tree=true")["result"]
        assert (result["id"], result["request"]["message"]) == (made.run_id, prompt)
        assert [item["id"] for item in result["tree"]] == [made.main_id]
        found = get(api, f"/v1/traces/{made.run_id}/spans")["results"]
        assert {item["span_id"] for item in found} == {made.main_id, made.agent_id, made.update_id}


def test_events_of_old_versions_that_name_no_run_hang_below_their_main_span(api, store):
    first = BeeRun("aaaaaaaa", version="0.0.50")
    second = BeeRun("bbbbbbbb", trace_id=first.trace_id, version="0.0.50")
    for made in (first, second):
        del made.agent.attributes[0], made.update.attributes[0]
        store(*made.spans, scope=made.scope)
    found = get(api, "/v1/traces/aaaaaaaa/spans")["results"]
    assert {item["span_id"] for item in found} == {first.main_id, first.agent_id, first.update_id}


def test_an_event_whose_parent_is_missing_hangs_on_the_main_span(api, store):
    made = BeeRun()
    store(made.main, made.update, scope=made.scope)
    [root] = get(api, "/v1/traces/d3f41ddf?include_tree=true")["result"]["tree"]
    assert [child["id"] for child in root["children"]] == [made.update_id]


def test_an_event_below_a_foreign_span_hangs_on_its_nearest_event(api, store):
    made, foreign_id = BeeRun(), new_span_id()
    made.update.parent_span_id = bytes.fromhex(foreign_id)
    store(*made.spans, scope=made.scope)
    store(span("HTTP", trace_id=made.trace_id, span_id=foreign_id, parent_span_id=made.agent_id), scope="http")
    [root] = get(api, "/v1/traces/d3f41ddf?include_tree=true")["result"]["tree"]
    assert [child["id"] for child in root["children"][0]["children"]] == [made.update_id]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('"text"', {"value": "text"}),
        ("17", {"value": 17}),
        ("true", {"value": True}),
        ("", {"value": ""}),
        ("[1,2]", {"value": [1, 2]}),
        ("{broken", {"value": "{broken"}),
        ("null", {}),
        (5, {"value": 5}),
        ("[" * 2000, {"value": "[" * 2000}),
    ],
)
def test_no_value_of_a_json_attribute_breaks_a_view(api, store, value, shown):
    made = BeeRun(data=value, response=value, history=value, ctx=value)
    store(*made.spans, scope=made.scope)
    main = get(api, "/v1/traces/d3f41ddf/spans?include_attributes_ctx=true")["results"][0]
    assert (main["attributes"]["data"], main["attributes"]["ctx"]) == (shown, shown)
    result = get(api, "/v1/traces/d3f41ddf?include_tree=true")["result"]
    assert result["tree"][0]["events"][0]["data"] == (shown or None)
    assert get(api, "/v1/traces?include_tree=true")["total_count"] == 1


def test_a_value_of_hundreds_of_levels_is_shown_as_far_as_json_readers_go(api, store):
    made = BeeRun(data='{"a":' * 600 + "1" + "}" * 600)
    store(*made.spans, scope=made.scope)
    response = api.get("/v1/traces/d3f41ddf/spans")
    assert response.status_code == 200
    assert "nested too deeply" in response.content.decode()


def test_an_unknown_trace_is_404_with_retry_after(api, settings):
    settings.RETRY_AFTER_SECONDS = 7
    response = api.get("/v1/traces/zzzzzzzz")
    assert (response.status_code, response.headers["Retry-After"]) == (404, "7")
    error = response.json()
    assert (error["code"], error["message"]) == ("NOT_FOUND", "The trace entity with id zzzzzzzz does not exist")


def test_the_spans_of_an_unknown_trace_are_none(api, run):
    for identifier in ("zzzzzzzz", "x", "f" * 32, "é" * 300):
        answer = get(api, f"/v1/traces/{identifier}/spans")
        assert (answer["results"], answer["total_count"]) == ([], 0)


def test_spans_whose_main_span_is_missing_belong_to_no_framework_id(api, store):
    made = BeeRun()
    store(made.agent, made.update, scope=made.scope)
    assert get(api, "/v1/traces/d3f41ddf/spans")["total_count"] == 0
    assert get(api, f"/v1/traces/{made.trace_id}/spans")["total_count"] == 2


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "querystring/limit must be >= 1"),
        ("limit=101", "querystring/limit must be <= 100"),
        ("limit=1.5", "querystring/limit must be integer"),
        ("limit=", "querystring/limit must be integer"),
        ("limit=1&limit=2", "querystring/limit must be integer"),
        ("offset=-1", "querystring/offset must be >= 0"),
        ("include_tree=1", "querystring/include_tree must be boolean"),
        ("include_tree=TRUE", "querystring/include_tree must be boolean"),
        ("include_mlflow=", "querystring/include_mlflow must be boolean"),
    ],
)
def test_invalid_parameters_get_the_contracts_message(api, query, message):
    response = api.get(f"/v1/traces?{query}")
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["message"]) == ("INVALID_ARGUMENT", message)


def test_unknown_parameters_are_ignored(api, run):
    assert get(api, "/v1/traces?colour=blue")["total_count"] == 1


def test_answers_are_json_in_utf8_whatever_is_accepted(api, run):
    for accept in ("text/html", "application/xml", "*/*", ""):
        response = api.get("/v1/traces/d3f41ddf", headers={"accept": accept, "content-type": "application/json"})
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("headers", [{}, {"x-bee-authorization": "wrong"}, {"authorization": "Bearer wrong"}])
def test_without_a_valid_key_every_route_is_401(client, db, headers):
    for url in ("/v1/traces", "/v1/traces/x", "/v1/traces/x/spans", "/v1/traces/x/otlp", "/v1/spans", "/system"):
        response = client.get(url, headers=headers)
        assert response.status_code == 401
        assert (response.json()["code"], response.json()["message"]) == ("AUTH_ERROR", "invalid api key")


def test_a_bearer_token_is_a_key_too(client, key, run):
    assert client.get("/v1/traces", headers={"authorization": f"Bearer {key}"}).json()["total_count"] == 1


def test_head_answers_like_get_without_a_body(api, run):
    for url in ("/v1/traces", "/v1/traces/d3f41ddf", "/v1/traces/d3f41ddf/spans"):
        response = api.head(url)
        assert (response.status_code, response.content) == (200, b"")


def test_other_routes_do_not_exist(api, run):
    for method, url in [
        ("get", "/v1/unknown"),
        ("get", "/v1/Traces"),
        ("get", "/v1//traces"),
        ("get", "/v1/traces/d3f41ddf/"),
        ("put", "/v1/traces/d3f41ddf"),
        ("options", "/v1/traces/d3f41ddf"),
    ]:
        response = getattr(api, method)(url)
        assert (response.status_code, response.json()["message"]) == (404, "Route does not exist"), (method, url)


@pytest.mark.parametrize("path", ["/v1/traces/%zz", "/v1/traces/%2/spans", "/v1/traces/50%"])
def test_a_broken_escape_in_the_path_is_refused(api, db, path):
    scope = {"asgi.scope": {"raw_path": path.encode()}}
    response = api.get("/v1/traces/x", **scope)
    assert response.status_code == 400
    assert response.json() == {
        "statusCode": 400,
        "code": "FST_ERR_BAD_URL",
        "error": "Bad Request",
        "message": f"'{path}' is not a valid url component",
    }
    assert api.get("/v1/traces/x", **{"asgi.scope": {"raw_path": b"/v1/traces/%2F%c3%A4"}}).status_code == 404


def test_an_empty_id_is_a_trace_that_is_not_there(api, run):
    response = api.get("/v1/traces/")
    assert (response.status_code, response.headers["Retry-After"]) == (404, "2")
    assert response.json()["message"] == "The trace entity with id  does not exist"


def test_two_projects_may_use_the_same_framework_id(api, stranger, run, other_project: Project):
    assert stranger.get("/v1/traces/d3f41ddf").status_code == 404
    assert get(stranger, "/v1/traces/d3f41ddf/spans")["total_count"] == 0
    assert get(stranger, "/v1/traces")["total_count"] == 0


def test_with_a_mirror_the_object_says_how_far_it_is(api, run, project, settings):
    settings.MLFLOW_TRACKING_URI = "http://127.0.0.1:1"
    url = "/v1/traces/d3f41ddf?include_mlflow=true"
    assert get(api, url)["result"]["mlflow"] is None
    trace = Trace.objects.get()
    MlflowTrace.objects.create(
        trace_row=trace,
        project=project,
        trace_id=trace.trace_id,
        mlflow_trace_id="tr-1",
        step="ADD_TREE",
        changed_at=trace.refreshed_at,
        error_code="SERVICE_UNAVAILABLE",
        error_message="MLflow does not answer",
    )
    mlflow = get(api, url)["result"]["mlflow"]
    assert (mlflow["step"], mlflow["request_id"], mlflow["tree"]) == ("ADD_TREE", "tr-1", [])
    assert mlflow["error"] == {"code": "SERVICE_UNAVAILABLE", "message": "MLflow does not answer"}
    assert get(api, "/v1/traces?include_mlflow=true")["results"][0]["mlflow"] == mlflow
