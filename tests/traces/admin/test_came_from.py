"""From a list to a trace and back: the page knows the list's filters."""

import html
import re

import pytest
from django.contrib.auth.models import User

from tests.traces.admin.test_pages import LIST, member, page, store
from traces.admin import came_from
from traces.models import Trace


@pytest.fixture
def viewer(project):
    return member(project, "viewer")


@pytest.fixture
def traces(project):
    """Oldest first: wanted, another, wanted, another, wanted."""
    start = 1_700_000_000_000_000_000
    names = ("wanted", "another", "wanted", "another", "wanted")
    return [store(project, name=name, start_ns=start + n * 10**9) for n, name in enumerate(names)]


def links(client, url):
    text = client.get(url).content.decode()
    found = {rel: html.unescape(link) for rel, link in re.findall(r'rel="(prev|next)" href="([^"]*)"', text)}
    return found | {"list": html.unescape(re.search(r'<nav class="way-back"[^>]*><a href="([^"]*)"', text)[1])}


def listed(client, query):
    text = client.get(LIST, query).content.decode()
    return [html.unescape(link) for link in re.findall(r'<a class="title" href="([^"]*)"', text)]


@pytest.mark.parametrize("query", [{"q": "wanted"}, {"q": "wanted", "min_ms": "2s"}, {"q": "wanted", "o": "-4"}])
def test_older_and_newer_stay_within_the_list(viewer, traces, query):
    middle = next(url for url in listed(viewer, query) if page(traces[2]) in url)
    shown = links(viewer, middle)
    assert shown["next"].startswith(page(traces[0]))
    assert shown["prev"].startswith(page(traces[4]))
    assert "next" not in links(viewer, shown["next"])
    assert "prev" not in links(viewer, shown["prev"])


def test_without_a_list_they_are_the_projects(viewer, traces):
    shown = links(viewer, page(traces[2]))
    assert (shown["next"], shown["prev"]) == (page(traces[1]), page(traces[3]))
    assert shown["list"] == f"{LIST}#{traces[2].pk}"


def test_the_way_back_is_the_list_as_it_was(viewer, traces):
    (first, *_) = listed(viewer, {"q": "wanted", "range": "custom", "from": "2020-01-01"})
    shown = links(viewer, first)
    assert shown["list"].endswith(f"#{traces[4].pk}")
    back = viewer.get(shown["list"].partition("#")[0])
    assert back.wsgi_request.GET.dict() == {"q": "wanted", "range": "custom", "from": "2020-01-01"}
    assert links(viewer, shown["next"])["list"].partition("#")[0] == shown["list"].partition("#")[0]


@pytest.mark.parametrize("query", ["name__regex=x", "q=" + "w" * 501, "%00", "o=" + ".".join("1" * 99)])
def test_a_list_that_there_is_not_is_the_whole_list(viewer, traces, query):
    response = viewer.get(page(traces[2]), {"_changelist_filters": query})
    assert response.status_code == 200
    assert f'href="{LIST}#{traces[2].pk}"' in response.content.decode()


def test_a_foreign_projects_traces_are_no_neighbours(traces, other_project):
    foreign = store(other_project, name="wanted", start_ns=1_700_000_001_500_000_000)
    boss = member(other_project, "owner")
    User.objects.update(is_superuser=True)
    assert page(foreign) not in links(boss, page(traces[2]) + "?_changelist_filters=q%3Dwanted")["next"]


def test_a_filter_without_an_index_looks_only_so_far(viewer, traces, monkeypatch):
    monkeypatch.setattr(came_from, "SCAN_ROWS", 1)
    Trace.objects.filter(pk=traces[2].pk).update(name="another")
    shown = links(viewer, page(traces[4]) + "?_changelist_filters=q%3Dwanted")
    assert "next" not in shown


@pytest.mark.parametrize("query", ["", "q=wanted&min_ms=0"])
def test_the_page_asks_the_database_as_often_for_fifty_spans_as_for_one(
    viewer, project, query, django_assert_max_num_queries
):
    for spans in (1, 50):
        trace = store(project, spans, name="wanted")
        with django_assert_max_num_queries(12):
            viewer.get(page(trace), {"_changelist_filters": query} if query else {})
