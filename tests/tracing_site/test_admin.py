"""The admin site: its home page, its headers, and the queue's dashboard."""

import re
import shlex
import time
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_rq.models import Dashboard

from mlflow_sync.pull import QUIET, pull
from projects.models import ProjectMembership
from tests.builders import export_request, new_span_id, new_trace_id, span
from traces.otlp.receiver import export
from tracing_site.admin import SuperuserQueueAdmin


def test_home_shows_a_member_the_latest_traces_of_their_projects_only(project, other_project):
    user = User.objects.create_user("ana", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role="viewer")
    export(export_request(span("ours")), project)
    export(export_request(span("theirs")), other_project)
    client = Client()
    client.force_login(user)
    html = client.get("/admin/").content.decode()
    assert "ours" in html
    assert "theirs" not in html


@pytest.mark.parametrize("path", ["", "traces/trace/", "spans/span/", "traces/session/", "traces/exportreceipt/"])
def test_every_list_has_a_heading_for_screen_readers(admin_client, path):
    assert admin_client.get(f"/admin/{path}").content.decode().count("<h1") == 1


def test_home_tells_a_new_installation_how_to_send_traces(admin_client):
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in admin_client.get("/admin/").content.decode()


def test_home_counts_up_to_a_limit_and_says_so(admin_client, project, settings, monkeypatch):
    for module in ("traces.reading.lists", "mlflow_sync.pull", "tracing_site.home"):
        monkeypatch.setattr(f"{module}.COUNT_LIMIT", 2)
    settings.MLFLOW_TRACKING_URI = "http://127.0.0.1:1"
    for _ in range(4):
        export(export_request(span(start_ns=time.time_ns())), project)
    pull(timezone.now() + QUIET)
    html = admin_client.get("/admin/").content.decode()
    assert '<b>2+</b><span><a href="/admin/traces/trace/?range=24h">traces' in html
    assert '<b>2+</b><span><a href="/admin/mlflow_sync/mlflowtrace/?state=pending">traces wait' in html


def test_home_and_list_show_failed_spans_of_a_trace_that_ended_well(admin_client, project):
    trace_id, root = new_trace_id(), new_span_id()
    children = [span("step", trace_id=trace_id, parent_span_id=root, status={"code": 2}) for _ in range(2)]
    export(export_request(span("run", trace_id=trace_id, span_id=root), *children), project)
    export(export_request(span("fine", start_ns=1_700_000_000_000_000_001)), project)
    for path, words in (("", "2 spans failed"), ("traces/trace/", "2 failed")):
        html = admin_client.get(f"/admin/{path}").content.decode()
        assert re.findall(r'dot dot-(\w+)" role="img" aria-label="([^"]+)"', html) == [
            ("OK", "OK"),
            ("PARTLY", "OK, 2 spans failed"),
        ]
        assert html.count(words) > 0


@pytest.mark.parametrize("path", ["", "traces/trace/"])
def test_the_first_trace_is_a_command_away(admin_client, key, settings, path):
    settings.GRPC_PORT = 14317
    html = admin_client.get(f"/admin/{path}").content.decode()
    assert "port 14317" in html
    command = unescape(html.partition("curl ")[2].partition("</pre>")[0])
    endpoint, *words = shlex.split(command.replace("YOUR-API-KEY", key))
    headers = dict(word.split(": ") for word in words if ": " in word and not word.startswith("{"))
    answer = Client().post(
        urlsplit(endpoint).path, words[-1], content_type=headers.pop("content-type"), headers=headers
    )
    assert (answer.status_code, answer.json()) == (200, {})
    assert "first trace" in admin_client.get("/admin/").content.decode()


def test_an_account_without_a_project_is_told_so(db):
    client = Client()
    client.force_login(User.objects.create_user("ana", is_staff=True))
    html = client.get("/admin/").content.decode()
    assert "You are not a member of a project yet" in html
    assert "OTEL_EXPORTER" not in html
    assert client.get("/admin/traces/session/").status_code == 403


def test_the_navigation_offers_what_the_user_may_open(project):
    user = User.objects.create_user("ana", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role="viewer")
    client = Client()
    client.force_login(user)
    html = client.get("/admin/").content.decode()
    assert "/admin/traces/trace/" in html
    assert "/admin/projects/apikey/" not in html
    assert "/admin/auth/user/" not in html


def test_the_navigation_marks_the_list_that_is_open(admin_client):
    html = admin_client.get("/admin/spans/modelprice/").content.decode()
    assert re.findall(r'aria-current="page" title="([^"]+)"', html) == ["Prices"]
    assert 'class="crumb"' not in html
    html = admin_client.get("/admin/spans/modelprice/add/").content.decode()
    assert '<a class="crumb" href="/admin/spans/modelprice/">Prices</a>' in html


def test_every_list_is_in_the_navigation(admin_client):
    request = admin_client.get("/admin/").wsgi_request
    shown = {entry["url"] for group in admin.site.navigation(request) for entry in group["entries"]}
    names = [f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry]
    assert {reverse(name) for name in names} | {reverse("admin:index")} == shown


def test_every_icon_of_the_navigation_is_drawn(admin_client):
    html = admin_client.get("/admin/").content.decode()
    used = set(re.findall(r'<use href="#(i-[\w]+)"', html))
    assert len(used) > 15
    assert used <= set(re.findall(r'<symbol id="(i-[\w]+)"', html))


def test_an_empty_list_says_what_it_is_for(admin_client):
    for path in ("spans/mappingrule", "spans/modelprice", "mlflow_sync/erasure", "projects/apikey", "auth/user"):
        html = admin_client.get(f"/admin/{path}/").content.decode()
        assert 'class="list-purpose' in html, path


def test_no_page_of_the_queue_is_open_to_members(rf, project):
    user = User.objects.create_user("ana", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role="owner")
    patterns = SuperuserQueueAdmin(Dashboard, admin.site).get_urls()
    assert len(patterns) > 20
    for pattern in patterns:
        request = rf.get("/")
        request.user = user
        with pytest.raises(PermissionDenied):
            pattern.callback(request)


@pytest.fixture
def viewer(project):
    user = User.objects.create_user("ana", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role="viewer")
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("traces/trace/01234567-89ab-cdef-0123-456789abcdef/change/", 404, "may have been deleted"),
        ("nothing/here/", 404, "may have been deleted"),
        ("projects/project/add/", 403, "Your account may not do this"),
    ],
)
def test_what_is_missing_or_forbidden_is_a_page_of_the_admin_that_leads_back(viewer, path, status, says):
    response = viewer.get(f"/admin/{path}")
    html = response.content.decode()
    assert response.status_code == status
    assert says in html
    assert 'class="site-nav"' in html
    assert '<a href="/admin/traces/trace/">Traces</a><a href="/admin/">Home</a>' in html
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]


def test_a_stranger_to_the_admin_is_told_no_more_than_that_nothing_is_there(client, db):
    html = client.get("/admin-nothing").content.decode()
    assert "may have been deleted" in html
    assert "site-nav" not in html


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/nothing", BROWSER, "text/html"),
        ("/nothing", "*/*", "application/json"),
        ("/nothing", "application/json, text/html", "application/json"),
        ("/v1/nothing", BROWSER, "application/json"),
    ],
)
def test_an_unknown_address_is_a_page_for_browsers_and_json_for_programs(client, db, path, accept, kind):
    response = client.get(path, headers={"Accept": accept})
    assert response.status_code == 404
    assert response["Content-Type"].startswith(kind)
    assert "Accept" in response["Vary"].split(", ")
    assert client.post(path, headers={"Accept": accept})["Content-Type"].startswith("application/json")
