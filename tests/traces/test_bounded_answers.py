"""No answer and no page holds more payload than MAX_ANSWER_BYTES, or one row, whatever is stored."""

import json
from itertools import pairwise

import pytest
from django.test import Client
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from spans.models import Span
from spans.payload import OctetLength, fitting
from tests.builders import export_request, log_record, logs_request, new_span_id, new_trace_id, span
from tests.traces.admin.test_pages import LIST, member
from tests.traces.api.conftest import BeeRun
from traces.models import Trace
from traces.otlp.logs import export_logs
from traces.otlp.receiver import export
from traces.reading.queries import span_pages

pytestmark = pytest.mark.django_db
START_NS = 1_730_000_000_000_000_000
ROOM = 30_000
TEXT = "ř" * 5_000  # 10,000 bytes


@pytest.fixture(autouse=True)
def room(settings):
    settings.MAX_ANSWER_BYTES = ROOM


@pytest.fixture
def api(key):
    return Client(headers={"x-bee-authorization": key})


@pytest.fixture
def viewer(project):
    return member(project, "viewer")


def call(trace_id, number, text=TEXT, parent="", session="long", **fields):
    """A model call, the number-th of its trace, that is asked a text of its own."""
    asked = json.dumps(
        [{"role": "user", "parts": [{"type": "text", "content": f"question {number} {text}"}]}], ensure_ascii=False
    )
    attrs = {"gen_ai.operation.name": "chat", "session.id": session, "gen_ai.input.messages": asked}
    start_ns = START_NS + number
    return span(f"chat {number}", trace_id=trace_id, parent_span_id=parent, start_ns=start_ns, attrs=attrs, **fields)


@pytest.fixture
def trace_id(project):
    """A trace of seven spans, each of a third of the room."""
    trace_id, root = new_trace_id(), new_span_id()
    calls = [call(trace_id, 0, span_id=root), *(call(trace_id, number, parent=root) for number in range(1, 7))]
    export(export_request(*calls), project)
    return trace_id


def logs_of(trace_id, span_id, count, **fields):
    return logs_request(
        *(
            log_record("note", trace_id=trace_id, span_id=span_id, body=f"{number} {TEXT}", time_ns=START_NS + number)
            for number in range(count)
        )
    )


def refused(response) -> dict:
    assert response.status_code == 413, response.content[:300]
    error = response.json()
    assert (error["code"], bool(error["reason"])) == ("ANSWER_TOO_LARGE", True)
    return error


def pages_of_spans(api, url):
    """The pages that a reader gets who follows `next`."""
    pages, cursor = [], ""
    while cursor is not None:
        answer = api.get(url, {"cursor": cursor} if cursor else {}).json()
        pages.append([row["name"] for row in answer["results"]])
        cursor = answer["next"]
        assert len(pages) < 20
    return pages


@pytest.mark.parametrize("sizes", [[], [5], [50_000], [10_000] * 3, [10_000] * 3 + [1], [50_000, 1], [1, 50_000, 1]])
def test_an_answer_takes_rows_until_it_is_full_and_at_least_one(sizes):
    count = fitting(sizes)
    assert count >= min(1, len(sizes))
    assert count <= 1 or sum(sizes[:count]) <= ROOM
    assert count == len(sizes) or sum(sizes[: count + 1]) > ROOM


@pytest.mark.parametrize("text", ["", "plain", "ř🦜"])
def test_bytes_are_those_of_utf_8(project, text):
    export(export_request(span(attrs={"x": text})), project)
    (found,) = Span.objects.annotate(size=OctetLength("attributes")).values_list("size", flat=True)
    assert found == len(json.dumps({"x": text}, ensure_ascii=False, separators=(",", ":")).encode())


def test_a_page_of_spans_ends_early_and_its_reader_misses_nothing(api, trace_id):
    pages = pages_of_spans(api, f"/v1/traces/{trace_id}/spans")
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert [name for page in pages for name in page] == [f"chat {number}" for number in range(7)]


def test_a_span_that_is_larger_than_the_room_has_a_page_of_its_own(api, project):
    trace_id = new_trace_id()
    export(export_request(call(trace_id, 0, "x"), call(trace_id, 1, TEXT * 9), call(trace_id, 2, "x")), project)
    pages = pages_of_spans(api, f"/v1/traces/{trace_id}/spans")
    assert pages == [["chat 0"], ["chat 1"], ["chat 2"]]


@pytest.mark.parametrize("field", ["events", "links"])
def test_everything_that_a_span_holds_counts(api, project, field):
    trace_id = new_trace_id()
    held = {"attributes": [{"key": "x", "value": {"string_value": TEXT * 2}}]}
    held |= {"name": "e"} if field == "events" else {"trace_id": b"\x01" * 16, "span_id": b"\x02" * 8}
    spans = [span(trace_id=trace_id, start_ns=START_NS + number, **{field: [held]}) for number in range(3)]
    export(export_request(*spans), project)
    assert [len(page) for page in pages_of_spans(api, f"/v1/traces/{trace_id}/spans")] == [1, 1, 1]


def test_log_records_of_spans_count_too(api, project):
    trace_id, ids = new_trace_id(), [new_span_id() for _ in range(3)]
    spans = [span(trace_id=trace_id, span_id=id_, start_ns=START_NS + n) for n, id_ in enumerate(ids)]
    export(export_request(*spans), project)
    for id_ in ids:
        export_logs([logs_of(trace_id, id_, 2)], project)
    assert [len(page) for page in pages_of_spans(api, f"/v1/traces/{trace_id}/spans")] == [1, 1, 1]


