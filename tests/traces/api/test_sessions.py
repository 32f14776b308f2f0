"""Sessions and users in the API: totals, order, pages, odd ids, and who sees them."""

from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from projects.models import ProjectMembership
from spans.cluster import is_cluster
from tests.builders import export_request, new_span_id, new_trace_id, span
from tests.traces.api.conftest import START_NS
from traces.otlp.receiver import export
from traces.reading import sessions

SECOND = 1_000_000_000
ODD_IDS = [
    "chat/42",
    "/leading//and trailing/",
    "what? 100% #1 & more=yes;x",
    "schůzka-東京-🐛",
    "two\nlines\tand\\tabs",
    "..",
    "'; DROP TABLE traces_trace; --",
    "x" * 3_000,
    "é" * 5_000,
]


def chat(session: str = "", user: str = "", start: int = 0, said: str = "", history=(), **fields):
    """A trace of one model call in a session: its id, and the call."""
    trace_id = new_trace_id()
    attrs = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o",
        "llm.provider": "openai",
        "llm.token_count.prompt": 10,
        "llm.token_count.completion": 5,
    }
    for number, (role, text) in enumerate([*history, ("user", said or "hello")]):
        attrs[f"llm.input_messages.{number}.message.role"] = role
        attrs[f"llm.input_messages.{number}.message.content"] = text
    attrs["llm.output_messages.0.message.role"] = "assistant"
    attrs["llm.output_messages.0.message.content"] = f"answer to {said or 'hello'}"
    if session:
        attrs["session.id"] = session
    if user:
        attrs["user.id"] = user
    fields.setdefault("span_id", new_span_id())
    return trace_id, span("call", trace_id=trace_id, start_ns=START_NS + start * SECOND, attrs=attrs, **fields)


