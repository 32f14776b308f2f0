"""What lists of the admin do with values that make no sense, and how they are sorted."""

import re

import pytest
from django.urls import reverse

from tests.builders import export_request, span
from tests.traces.admin.test_pages import LIST, member, page, store
from traces.admin import session_pages
from traces.models import ExportReceipt, Trace
from traces.otlp.receiver import export

USER_PAGE = "/admin/traces/enduser/page/"


@pytest.fixture
def viewer(project):
    return member(project, "viewer")


@pytest.fixture
def trace(project):
    return store(project, 3)


@pytest.mark.parametrize("wrong", [{"min_ms": "2s"}, {"min_usd": "dear"}, {"range": "1y"}, {"project": "999"}])
def test_beside_a_filter_that_makes_no_sense_the_others_apply(viewer, trace, wrong):
    html = viewer.get(LIST, {**wrong, "service": "another", "q": "x"}).content.decode()
    assert page(trace) not in html
    assert 'value="another"' in html
    (value,) = wrong.values()
    assert f"{value}&#x27;" in html.split('id="filter-problems"')[1]


def test_a_foreign_project_in_the_address_shows_none_of_its_traces(viewer, trace, other_project):
    foreign = store(other_project, name="foreign")
    html = viewer.get(LIST, {"project": other_project.pk}).content.decode()
    assert page(foreign) not in html
    assert page(trace) in html


def test_the_first_click_on_a_heading_sorts_from_the_largest_on_and_the_next_turns_it(viewer, project):
    for name, cost in (("cheap", "0.1"), ("dear", "2"), ("unknown", None)):
        Trace.objects.filter(pk=store(project, name=name).pk).update(cost_usd=cost)
    link = re.compile(r'href="(\?o=[^"]*)">Cost')

    def names(html):
        return sorted(("cheap", "dear", "unknown"), key=lambda name: html.index(f">{name}</a>"))

    first = viewer.get(LIST + link.search(viewer.get(LIST).content.decode())[1]).content.decode()
    assert names(first) == ["dear", "cheap", "unknown"]
    second = viewer.get(LIST + link.search(first)[1]).content.decode()
    assert names(second) == ["cheap", "dear", "unknown"]


@pytest.mark.parametrize("wrong", [{"range": "1y"}, {"project": "999"}, {"project": "x"}, {"from": "yesterday"}])
@pytest.mark.parametrize("path", ["session", "enduser"])
def test_lists_of_groups_mark_what_makes_no_sense_too(viewer, project, path, wrong):
    export(export_request(span("one", attrs={"session.id": "chat-42", "user.id": "chat-42"})), project)
    html = viewer.get(f"/admin/traces/{path}/", wrong).content.decode()
    assert 'id="filter-problems"' in html
    assert "chat-42" in html


def test_a_page_of_a_user_begins_with_the_newest_trace_and_leads_on(viewer, project, monkeypatch):
    monkeypatch.setattr(session_pages, "TRACES_A_PAGE", 2)
    start = 1_700_000_000_000_000_000
    for n in range(5):
        export(export_request(span(f"trace-{n}", start_ns=start + n * 10**9, attrs={"user.id": "jana"})), project)

    def shown(url):
        html = viewer.get(url).content.decode()
        links = {
            rel: link.replace("&amp;", "&") for link, rel in re.findall(r'href="(\?[^"]*)" rel="(prev|next)"', html)
        }
        return [int(number) for number in re.findall(r"trace-(\d)</a>", html)], links

    first, links = shown(f"{USER_PAGE}?id=jana&project={project.pk}")
    assert (first, list(links)) == ([4, 3], ["next"])
    second, links = shown(USER_PAGE + links["next"])
    assert (second, list(links)) == ([2, 1], ["prev", "next"])
    assert shown(USER_PAGE + links["next"])[0] == [0]
    assert shown(USER_PAGE + links["prev"])[0] == [4, 3]


@pytest.mark.parametrize(("milliseconds", "told"), [(1604.0, "1.60 s"), (4.2, "4.20 ms"), (466.1, "466 ms")])
def test_a_receipt_tells_its_time_in_a_unit_that_fits(viewer, trace, milliseconds, told):
    ExportReceipt.objects.update(duration_ms=milliseconds)
    assert f">{told}</td>" in viewer.get(reverse("admin:traces_exportreceipt_changelist")).content.decode()
