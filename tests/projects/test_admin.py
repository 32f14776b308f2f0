"""Projects, keys and users in the admin: owners manage their own, superusers everything."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from projects.models import ApiKey, Project, ProjectMembership
from tests.builders import export_request, span
from traces.otlp.receiver import export

PROJECTS = "/admin/projects/project/"
KEYS = "/admin/projects/apikey/"


def member(project: Project, role: str) -> Client:
    user = User.objects.create_user(f"{role}-of-{project.slug}", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(project):
    return member(project, "owner")


@pytest.fixture
def viewer(project):
    return member(project, "viewer")


@pytest.fixture
def stranger(other_project):
    return member(other_project, "owner")


def key_form(project: Project, **changes: str) -> dict[str, str]:
    return {
        "project": str(project.pk),
        "name": "ci",
        "can_ingest": "on",
        "expires_at_0": "",
        "expires_at_1": "",
    } | changes


def project_form(project: Project, **changes: str) -> dict[str, str]:
    return {
        "name": project.name,
        "slug": project.slug,
        "mirror_policy": "all",
        "mirror_sample_percent": "100",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
        "retention_rules-TOTAL_FORMS": "0",
        "retention_rules-INITIAL_FORMS": "0",
    } | changes


def test_a_new_key_is_shown_once_and_works(owner, project):
    response = owner.post(f"{KEYS}add/", key_form(project))
    text = re.search(r'<pre id="key-text">([^<]+)</pre>', response.content.decode())[1]
    key = ApiKey.objects.lookup(text)
    assert (key.project, key.can_ingest, key.can_read) == (project, True, False)
    assert "no-store" in response.headers["Cache-Control"]
    for url in (KEYS, f"{KEYS}{key.pk}/change/"):
        html = owner.get(url).content.decode()
        assert key.prefix in html
        assert text not in html


def test_the_form_for_a_key_chooses_the_only_project_and_has_one_button(owner, admin_client, project, other_project):
    html = owner.get("/admin/projects/apikey/add/").content.decode()
    assert f'<option value="{project.pk}" selected>' in html
    assert html.count('type="submit"') == 2  # and the one that logs out
    assert "selected>---" in admin_client.get("/admin/projects/apikey/add/").content.decode()


def test_an_owner_can_not_make_a_key_for_another_project(owner, other_project):
    owner.post(f"{KEYS}add/", key_form(other_project))
    assert not ApiKey.objects.exists()


def test_changing_a_key_leaves_its_text_and_project(owner, project, other_project, key):
    row = ApiKey.objects.get()
    owner.post(f"{KEYS}{row.pk}/change/", key_form(other_project, name="renamed"))
    row.refresh_from_db()
    assert (row.name, row.project, ApiKey.objects.lookup(key)) == ("renamed", project, row)


def test_a_revoked_key_no_longer_works(owner, key):
    owner.post(KEYS, {"action": "revoke", "_selected_action": [ApiKey.objects.get().pk]})
    assert ApiKey.objects.lookup(key) is None


def test_a_viewer_has_no_keys_and_changes_no_project(viewer, project, key):
    assert viewer.get(KEYS).status_code == 403
    assert viewer.get(f"{KEYS}add/").status_code == 403
    assert viewer.get(f"{KEYS}{ApiKey.objects.get().pk}/change/").status_code in (403, 404)
    assert viewer.post(f"{PROJECTS}{project.pk}/change/", project_form(project, name="taken")).status_code == 403


def test_a_stranger_finds_neither_project_nor_key(stranger, project, key):
    row = ApiKey.objects.get()
    urls = [f"{PROJECTS}{project.pk}/change/", f"{PROJECTS}{project.pk}/history/", f"{KEYS}{row.pk}/change/"]
    assert [stranger.get(url).status_code for url in urls] == [404] * 3
    stranger.post(KEYS, {"action": "revoke", "_selected_action": [row.pk]})
    assert ApiKey.objects.lookup(key) == row
    assert "First project" not in stranger.get(PROJECTS).content.decode()


def test_an_owner_changes_settings_and_adds_members_who_can_log_in(owner, project):
    user = User.objects.create_user("ana")
    changes = {
        "name": "Renamed",
        "memberships-TOTAL_FORMS": "1",
        "memberships-0-user": str(user.pk),
        "memberships-0-role": "viewer",
    }
    response = owner.post(f"{PROJECTS}{project.pk}/change/", project_form(project, **changes))
    assert response.status_code == 302
    project.refresh_from_db()
    user.refresh_from_db()
    assert project.name == "Renamed"
    assert user.is_staff
    assert ProjectMembership.objects.filter(project=project, user=user, role="viewer").exists()


def test_an_owner_adds_a_retention_rule_which_needs_a_condition(owner, project):
    rule = {"retention_rules-TOTAL_FORMS": "1", "retention_rules-0-keep_days": "90"}
    page = owner.post(f"{PROJECTS}{project.pk}/change/", project_form(project, **rule))
    assert "Name at least one condition" in page.content.decode()
    failed = {"retention_rules-0-status": "ERROR", "retention_rules-0-min_cost_usd": "0.5"}
    assert owner.post(f"{PROJECTS}{project.pk}/change/", project_form(project, **rule, **failed)).status_code == 302
    assert str(project.retention_rules.get()) == "failed, cost ≥ $0.5: 90 days"


def test_only_superusers_make_projects_and_see_users(owner, admin_client, project):
    urls = (f"{PROJECTS}add/", "/admin/auth/user/", f"/admin/auth/user/{User.objects.first().pk}/change/")
    assert [owner.get(url).status_code for url in urls] == [403] * 3
    assert [admin_client.get(url).status_code for url in urls] == [200] * 3


def test_times_and_sizes_are_written_as_elsewhere(admin_client, project):
    project.daily_quota_bytes = 5 * 2**20
    project.save()
    html = admin_client.get("/admin/projects/project/").content.decode().replace("\xa0", " ")
    assert f"{project.created_at:%Y-%m-%d %H:%M:%S} UTC" in html
    assert "0 spans<br>0 bytes of 5.0 MB" in html


def test_a_project_with_traces_can_not_be_deleted(admin_client, project, other_project):
    export(export_request(span()), project)
    for one in (project, other_project):
        admin_client.post(f"{PROJECTS}{one.pk}/delete/", {"post": "yes"})
    assert list(Project.objects.all()) == [project]


def test_the_queue_dashboard_is_not_there_without_redis(admin_client):
    assert admin_client.get("/admin/django_rq/dashboard/").status_code == 404
