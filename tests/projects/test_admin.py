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
        "memberships-0-user": "ana",
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
    assert f">{project.created_at:%Y-%m-%d %H:%M:%S}</time>" in html
    assert "0 spans<br>0 bytes of 5.0 MB" in html


def test_a_project_with_traces_can_not_be_deleted(admin_client, project, other_project):
    export(export_request(span()), project)
    for one in (project, other_project):
        admin_client.post(f"{PROJECTS}{one.pk}/delete/", {"post": "yes"})
    assert list(Project.objects.all()) == [project]


def test_the_queue_dashboard_is_not_there_without_redis(admin_client):
    assert admin_client.get("/admin/django_rq/dashboard/").status_code == 404


def member_rows(**rows: str) -> dict[str, str]:
    """The form of members with one new row."""
    form = {"memberships-TOTAL_FORMS": "1", "memberships-0-role": "viewer"}
    return form | {f"memberships-0-{name}": value for name, value in rows.items()}


def test_an_owner_sees_no_account_that_is_no_member(owner, project):
    User.objects.create_user("somebody-else", email="somebody@example.org")
    html = owner.get(f"{PROJECTS}{project.pk}/change/").content.decode()
    assert "owner-of-first" in html
    assert "somebody" not in html
    assert (
        owner.get("/admin/autocomplete/?app_label=projects&model_name=projectmembership&field_name=user").status_code
        == 403
    )


def test_a_user_name_that_nobody_has_is_said(owner, project):
    page = owner.post(f"{PROJECTS}{project.pk}/change/", project_form(project, **member_rows(user="nobody")))
    assert "No account has this user name" in page.content.decode()


def test_nobody_is_a_member_twice(owner, project):
    User.objects.create_user("ana")
    url = f"{PROJECTS}{project.pk}/change/"
    assert owner.post(url, project_form(project, **member_rows(user="ana"))).status_code == 302
    page = owner.post(url, project_form(project, **member_rows(user="ana")))
    assert "Is a member already" in page.content.decode()
    assert project.memberships.filter(user__username="ana").count() == 1


def existing_rows(membership: ProjectMembership, **changes: str) -> dict[str, str]:
    row = {"id": str(membership.pk), "project": str(membership.project_id), "role": membership.role} | changes
    form = {"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "1"}
    return form | {f"memberships-0-{name}": value for name, value in row.items()}


def test_a_change_of_the_project_gives_nobody_the_flag_back(owner, project):
    ana = User.objects.create_user("ana", is_staff=False)
    membership = ProjectMembership.objects.create(project=project, user=ana, role="editor")
    url = f"{PROJECTS}{project.pk}/change/"
    for changes in ({"name": "Renamed"}, existing_rows(membership, role="viewer")):
        assert owner.post(url, project_form(project, **changes)).status_code == 302
    ana.refresh_from_db()
    membership.refresh_from_db()
    assert (membership.role, ana.is_staff) == ("viewer", False)


def test_whose_membership_it_is_can_not_be_changed(owner, project):
    ana, bo = User.objects.create_user("ana"), User.objects.create_user("bo")
    membership = ProjectMembership.objects.create(project=project, user=ana)
    owner.post(f"{PROJECTS}{project.pk}/change/", project_form(project, **existing_rows(membership, user="bo")))
    assert not bo.project_memberships.exists()
    assert ana.project_memberships.exists()


def test_accounts_are_called_so_on_every_page(admin_client, admin_user):
    for path in ("", "add/", f"{admin_user.pk}/change/", f"{admin_user.pk}/delete/", f"{admin_user.pk}/password/"):
        html = admin_client.get(f"/admin/auth/user/{path}").content.decode()
        assert re.search(r"<h1[^>]*>[^<]*[Aa]ccount|<title>[^<]*[Aa]ccount|Accounts", html), path
        assert not re.search(r"<h1[^>]*>[^<]*\busers?\b", html, re.IGNORECASE), path


def test_the_page_of_an_account_shows_nothing_of_its_passwords_hash(admin_client):
    ana = User.objects.create_user("ana", password="a long one")
    html = admin_client.get(f"/admin/auth/user/{ana.pk}/change/").content.decode()
    algorithm, iterations, salt, digest = ana.password.split("$")
    for part in (algorithm, iterations, salt[:3] + "*", digest[:6]):
        assert part not in html
    assert "Set." in html
    assert "../password/" in html


def test_a_new_account_may_sign_in(admin_client):
    form = {"username": "ana", "password1": "correct horse", "password2": "correct horse"}
    assert admin_client.post("/admin/auth/user/add/", form).status_code == 302
    client = Client()
    client.post("/admin/login/", {"username": "ana", "password": "correct horse"})
    assert "You are not a member of a project yet" in client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    "field",
    ["mlflow_experiment_id", "rate_limit_spans", "rate_limit_requests", "daily_quota_spans", "daily_quota_bytes"],
)
def test_limits_and_the_experiment_are_set_by_superusers_only(owner, admin_client, project, field):
    page = f"{PROJECTS}{project.pk}/change/"
    assert f'name="{field}"' not in owner.get(page).content.decode()
    assert owner.post(page, project_form(project, **{field: "17", "name": "Renamed"})).status_code == 302
    project.refresh_from_db()
    assert project.name == "Renamed"
    assert getattr(project, field) in (None, "")
    assert admin_client.post(page, project_form(project, **{field: "17"})).status_code == 302
    project.refresh_from_db()
    assert str(getattr(project, field)) == "17"


@pytest.mark.parametrize("experiment_id", ["7\r\nX: y", "../7", "7/8", "٧", "+7", "07", "1" * 19, "name"])
def test_an_experiment_is_a_number(admin_client, project, experiment_id):
    response = admin_client.post(
        f"{PROJECTS}{project.pk}/change/", project_form(project, mlflow_experiment_id=experiment_id)
    )
    assert "A number, as MLflow shows it." in response.content.decode()
    project.refresh_from_db()
    assert project.mlflow_experiment_id == ""


@pytest.mark.parametrize("experiment_id", ["0", "7", "123456789012345678"])
def test_an_experiment_may_be_any_number_of_mlflows(admin_client, project, experiment_id):
    form = project_form(project, mlflow_experiment_id=experiment_id)
    assert admin_client.post(f"{PROJECTS}{project.pk}/change/", form).status_code == 302
    project.refresh_from_db()
    assert project.mlflow_experiment_id == experiment_id