def test_of_a_span_with_too_many_log_records_the_first_are_read(api, viewer, project):
    trace_id, id_ = new_trace_id(), new_span_id()
    export(export_request(span(trace_id=trace_id, span_id=id_)), project)
    export_logs([logs_of(trace_id, id_, 8)], project)
    assert api.get(f"/v1/traces/{trace_id}/spans/{id_}").status_code == 200
    panel = viewer.get(f"{LIST}{Trace.objects.get().pk}/spans/{id_}/").content.decode()
    assert panel.count('class="section log"') == 2
    assert "6 more:" in panel


def test_a_page_of_log_records_ends_early_and_says_where_the_next_begins(api, project):
    trace_id, id_ = new_trace_id(), new_span_id()
    export_logs([logs_of(trace_id, id_, 7)], project)
    export(export_request(span(trace_id=trace_id, span_id=id_)), project)
    offsets, bodies = [0], []
    while offsets[-1] is not None:
        answer = api.get(f"/v1/traces/{trace_id}/logs", {"offset": offsets[-1]}).json()
        bodies += [row["body"][0] for row in answer["results"]]
        offsets.append(answer["next_offset"])
    assert bodies == list("0123456")
    assert all(later - earlier == 2 for earlier, later in pairwise(offsets[:-1]))
    assert "/logs" in refused(api.get(f"/v1/traces/{trace_id}/otlp-logs"))["reason"]


def test_what_fits_is_exported_in_one_piece_and_what_does_not_is_refused_with_a_word(api, project, settings, trace_id):
    assert trace_id in refused(api.get(f"/v1/traces/{trace_id}/otlp"))["reason"]
    settings.MAX_ANSWER_BYTES = 200_000
    assert api.get(f"/v1/traces/{trace_id}/otlp").json()["resourceSpans"]
    export_logs([logs_of(trace_id, new_span_id(), 1)], project)
    logs = api.get(f"/v1/traces/{trace_id}/otlp-logs", headers={"Accept": "application/x-protobuf"})
    assert LogsData.FromString(logs.content).resource_logs


def test_a_tree_without_a_run_reads_no_payload(api, trace_id):
    listed = api.get("/v1/traces", {"include_tree": "true"}).json()["results"][0]["tree"]
    alone = api.get(f"/v1/traces/{trace_id}", {"include_tree": "true"}).json()["result"]["tree"]
    assert listed == alone
    assert len(listed[0]["children"]) == 6


def test_a_run_of_a_framework_is_refused_as_a_tree_and_a_list_and_read_by_the_trace_id(api, project, settings):
    made = BeeRun()
    more = [
        made.event(
            f"iteration-{number}", new_span_id(), made.main_id, {"data": json.dumps({"x": "ab" * 5_000})}, number, 1
        )
        for number in range(6)
    ]
    export(export_request(*made.spans, *more, scope=made.scope), project)
    one_piece = [
        "/v1/traces?include_tree=true",
        f"/v1/traces/{made.run_id}?include_tree=true",
        f"/v1/traces/{made.trace_id}?include_tree=true",
        f"/v1/traces/{made.run_id}/spans",
    ]
    for url in one_piece:
        assert made.trace_id in refused(api.get(url))["reason"]
    assert sum(len(page) for page in pages_of_spans(api, f"/v1/traces/{made.trace_id}/spans")) == 9
    settings.MAX_ANSWER_BYTES = 200_000
    for url in one_piece:
        assert api.get(url).status_code == 200
    assert api.get(one_piece[0]).json()["results"][0]["tree"] == api.get(one_piece[1]).json()["result"]["tree"]


def said(chapters) -> list[str]:
    return [
        message["parts"][0]["text"].split("ř")[0].strip() for chapter in chapters for message in chapter["messages"]
    ]


def test_a_conversation_is_cut_and_says_so(api, viewer, trace_id):
    found = api.get("/v1/sessions/long", {"include_conversation": "true"}).json()["result"]["conversation"]
    assert (said(found["chapters"]), found["is_cut"]) == (["question 1"], True)  # the root holds the others
    html = viewer.get("/admin/traces/session/page/", {"id": "long"}).content.decode()
    assert "question 1" in html
    assert "question 2" not in html
    assert "the first are shown" in html


def test_a_trace_before_the_page_takes_no_room_from_it(api, project, trace_id):
    export(export_request(call(new_trace_id(), 50)), project)
    first = api.get("/v1/sessions/long", {"include_conversation": "true", "limit": 1}).json()["result"]
    second = api.get("/v1/sessions/long", {"include_conversation": "true", "limit": 1, "cursor": first["next"]}).json()[
        "result"
    ]
    assert (said(second["conversation"]["chapters"]), second["conversation"]["is_cut"]) == (["question 50"], False)


def test_a_trace_page_says_of_failed_spans_without_room_what_their_status_says(viewer, project):
    trace_id, status = new_trace_id(), {"code": 2, "message": "no answer"}
    failed = [call(trace_id, number, TEXT * 4, status=status) for number in range(3)]
    export(export_request(*failed), project)
    html = viewer.get(f"{LIST}{Trace.objects.get().pk}/change/").content.decode()
    assert html.count("no answer") >= 3


def test_pages_of_spans_for_exports_and_the_mirror_are_bounded(trace_id):
    pages = list(span_pages(Trace.objects.get()))
    assert [len(page) for page in pages] == [2, 2, 2, 1]
