"""GET /v1/audit: who reads which entries, filters, and reading everything once."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from projects.models import ApiKey, AuditEvent, ProjectMembership
from tests.projects.test_admin import member


def key_client(project, **scopes) -> Client:
    return Client(headers={"x-bee-authorization": ApiKey.objects.issue(project, "auditor", **scopes)[1]})


@pytest.fixture
def auditor(project, other_project):
    return key_client(project, can_audit=True, can_read=False)


def projects_in(client: Client) -> set[str | None]:
    return {event["project"] for event in client.get("/v1/audit").json()["results"]}


def test_a_key_with_the_scope_reads_its_projects_entries(auditor):
    assert projects_in(auditor) == {"first"}
    event = auditor.get("/v1/audit").json()["results"][0]
    assert event["action"] == "created"
    assert event["changes"]["name"] == {"before": None, "after": "auditor"}


def test_other_keys_and_lower_roles_do_not(project, api, client):
    assert api.get("/v1/audit").status_code == 403
    assert client.get("/v1/audit").status_code == 401
    for role in ("viewer", "editor"):
        assert member(project, role).get("/v1/audit").status_code == 403
    nobody = Client()
    nobody.force_login(User.objects.create_user("nobody", is_staff=True))
    assert nobody.get("/v1/audit").status_code == 403


def test_owners_read_their_projects_and_superusers_all(project, other_project, admin_client):
    owner = member(project, "owner")
    assert projects_in(owner) == {"first"}
    assert projects_in(member(other_project, "owner")) == {"other"}
    assert projects_in(admin_client) == {"first", "other", None}
    ProjectMembership.objects.filter(user__username="owner-of-first").delete()
    assert owner.get("/v1/audit").status_code == 401


def test_filters(admin_client, project, other_project):
    def names(**query):
        return [event["object_name"] for event in admin_client.get("/v1/audit", query).json()["results"]]

    assert names(project="other", action="created") == ["Other project"]
    assert names(action="signed_in", actor="admin") == ["admin"]
    assert names(**{"from": "2100-01-01"}) == []
    assert names(to="2020-01-01") == []
    for wrong in ({"action": "x"}, {"limit": "101"}, {"cursor": "x"}, {"ordering": "actor"}):
        assert admin_client.get("/v1/audit", wrong).status_code == 400


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_following_next_reads_everything_once(admin_client, project, ordering):
    for number in range(7):
        ApiKey.objects.issue(project, f"key {number}")
    found, cursor = [], ""
    while cursor is not None:
        query = {"limit": 3, "ordering": ordering, "cursor": cursor}
        answer = admin_client.get("/v1/audit", query).json()
        found += [event["id"] for event in answer["results"]]
        cursor = answer["next"]
    expected = AuditEvent.objects.order_by(ordering, "id" if ordering == "created_at" else "-id")
    assert found == [str(pk) for pk in expected.values_list("pk", flat=True)]


def test_a_page_takes_a_fixed_number_of_queries(auditor, project, django_assert_num_queries):
    auditor.get("/v1/audit")
    for _ in range(20):
        project.name += "x"
        project.save()
    with django_assert_num_queries(2):  # the key, the page
        auditor.get("/v1/audit")
