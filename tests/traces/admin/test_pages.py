"""The admin's pages of traces and spans: who sees what, what they cost, and what they show."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from projects.models import Project, ProjectMembership
from spans.models import Span
from tests.builders import export_request, new_span_id, new_trace_id, span
from traces.admin import lists
from traces.models import Trace
from traces.otlp.receiver import export

LIST = "/admin/traces/trace/"
SPANS = "/admin/spans/span/"


def member(project: Project, role: str) -> Client:
    user = User.objects.create_user(f"{role}-of-{project.slug}", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def store(project: Project, spans: int = 1, name: str = "answer", **fields) -> Trace:
    """A trace with a root and `spans` - 1 children."""
    trace_id, root = new_trace_id(), new_span_id()
    children = [span("child", trace_id=trace_id, parent_span_id=root) for _ in range(spans - 1)]
    export(export_request(span(name, trace_id=trace_id, span_id=root, **fields), *children), project)
    return Trace.objects.get(trace_id=trace_id)


def page(trace: Trace) -> str:
    return f"{LIST}{trace.pk}/change/"


@pytest.fixture
def viewer(project):
    return member(project, "viewer")


@pytest.fixture
def editor(project):
    return member(project, "editor")


@pytest.fixture
def stranger(other_project):
    return member(other_project, "owner")


@pytest.fixture
def trace(project):
    return store(project, 3)


def pages_of(trace: Trace) -> list[str]:
    span_id = trace.root_span_id
    return [
        page(trace),
        f"{LIST}{trace.pk}/rows/",
        f"{LIST}{trace.pk}/spans/{span_id}/",
        f"{LIST}{trace.pk}/spans/{span_id}/raw/",
        f"{LIST}open/{trace.trace_id}/",
    ]


def test_a_viewer_reads_every_page_of_a_trace(viewer, trace):
    assert [viewer.get(url, follow=True).status_code for url in pages_of(trace)] == [200] * 5


def test_a_stranger_finds_no_page_of_a_trace(stranger, trace):
    span_row = Span.objects.filter(trace_row=trace).first()
    urls = [*pages_of(trace), f"{LIST}{trace.pk}/delete/", f"{SPANS}{span_row.pk}/change/"]
    assert [stranger.get(url).status_code for url in urls] == [404] * 7


def test_a_stranger_sees_neither_traces_nor_spans_in_lists(stranger, trace):
    assert "answer" not in stranger.get(LIST).content.decode()
    assert "child" not in stranger.get(SPANS).content.decode()


def test_an_editor_pins_and_unpins_a_trace_on_its_page_and_in_the_list(editor, trace):
    url = f"{LIST}{trace.pk}/pin/"
    assert "Unpin" in editor.post(url, {"pinned": "yes"}, follow=True).content.decode()
    assert Trace.objects.get().pinned
    assert "pinned · " in editor.get(LIST).content.decode()
    editor.post(url)
    assert not Trace.objects.get().pinned
    for action, pinned in (("pin_selected_traces", True), ("unpin_selected_traces", False)):
        editor.post(LIST, {"action": action, "_selected_action": [trace.pk]})
        assert Trace.objects.get().pinned == pinned


def test_neither_viewers_nor_strangers_pin_a_trace(viewer, stranger, editor, trace):
    url = f"{LIST}{trace.pk}/pin/"
    codes = [client.post(url, {"pinned": "yes"}).status_code for client in (viewer, stranger)]
    assert [*codes, editor.get(url).status_code] == [403, 404, 405]
    viewer.post(LIST, {"action": "pin_selected_traces", "_selected_action": [trace.pk]})
    assert not Trace.objects.get().pinned


def test_editors_run_the_conventions_again_over_traces_of_the_list(viewer, editor, trace):
    right = list(Span.objects.order_by("pk").values_list("span_type", flat=True))
    Span.objects.update(span_type="PARSER")
    sent = {"action": "renormalize_selected_traces", "_selected_action": [trace.pk]}
    viewer.post(LIST, sent)
    assert set(Span.objects.values_list("span_type", flat=True)) == {"PARSER"}
    assert f"{len(right)} of {len(right)} spans changed." in editor.post(LIST, sent, follow=True).content.decode()
    assert list(Span.objects.order_by("pk").values_list("span_type", flat=True)) == right


def test_a_search_by_id_finds_nothing_in_another_project(stranger, viewer, trace):
    assert page(trace) in viewer.get(LIST, {"q": trace.trace_id}).content.decode()
    assert page(trace) not in stranger.get(LIST, {"q": trace.trace_id}).content.decode()


def test_a_user_without_membership_may_not_open_the_lists(db):
    client = Client()
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert [client.get(url).status_code for url in (LIST, SPANS)] == [403, 403]


def test_a_visitor_is_sent_to_the_login(client, trace):
    for url in pages_of(trace):
        assert client.get(url).url.startswith("/admin/login/")


def test_a_superuser_sees_the_traces_of_all_projects_newest_first(admin_client, project, other_project):
    old = store(project, name="older", start_ns=1_700_000_000_000_000_000)
    new = store(other_project, name="newer", start_ns=1_700_000_001_000_000_000)
    html = admin_client.get(LIST).content.decode()
    assert html.index(page(new)) < html.index(page(old))


def test_an_editor_deletes_a_trace_and_its_spans_after_confirming(editor, trace):
    url = f"{LIST}{trace.pk}/delete/"
    assert "3 spans" in editor.get(url).content.decode()
    assert Trace.objects.filter(pk=trace.pk).exists()
    editor.post(url, {"post": "yes"})
    assert not Trace.objects.filter(pk=trace.pk).exists()
    assert not Span.objects.filter(trace_row=trace.pk).exists()


def test_a_viewer_can_not_delete(viewer, trace):
    viewer.post(f"{LIST}{trace.pk}/delete/", {"post": "yes"})
    viewer.post(LIST, {"action": "delete_selected_traces", "_selected_action": [trace.pk], "post": "yes"})
    assert Trace.objects.filter(pk=trace.pk).exists()


def test_a_member_of_two_projects_deletes_only_where_they_are_editor(editor, trace, other_project):
    user = User.objects.get(username="editor-of-first")
    ProjectMembership.objects.create(project=other_project, user=user, role="viewer")
    foreign = store(other_project)
    data = {"action": "delete_selected_traces", "_selected_action": [trace.pk, foreign.pk], "post": "yes"}
    editor.post(LIST, data)
    assert Trace.objects.count() == 2
    editor.post(LIST, {**data, "_selected_action": [trace.pk]})
    assert list(Trace.objects.all()) == [foreign]


def test_the_action_asks_before_it_deletes_without_reading_spans(editor, trace):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = editor.post(LIST, {"action": "delete_selected_traces", "_selected_action": [trace.pk]})
    assert "Delete 1 trace with 3 spans?" in response.content.decode()
    assert not any("spans_span" in query["sql"] for query in queries)


def queries_of(client, url) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_a_trace_page_costs_the_same_with_1_and_50_spans(viewer, project):
    one, fifty = store(project, 1), store(project, 50)
    assert queries_of(viewer, page(one)) == queries_of(viewer, page(fifty))
    for small, large in list(zip(pages_of(one), pages_of(fifty), strict=True))[1:4]:
        assert queries_of(viewer, small) == queries_of(viewer, large)


@pytest.mark.parametrize("url", [LIST, SPANS, "/admin/"])
def test_a_list_costs_the_same_with_1_and_50_rows_and_counts_nothing(viewer, project, url):
    store(project)
    few = queries_of(viewer, url)
    for _ in range(49):
        store(project)
    with CaptureQueriesContext(connection) as queries:
        viewer.get(url)
    assert len(queries) == few
    if url != "/admin/":
        assert not any("COUNT(" in query["sql"] for query in queries)


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"status": "ERROR"}, "failed"),
        ({"errors": "no"}, "fine"),
        ({"service": "test-service", "min_ms": "5000"}, "failed"),
        ({"min_usd": "0.01"}, "fine"),
        ({"session": "s-1"}, "fine"),
        ({"user": "u-1"}, "fine"),
        ({"model": "gpt-4o"}, "fine"),
        ({"q": "FINE"}, "fine"),
        ({"from": "2023-11-14T22:13:30Z", "range": "custom"}, "failed"),
        ({"to": "2023-11-14T22:13:30Z"}, "fine"),
    ],
)
def test_filters_narrow_the_trace_list(viewer, project, parameters, found):
    attributes = {
        "session.id": "s-1",
        "user.id": "u-1",
        "llm.model_name": "gpt-4o-mini",
        "openinference.span.kind": "LLM",
        "llm.cost.total": 0.01,
    }
    fine = store(project, name="fine", attrs=attributes)
    failed = store(
        project, name="failed", start_ns=1_700_000_020_000_000_000, duration_ns=6_000_000_000, status={"code": 2}
    )
    html = viewer.get(LIST, parameters).content.decode()
    assert {trace.name for trace in (fine, failed) if page(trace) in html} == {found}


def test_a_search_looks_through_a_bounded_number_of_traces_and_says_so(viewer, project, monkeypatch):
    monkeypatch.setattr(lists, "SCAN_ROWS", 2)
    traces = [store(project, start_ns=1_700_000_000_000_000_000 + number) for number in range(4)]
    html = viewer.get(LIST, {"q": "answer"}).content.decode()
    assert [page(trace) in html for trace in traces] == [False, False, True, True]
    assert "looked through the newest 2" in html


def test_an_indexed_filter_looks_as_far_back_as_there_is(viewer, project, monkeypatch):
    monkeypatch.setattr(lists, "SCAN_ROWS", 2)
    traces = [store(project, start_ns=10**18 + number, attrs={"session.id": "s"}) for number in range(4)]
    html = viewer.get(LIST, {"session": "s"}).content.decode()
    assert all(page(trace) in html for trace in traces)


@pytest.mark.parametrize("order", ["-7", "-8"])
def test_the_dearest_traces_come_first_and_unknown_cost_last(editor, project, order):
    costs = {"llm.cost.total": 0.5, "llm.token_count.prompt": 9, "openinference.span.kind": "LLM"}
    known, unknown = store(project, attrs=costs), store(project)
    assert (known.cost_usd, known.input_tokens, unknown.cost_usd) == (Decimal("0.5"), 9, None)
    html = editor.get(LIST, {"o": order}).content.decode()
    assert html.index(page(known)) < html.index(page(unknown))


def test_the_last_hour_leaves_out_older_traces(viewer, trace):
    assert page(trace) not in viewer.get(LIST, {"range": "1h"}).content.decode()


@pytest.mark.parametrize(
    "parameters",
    [
        {"range": "1y"},
        {"from": "yesterday"},
        {"min_ms": "slow"},
        {"min_usd": "dear"},
        {"min_usd": "NaN"},
        {"project": "999"},
        {"status": "maybe"},
    ],
)
def test_a_filter_that_makes_no_sense_shows_the_list_without_it(viewer, trace, parameters):
    html = viewer.get(LIST, parameters).content.decode()
    assert page(trace) in html
    assert 'id="filter-problems"' in html
    assert 'aria-invalid="true"' in html


@pytest.mark.parametrize("minimum", ["-1e30", "1e30"])
@pytest.mark.parametrize("url", [LIST, SPANS])
@pytest.mark.parametrize("parameter", ["min_ms", "min_usd"])
def test_any_number_will_do_as_a_minimum(viewer, trace, url, parameter, minimum):
    assert viewer.get(url, {parameter: minimum}).status_code == 200


def test_nul_characters_in_a_search_do_no_harm(viewer, trace):
    assert viewer.get(LIST, {"q": "\x00a"}).status_code == 200
    assert viewer.get(LIST, {"session": "\x00"}).status_code == 200


def test_an_empty_list_tells_how_to_send_a_first_trace(viewer):
    html = viewer.get(LIST).content.decode()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://" in html
    assert "/admin/send/" in html


def test_text_of_a_span_is_shown_as_text(editor, project):
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    trace = store(
        project,
        name=attack,
        attrs={"input.value": attack, "output.value": attack, attack: attack, "session.id": attack, "user.id": attack},
        events=[{"name": attack}],
        status={"code": 2, "message": attack},
    )
    for url in [LIST, SPANS, "/admin/", *pages_of(trace)[:3], f"{LIST}{trace.pk}/delete/"]:
        html = editor.get(url).content.decode()
        assert "alert(1)" in html
        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_pages_forbid_foreign_and_inline_scripts(viewer, trace):
    policy = viewer.get(page(trace)).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src" not in policy


def test_a_huge_trace_is_shown_in_pieces(viewer, project):
    trace = store(project, 1_201)
    first = viewer.get(page(trace)).content.decode()
    assert first.count("data-depth=") == 500
    assert "701 spans are left" in first
    rest = [viewer.get(f"{LIST}{trace.pk}/rows/", {"from": at}).content.decode() for at in (500, 1000)]
    assert [html.count("data-depth=") for html in rest] == [500, 201]


def test_of_a_trace_without_end_the_first_spans_are_drawn_and_the_others_found_in_the_list(
    viewer, project, monkeypatch
):
    trace = store(project, 8)
    store(project, 2)
    monkeypatch.setattr("traces.reading.queries.MAX_SPANS", 5)
    monkeypatch.setattr("traces.admin.trace_page.MAX_SPANS", 5)
    first = viewer.get(page(trace)).content.decode()
    assert first.count('role="treeitem"') == 5
    assert "The first 5 of 8 spans" in first
    assert "How the totals came about" not in first
    link = re.search(r'href="([^"]*/spans/span/[?]trace=[^"]*)"', first)[1].replace("&amp;", "&")
    rows = viewer.get(link).content.decode()
    last = Span.objects.filter(trace_row=trace).order_by("start_time_unix_nano", "id").last()
    assert rows.count('class="title"') == 8
    assert f"span={last.span_id}" in rows
    assert f'data-selected="{last.span_id}"' in viewer.get(page(trace), {"span": last.span_id}).content.decode()
    Span.objects.filter(trace_row=trace, span_id=last.span_id).update(input_tokens=5, counted=True)
    panel = viewer.get(f"{LIST}{trace.pk}/spans/{last.span_id}/").content.decode()
    assert "<dt>In the totals</dt><dd>counted</dd>" in panel


def test_the_span_filter_keeps_the_way_to_what_matches(viewer, project):
    trace = store(project, 3)
    html = viewer.get(f"{LIST}{trace.pk}/rows/", {"q": "answer"}).content.decode()
    assert html.count("data-depth=") == 1
    assert "No span matches" in viewer.get(f"{LIST}{trace.pk}/rows/", {"q": "nothing"}).content.decode()


def test_orphans_are_warned_of(viewer, project):
    trace_id = new_trace_id()
    export(export_request(span("lost", trace_id=trace_id, parent_span_id=new_span_id())), project)
    html = viewer.get(page(Trace.objects.get(trace_id=trace_id))).content.decode()
    assert "1 span whose parent has not arrived" in html


def test_a_span_leads_to_its_place_in_its_trace(viewer, trace):
    row = Span.objects.get(trace_row=trace, span_id=trace.root_span_id)
    response = viewer.get(f"{SPANS}{row.pk}/change/")
    assert response.url == f"{page(trace)}?span={trace.root_span_id}"


def test_nobody_adds_or_edits_traces(admin_client, trace):
    assert admin_client.get(f"{LIST}add/").status_code == 403
    admin_client.post(page(trace), {"name": "forged"})
    trace.refresh_from_db()
    assert trace.name == "answer"


@pytest.mark.parametrize(
    ("error_type", "message", "shown"),
    [
        ("", "", ">ERROR<"),
        ("Timeout", "", ">Timeout<"),
        ("", "too slow", ">too slow<"),
        ("Timeout", "too slow", ">Timeout: too slow<"),
        ("Timeout", "Timeout: too slow", ">Timeout: too slow<"),
    ],
)
def test_the_head_says_why_it_failed(viewer, project, error_type, message, shown):
    attributes = {"error.type": error_type} if error_type else {}
    failed = store(project, attrs=attributes, status={"code": 2, "message": message})
    head = viewer.get(page(failed)).content.decode().split('class="failures"')[1].split("</ul>")[0]
    assert shown in head


def test_a_panel_counts_all_attributes_events_and_links_and_names_those_it_leaves_out(project, viewer):
    many = store(
        project,
        attrs={f"key.{number:03}": number for number in range(503)},
        events=[{"name": "step"}] * 504,
        links=[{"trace_id": b"\1" * 16, "span_id": b"\2" * 8}] * 505,
    )
    html = viewer.get(f"{LIST}{many.pk}/spans/{many.root_span_id}/").content.decode()
    for tab, count in (("Attributes", 503), ("Events", 504), ("Links", 505)):
        assert f"{tab} <small>{count}</small>" in html
        assert f"{count - 500} more: see <a" in html
    assert html.count('<th scope="row">key.') == 500
