"""Filters, orderings and pages of the two lists."""

from urllib.parse import quote

import pytest
from django.db import connection

from spans.models import Span
from tests.builders import new_trace_id, span
from tests.traces.api.conftest import MS, START_NS
from traces.models import Trace
from traces.reading.lists import TraceFilters

LLM = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.conversation.id": "s-1",
    "enduser.id": "ada",
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Where is my Order?"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"On its way, 100%"}]}]',
}


@pytest.fixture
def llm_trace(store) -> str:
    trace_id = new_trace_id()
    store(
        span("chat gpt-4o", trace_id=trace_id, attrs=LLM, start_ns=START_NS, duration_ns=1500 * MS),
        service="agent",
    )
    return trace_id


@pytest.fixture
def web_trace(store) -> str:
    trace_id = new_trace_id()
    failed = span("GET /", trace_id=trace_id, start_ns=START_NS + 10**9, duration_ns=MS)
    failed.status.code = 2
    store(failed, service="web")
    return trace_id


def ids(client, url: str) -> list[str]:
    response = client.get(url)
    assert response.status_code == 200, response.content
    return [item["trace_id"] for item in response.json()["results"]]


COMMON = [
    "service_name=agent",
    "name=CHAT",
    "model=gpt-4o",
    "session_id=s-1",
    "min_duration_ms=1500",
    "min_duration_ms=1499.5",
    "min_tokens=120",
    "error=false",
    "q=my%20order",
    "q=100%25",
    "to=2024-10-27T03:33:20.5Z",
    "to=2024-10-27T05:33:20.500%2B02:00",
    f"to={START_NS + 1}",
    "from=2024-10-27&to=2024-10-27T03:33:21",
]
OTHER = ["service_name=web", "error=true", "from=2024-10-27T03:33:20.5Z", f"from={START_NS + 1}", "q=get"]


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/spans"])
@pytest.mark.parametrize("query", [*COMMON, *OTHER])
def test_a_filter_keeps_what_matches(api, llm_trace, web_trace, path, query):
    assert ids(api, f"{path}?{query}") == [llm_trace if query in COMMON else web_trace]


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/spans"])
@pytest.mark.parametrize(
    ("text", "sought"),
    [
        ("Где МОЙ заказ?", "мой"),
        ("Где мой заказ?", "МОЙ ЗАКАЗ"),
        ("ÄRGER im Büro", "ärger"),
        ("Πού είναι;", "ΠΟΎ ΕΊΝΑΙ"),
        ("STRAßE_5, 100%", "straße_5, 100%"),
        ("订单 İstanbul", "订单"),
    ],
)
def test_case_is_ignored_in_every_script(api, store, path, text, sought):
    in_name, in_input, other = new_trace_id(), new_trace_id(), new_trace_id()
    store(span(text, trace_id=in_name))
    store(span("chat", trace_id=in_input, attrs={"input.value": text, "openinference.span.kind": "CHAIN"}))
    store(span("chat", trace_id=other))
    assert set(ids(api, f"{path}?q={quote(sought)}")) == {in_name, in_input}
    assert ids(api, f"{path}?name={quote(sought)}") == [in_name]


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/spans"])
@pytest.mark.parametrize(
    "query",
    [
        "service_name=agen",
        "model=gpt-4",
        "session_id=s",
        "min_tokens=121",
        "min_cost_usd=1000",
        "q=_rder",
        "q=%25order",
        "project=other",
        "user_id=nobody",
        "from=2100-01-01",
        "min_duration_ms=1500.1",
    ],
)
def test_a_filter_drops_what_does_not_match(api, llm_trace, web_trace, path, query):
    assert ids(api, f"{path}?{query}") == []


def test_filters_hold_together(api, llm_trace, web_trace):
    assert ids(api, "/v1/traces?service_name=agent&error=true") == []
    assert ids(api, "/v1/traces?service_name=agent&error=false&project=first") == [llm_trace]


def test_traces_are_filtered_by_status(api, llm_trace, web_trace):
    assert ids(api, "/v1/traces?status=ERROR") == [web_trace]
    assert ids(api, "/v1/traces?status=OK") == [llm_trace]


def test_spans_are_filtered_by_type_and_trace(api, llm_trace, web_trace):
    span_type = Span.objects.get(name="chat gpt-4o").span_type
    assert ids(api, f"/v1/spans?span_type={span_type}") == [llm_trace]
    assert ids(api, f"/v1/spans?trace_id={web_trace.upper()}") == [web_trace]
    assert ids(api, "/v1/spans?trace_id=unknown") == []


