"""The admin's pages of sessions and end users: what they show, to whom, and what they cost."""

from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.builders import export_request
from tests.corpus import capture
from tests.traces.admin.test_pages import member
from tests.traces.api.test_sessions import ODD_IDS, chat
from traces.admin import session_pages
from traces.models import Trace
from traces.otlp.receiver import export

SESSIONS = "/admin/traces/session/"
USERS = "/admin/traces/enduser/"


@pytest.fixture
def viewer(project):
    return member(project, "viewer")


@pytest.fixture
def stranger(other_project):
    return member(other_project, "owner")


@pytest.fixture
def say(project):
    def store(*args, **fields) -> str:
        trace_id, call = chat(*args, **fields)
        export(export_request(call), project)
        return trace_id

    return store


def page(client, base: str, **parameters) -> str:
    response = client.get(f"{base}page/?{urlencode(parameters)}")
    assert response.status_code == 200
    return response.content.decode()


def test_the_lists_show_sessions_and_users_with_their_totals(viewer, say):
    for number in range(3):
        say("<chat> 7", "jana", number)
    listed = viewer.get(SESSIONS).content.decode()
    assert "&lt;chat&gt; 7" in listed
    assert '<td class="field-traces">3</td>' in listed
    assert "jana" in viewer.get(USERS).content.decode()
    assert "Nothing matches" in viewer.get(f"{SESSIONS}?q=other").content.decode()
    assert "Nothing matches" in viewer.get(f"{SESSIONS}?range=1h").content.decode()


def test_empty_lists_say_how_to_fill_them(viewer):
    assert "session.id" in viewer.get(SESSIONS).content.decode()
    assert "user.id" in viewer.get(USERS).content.decode()


@pytest.mark.parametrize("parameters", [{"range": "1y"}, {"from": "yesterday"}, {"to": "2026-13-45"}])
def test_a_range_that_makes_no_sense_shows_the_lists_without_it(viewer, say, parameters):
    say("chat", "jana")
    assert "chat" in viewer.get(SESSIONS, parameters, follow=True).content.decode()
    assert "jana" in viewer.get(USERS, parameters, follow=True).content.decode()


def test_a_session_reads_as_one_chat(viewer, say):
    say("s", "jana", 0, said="one")
    say("s", "jana", 1, said="two", history=[("user", "one"), ("assistant", "answer to one")])
    text = page(viewer, SESSIONS, id="s")
    assert text.count(">one</div>") == 1
    assert text.count(">answer to one</div>") == 1
    assert text.index(">answer to one</div>") < text.index(">two</div>") < text.index(">answer to two</div>")
    assert text.count("data-chapter") == 2


@pytest.mark.parametrize("identifier", ODD_IDS, ids=range(len(ODD_IDS)))
def test_links_lead_to_sessions_and_users_with_any_id(viewer, say, identifier):
    trace_id = say(identifier, identifier)
    say(identifier + "x", identifier + "x", 1)
    trace = Trace.objects.get(trace_id=trace_id)
    for name in ("session", "user"):
        url = session_pages.group_url(name, identifier, trace.project_id, trace.pk)
        assert len(url) < 2_000
        response = viewer.get(url)
        assert response.status_code == 200
        assert response.context["group"].id == identifier
        assert response.context["group"].trace_count == 1
        for linking in (viewer.get("/admin/traces/trace/"), viewer.get(f"/admin/traces/trace/{trace.pk}/change/")):
            assert url.replace("&", "&amp;") in linking.content.decode()


def test_a_long_session_goes_on_page_by_page_in_both_directions(viewer, say, monkeypatch):
    monkeypatch.setattr(session_pages, "TRACES_A_PAGE", 2)
    ids = [say("s", start=number) for number in range(5)]

    def shown(url: str):
        context = viewer.get(f"{SESSIONS}page/{url}").context
        return [chapter.trace.trace_id for chapter in context["chapters"]], context

    first, context = shown("?id=s")
    second, context = shown(context["later_url"])
    third, last = shown(context["later_url"])
    assert first + second + third == ids
    assert (last["later_url"], shown(last["earlier_url"])[0]) == ("", second)
    assert shown(context["latest_url"])[0] == ids[3:]


def test_strangers_find_no_session(stranger, say):
    trace_id = say("s", "jana")
    key = Trace.objects.get(trace_id=trace_id).pk
    for base, identifier in ((SESSIONS, "s"), (USERS, "jana")):
        assert f">{identifier}</a>" not in stranger.get(base).content.decode()
        assert stranger.get(f"{base}page/", {"id": identifier}).status_code == 404
        assert stranger.get(f"{base}page/", {"trace": key}).status_code == 404
        assert stranger.get(f"{base}{key}/change/").status_code == 404


def test_the_number_of_queries_does_not_depend_on_the_traces(viewer, say):
    viewer.get(SESSIONS)  # what a process finds out once
    counts = []
    for _ in range(2):
        for number in range(12):
            say("s", "jana", number)
            say(f"s{number}", f"u{number}", number)
        counts.append([])
        for url in (SESSIONS, USERS, f"{SESSIONS}page/?id=s", f"{USERS}page/?id=jana"):
            with CaptureQueriesContext(connection) as captured:
                assert viewer.get(url).status_code == 200
            counts[-1].append(len(captured))
    assert counts[0] == counts[1]


def test_mellea_has_one_session_over_several_traces(viewer, project):
    for request in capture("mellea").requests:
        export(request, project)
    listed = viewer.get(SESSIONS).context["rows"]
    assert sorted(group.trace_count for group, _, _ in listed)[-9:] == [2] * 9


def test_the_trace_page_says_how_its_totals_came_about(viewer, say):
    trace = Trace.objects.get(trace_id=say("s"))
    text = viewer.get(f"/admin/traces/trace/{trace.pk}/change/").content.decode()
    assert "1 call counted, the cost of 1 known" in text
    panel = viewer.get(f"/admin/traces/trace/{trace.pk}/spans/{trace.root_span_id}/").content.decode()
    assert "counted: the innermost span of its model call that reports usage" in panel