def attributes_of(call) -> dict:
    """What a built span carries, as a builder takes it."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in call.attributes}


@pytest.fixture
def say(store):
    def store_chat(*args, **fields) -> str:
        trace_id, message = chat(*args, **fields)
        store(message)
        return trace_id

    return store_chat


def get(client: Client, url: str, **parameters) -> dict:
    response = client.get(url, parameters)
    assert response.status_code == 200, response.content
    return response.json()


def test_a_session_has_the_totals_of_its_traces(api, say):
    say("s", "jana", 0)
    say("s", "petr", 5, status={"code": 2})
    say("other", "jana", 1)
    say()
    first, second = get(api, "/v1/sessions")["results"]
    assert (first["id"], second["id"]) == ("s", "other")
    assert first["trace_count"] == 2
    assert (first["failed_trace_count"], first["error_count"]) == (1, 1)
    assert (first["input_tokens"], first["output_tokens"]) == (20, 10)
    assert first["cost_usd"] == pytest.approx(2 * second["cost_usd"])
    assert first["priced_trace_count"] == 2
    assert first["user_ids"] == ["jana", "petr"]
    assert first["start_time_unix_nano"] == str(START_NS)
    assert first["end_time_unix_nano"] == str(START_NS + 5 * SECOND + 1_000_000)


def test_a_session_has_the_parts_of_its_tokens_and_says_what_has_no_price(api, store):
    parts = {"llm.token_count.prompt_details.cache_read": 4, "llm.token_count.completion_details.reasoning": 3}
    for start, more in enumerate((parts, parts, {"llm.model_name": "our-own"})):
        _, call = chat("s", "jana", start)
        store(span("call", start_ns=START_NS + start * SECOND, attrs=attributes_of(call) | more))
    (session,) = get(api, "/v1/sessions")["results"]
    assert (session["input_tokens"], session["cached_input_tokens"], session["reasoning_tokens"]) == (30, 8, 6)
    assert (session["audio_input_tokens"], session["priced_trace_count"], session["unpriced_calls"]) == (None, 2, 1)
    trace_id = get(api, "/v1/sessions/s")["result"]["traces"][2]["trace_id"]
    usage = get(api, f"/v1/traces/{trace_id}/usage")["result"]
    assert (usage["priced_share"], usage["cached_input_tokens"]) == (0, None)
    assert usage["spans"][0]["unpriced_reason"] == "the price list does not know the model our-own of openai"


def test_a_user_has_the_totals_of_its_traces(api, say):
    say("a", "jana", 0)
    say("b", "jana", 1)
    (user,) = get(api, "/v1/users")["results"]
    assert (user["id"], user["trace_count"], user["session_ids"], user["session_count"]) == ("jana", 2, ["a", "b"], 2)
    result = get(api, "/v1/users/jana")["result"]
    assert [trace["session_id"] for trace in result["traces"]] == ["a", "b"]


def test_a_session_lists_its_traces_in_order_page_by_page(api, say):
    ids = [say("s", start=start) for start in (3, 1, 2)]
    first = get(api, "/v1/sessions/s", limit=2)["result"]
    assert [trace["trace_id"] for trace in first["traces"]] == [ids[1], ids[2]]
    last = get(api, "/v1/sessions/s", limit=2, cursor=first["next"])["result"]
    assert [trace["trace_id"] for trace in last["traces"]] == [ids[0]]
    assert last["next"] is None
    assert last["trace_count"] == 3


@pytest.mark.parametrize("identifier", ODD_IDS, ids=range(len(ODD_IDS)))
@pytest.mark.parametrize("kind", ["sessions", "users"])
def test_ids_are_any_text(api, say, identifier, kind):
    trace_id = say(identifier, identifier)
    say(identifier + "x", identifier + "x")
    assert get(api, f"/v1/{kind}/{quote(identifier, safe='')}")["result"]["id"] == identifier
    for parameters in ({"id": identifier}, {"trace_id": trace_id}):
        (found,) = get(api, f"/v1/{kind}", **parameters)["results"]
        assert (found["id"], found["trace_count"]) == (identifier, 1)
    (trace,) = get(api, "/v1/traces", **{f"{kind[:-1]}_id": identifier})["results"]
    assert trace["trace_id"] == trace_id


def test_pages_show_every_session_once_while_traces_arrive(api, say):
    for number in range(7):
        say(f"s{number}", start=number)
        say(f"s{number}", start=number + 100)
    seen, cursor = [], ""
    while cursor is not None:
        page = get(api, "/v1/sessions", limit=2, cursor=cursor)
        seen += [session["id"] for session in page["results"]]
        cursor = page["next"]
        say(f"new-{len(seen)}", start=1_000)
    assert seen == [f"s{number}" for number in reversed(range(7))]


def test_a_page_stops_where_its_search_is_bounded_and_goes_on(api, say, monkeypatch):
    monkeypatch.setattr(sessions, "TRACES_A_PAGE", 5)
    say("rare", start=0)
    for number in range(12):
        say("busy", start=10 + number)
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = get(api, "/v1/sessions", cursor=cursor)
        seen += [(session["id"], session["trace_count"]) for session in page["results"]]
        cursor, pages = page["next"], pages + 1
    assert seen == [("busy", 12), ("rare", 1)]
    assert pages > 1


def test_totals_are_of_the_newest_traces_of_a_very_long_session(api, say, monkeypatch):
    monkeypatch.setattr(sessions, "TRACES_A_GROUP", 3)
    for number in range(5):
        say("long", start=number)
    say("short", start=9)
    short, long = get(api, "/v1/sessions")["results"]
    newest = 5 if is_cluster() else 3
    assert (short["trace_count"], long["trace_count"]) == (1, newest)
    assert long["start_time_unix_nano"] == str(START_NS + (5 - newest) * SECOND)


def test_a_time_range_limits_sessions_and_their_totals(api, say):
    say("early", start=0)
    say("both", start=1)
    say("both", start=50)
    within = {"from": str(START_NS + 10 * SECOND), "to": str(START_NS + 60 * SECOND)}
    (session,) = get(api, "/v1/sessions", **within)["results"]
    assert (session["id"], session["trace_count"]) == ("both", 1)
    assert len(get(api, "/v1/sessions/both", **within)["result"]["traces"]) == 1


def test_a_trace_belongs_to_the_session_of_its_root(api, store):
    trace_id, root = new_trace_id(), new_span_id()
    store(
        span("root", trace_id=trace_id, span_id=root, attrs={"session.id": "of-root"}),
        span("child", trace_id=trace_id, parent_span_id=root, attrs={"session.id": "of-child"}),
    )
    assert [session["id"] for session in get(api, "/v1/sessions")["results"]] == ["of-root"]
    (child,) = get(api, "/v1/spans", session_id="of-child")["results"]
    assert child["name"] == "child"


def test_strangers_see_nothing(stranger, api, say):
    say("s", "jana")
    for url in ("/v1/sessions", "/v1/users"):
        assert get(stranger, url)["results"] == []
        assert get(stranger, url, id="s")["results"] == []
    for url in ("/v1/sessions/s", "/v1/users/jana"):
        assert stranger.get(url).status_code == 404
        assert Client().get(url).status_code == 401
        assert api.get(url).status_code == 200


def test_a_member_sees_the_sessions_of_their_projects_only(project, other_project, say):
    say("mine")
    export(export_request(chat("theirs")[1]), other_project)
    export(export_request(chat("mine", start=99)[1]), other_project)
    client = Client()
    user = User.objects.create_user("viewer", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role="viewer")
    client.force_login(user)
    (session,) = get(client, "/v1/sessions")["results"]
    assert (session["id"], session["project"], session["trace_count"]) == ("mine", "first", 1)
    ProjectMembership.objects.create(project=other_project, user=user, role="viewer")
    newest, *others = [(s["id"], s["project"]) for s in get(client, "/v1/sessions")["results"]]
    assert newest == ("mine", "other")
    assert set(others) == {("theirs", "other"), ("mine", "first")}
    (of_first,) = get(client, "/v1/sessions", id="mine", project="first")["results"]
    assert of_first["project"] == "first"


def test_unknown_ids_and_wrong_parameters_are_explained(api, db):
    response = api.get("/v1/sessions/nobody")
    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
    assert api.get("/v1/sessions/%00").status_code == 404
    assert api.get("/v1/sessions?limit=0").status_code == 400
    assert api.get("/v1/users?cursor=nonsense").status_code == 400


def test_the_conversation_is_read_across_traces_without_repetitions(api, say):
    say("s", start=0, said="one")
    history = [("user", "one"), ("assistant", "answer to one")]
    say("s", start=1, said="two", history=history)
    history += [("user", "two"), ("assistant", "answer to two")]
    say("s", start=2, said="three", history=history)
    result = get(api, "/v1/sessions/s", include_conversation="true")["result"]
    texts = [[m["parts"][0]["text"] for m in chapter["messages"]] for chapter in result["conversation"]["chapters"]]
    assert texts == [["one", "answer to one"], ["two", "answer to two"], ["three", "answer to three"]]
    page = get(api, "/v1/sessions/s", include_conversation="true", limit=2)["result"]
    rest = get(api, "/v1/sessions/s", include_conversation="true", limit=2, cursor=page["next"])["result"]
    (last,) = rest["conversation"]["chapters"]
    assert [m["parts"][0]["text"] for m in last["messages"]] == ["three", "answer to three"]


QUERIES = {
    "/v1/sessions": 5,  # key, projects, floor of the search, newest traces, totals
    "/v1/users": 5,
    "/v1/sessions?id=s": 4,
    "/v1/sessions/s": 5,  # key, projects, newest trace, totals, traces
    "/v1/sessions/s?include_conversation=true": 9,  # the trace before, sizes, calls, log records
    "/v1/users/u": 5,
    "/v1/traces/{trace_id}/usage": 3,
}


@pytest.mark.parametrize("url", QUERIES)
@pytest.mark.parametrize("count", [1, 50])
def test_the_number_of_queries_does_not_depend_on_the_traces(api, say, url, count):
    ids = [say("s", "u", number) for number in range(count)]
    for number in range(count):
        say(f"s{number}", f"u{number}", number)
    url = url.format(trace_id=ids[0])
    api.get(url)  # the first use of a key is recorded
    with CaptureQueriesContext(connection) as captured:
        assert api.get(url).status_code == 200
    assert len(captured) == QUERIES[url if "usage" not in url else "/v1/traces/{trace_id}/usage"]


def test_usage_says_what_counts_and_what_is_priced(api, store):
    trace_id, root = new_trace_id(), new_span_id()
    _, call = chat(span_id="ab" * 8)
    call.trace_id, call.parent_span_id = bytes.fromhex(trace_id), bytes.fromhex(root)
    unknown = {"openinference.span.kind": "LLM", "llm.model_name": "in-house", "llm.token_count.prompt": 7}
    store(
        span("agent", trace_id=trace_id, span_id=root, attrs={"llm.token_count.prompt": 17}),
        call,
        span("own model", trace_id=trace_id, parent_span_id=root, attrs=unknown),
    )
    result = get(api, f"/v1/traces/{trace_id}/usage")["result"]
    assert (result["input_tokens"], result["counted_spans"], result["priced_spans"]) == (17, 2, 1)
    assert result["priced_share"] == 0.5
    reasons = {row["name"]: (row["counted"], row["reason"]) for row in result["spans"]}
    assert reasons["call"][0]
    assert reasons["own model"][0]
    counted, reason = reasons["agent"]
    assert not counted
    assert reason.startswith("not counted: its sum is made of spans below it")