def test_a_span_of_the_list_says_what_people_look_for(api, llm_trace):
    [found] = api.get("/v1/spans").json()["results"]
    assert (found["provider_name"], found["request_model"]) == ("openai", "gpt-4o")
    assert (found["input_tokens"], found["output_tokens"]) == (100, 20)
    assert (found["input"], found["output"]) == ("Where is my Order?", "On its way, 100%")
    assert (found["status"], found["session_id"], found["duration_ms"]) == ("OK", "s-1", 1500.0)


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("/v1/traces", "from=yesterday", "querystring/from must be an ISO 8601 time"),
        ("/v1/traces", "from=2024-13-45", "querystring/from must be an ISO 8601 time"),
        ("/v1/traces", "status=FINE", "querystring/status must be equal to one of the allowed values: OK, ERROR"),
        ("/v1/traces", "ordering=colour", "querystring/ordering must be equal to one of the allowed values"),
        ("/v1/traces", "min_cost_usd=NaN", "querystring/min_cost_usd must be a number"),
        ("/v1/traces", "min_tokens=99999999999999999999", "querystring/min_tokens must be <= 9223372036854775807"),
        ("/v1/traces", "q=a%00b", "querystring/q must NOT have NUL characters"),
        ("/v1/traces", "cursor=xyz", "querystring/cursor must be a cursor"),
        ("/v1/traces", "cursor=W10", "querystring/cursor must be a cursor"),
        ("/v1/spans", "span_type=POEM", "querystring/span_type must be equal to one of the allowed values"),
        ("/v1/spans", "error=maybe", "querystring/error must be boolean"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(api, path, query, message):
    response = api.get(f"{path}?{query}")
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)
    assert response.json()["reason"]


def pages(client, url: str, between=lambda: None) -> list[str]:
    """Ids of all pages; `between` runs after each."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = client.get(f"{url}&cursor={cursor}" if cursor else url).json()
        found += [item["trace_id"] for item in answer["results"]]
        cursor = answer["next"]
        if cursor is None:
            return found
        between()


ORDERINGS = ["created_at", "start_time", "duration", "span_count", "error_count", "tokens", "cost_usd"]


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_every_ordering_reads_all_traces_once_also_where_values_are_equal(api, store, ordering, sign):
    for number in range(7):
        attrs = LLM if number % 3 == 0 else {}
        store(span(attrs=attrs, start_ns=START_NS + number // 2, duration_ns=number // 3 * MS))
    whole = ids(api, f"/v1/traces?ordering={sign}{ordering}")
    assert sorted(whole) == sorted(Trace.objects.values_list("trace_id", flat=True))
    assert pages(api, f"/v1/traces?limit=2&ordering={sign}{ordering}") == whole


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/spans"])
def test_pages_neither_skip_nor_repeat_while_traces_arrive(api, store, path):
    store(*[span(start_ns=START_NS + number) for number in range(9)])
    before = ids(api, f"{path}?limit=100")
    later = iter(range(100))
    arriving = lambda: store(*[span(start_ns=START_NS + 1000 + next(later)) for _ in range(3)])  # noqa: E731
    assert pages(api, f"{path}?limit=2", arriving) == before


def test_costs_order_numerically_and_page(api, store):
    for number in range(5):
        store(span(start_ns=START_NS + number))
    for trace, cost in zip(Trace.objects.order_by("id"), ["0.5", "10", "9", "0.0000000001", None], strict=True):
        Trace.objects.filter(pk=trace.pk).update(cost_usd=cost)
    found = api.get("/v1/traces?ordering=-cost_usd").json()["results"]
    assert [trace["cost_usd"] for trace in found] == [10, 9, 0.5, 1e-10, None]
    assert pages(api, "/v1/traces?ordering=-cost_usd&limit=1") == [trace["trace_id"] for trace in found]
    assert len(ids(api, "/v1/traces?min_cost_usd=0.5")) == 3


def test_a_cursor_of_another_ordering_is_refused(api, store):
    store(span(), span())
    cursor = api.get("/v1/traces?limit=1").json()["next"]
    response = api.get(f"/v1/traces?limit=1&ordering=duration&cursor={cursor}")
    assert response.status_code == 400
    assert response.json()["message"] == "querystring/cursor must be of the same ordering"


def test_offsets_count_from_the_newest(api, store):
    for number in range(3):
        store(span(start_ns=START_NS + number))
    newest_first = ids(api, "/v1/traces")
    assert ids(api, "/v1/traces?limit=1&offset=1") == newest_first[1:2]
    assert ids(api, "/v1/traces?offset=3") == []
    assert ids(api, "/v1/traces?offset=9223372036854775807") == []


def test_the_count_stops_at_its_limit(api, store, monkeypatch):
    monkeypatch.setattr("traces.reading.lists.COUNT_LIMIT", 3)
    monkeypatch.setattr("traces.api.views.COUNT_LIMIT", 3)
    store(*[span() for _ in range(5)])
    answer = api.get("/v1/traces?limit=1").json()
    assert answer["total_count"] == 3
    assert ids(api, "/v1/traces?offset=4") != []


def test_answers_in_one_piece_have_a_limit(api, store, monkeypatch):
    monkeypatch.setattr("traces.reading.queries.MAX_SPANS", 3)
    trace_id = new_trace_id()
    store(*[span(trace_id=trace_id) for _ in range(4)])
    trace = f"/v1/traces/{trace_id}"
    for url in ("/v1/traces?include_tree=true", f"{trace}?include_tree=true", f"{trace}/otlp", f"{trace}/usage"):
        response = api.get(url)
        assert response.status_code == 400
        assert "page by page" in response.json()["reason"]


@pytest.mark.parametrize(("field", "index"), [("session_id", "trace_by_session"), ("user_id", "trace_by_user")])
def test_the_traces_of_a_session_or_user_are_found_by_their_index(project, store, field, index):
    store(*[span(attrs={"session.id": f"s{number}", "user.id": f"u{number}"}) for number in range(200)])
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Trace._meta.db_table}")
    traces = TraceFilters(**{field: "x" * 99}).apply(Trace.objects.filter(project=project))
    assert index in traces.order_by("-start_time_unix_nano", "-pk")[:50].explain()
