"""Who sees and deletes what: the owner, a member, a stranger, and keys without a scope."""

import base64

import pytest
from django.contrib.auth.models import User
from django.test import Client

from projects.models import ApiKey, Project, ProjectMembership
from spans.models import Span
from tests.builders import new_trace_id, span
from traces.models import Trace

Role = ProjectMembership.Role


@pytest.fixture
def trace_id(store) -> str:
    made = new_trace_id()
    store(span("root", trace_id=made, span_id="a" * 16), span("child", trace_id=made, parent_span_id="a" * 16))
    return made


def member(project: Project, role: str) -> Client:
    user = User.objects.create_user(f"{role}-{project.slug}", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def urls(trace_id: str) -> list[str]:
    return [
        f"/v1/traces/{trace_id}",
        f"/v1/traces/{trace_id}/spans/{'a' * 16}",
        f"/v1/traces/{trace_id}/otlp",
    ]


def sees(client: Client, trace_id: str) -> set[bool]:
    """Whether each reading endpoint shows the trace."""
    found = {client.get(url).status_code == 200 for url in urls(trace_id)}
    lists = ["/v1/traces", "/v1/spans", f"/v1/spans?trace_id={trace_id}", f"/v1/traces/{trace_id}/spans"]
    return found | {bool(client.get(url).json()["results"]) for url in lists}


def test_a_key_reads_its_own_project(api, trace_id):
    assert sees(api, trace_id) == {True}


def test_another_projects_key_sees_nothing(stranger, trace_id):
    assert sees(stranger, trace_id) == {False}


@pytest.mark.parametrize("role", list(Role))
def test_members_read_their_project(project, other_project, trace_id, role):
    assert sees(member(project, role), trace_id) == {True}
    assert sees(member(other_project, role), trace_id) == {False}


def test_a_user_without_membership_sees_nothing(trace_id):
    client = Client()
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert sees(client, trace_id) == {False}


def test_a_superuser_sees_all_projects(trace_id, other_project):
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    assert sees(client, trace_id) == {True}


def test_a_proxys_basic_authentication_does_not_shut_out_who_is_logged_in(project, trace_id):
    proxy = {"authorization": f"Basic {base64.b64encode(b'proxy:secret').decode()}"}
    assert member(project, Role.VIEWER).get("/v1/traces", headers=proxy).status_code == 200
    answer = Client().get("/v1/traces", headers=proxy)
    assert (answer.status_code, answer.json()["message"]) == (401, "invalid api key")
    assert answer.json()["reason"] == "No key of this server has this text"


@pytest.mark.parametrize("fields", [{"can_read": False}])
def test_a_key_without_the_scope_to_read_is_refused(project, trace_id, fields):
    text = ApiKey.objects.issue(project, "sender", **fields)[1]
    client = Client(headers={"x-bee-authorization": text})
    for url in [*urls(trace_id), "/v1/traces", "/v1/spans", "/system"]:
        response = client.get(url)
        assert (response.status_code, response.json()["code"]) == (403, "PERMISSION_DENIED")
        assert "read" in response.json()["message"]


def delete(client: Client, trace_id: str) -> tuple[int, int]:
    """The statuses of both ways to delete."""
    one = client.delete(f"/v1/traces/{trace_id}").status_code
    many = client.post("/v1/traces/delete", {"ids": [trace_id]}, content_type="application/json")
    return one, many.json().get("deleted", many.status_code)


def test_a_stranger_deletes_nothing(stranger, other_project, trace_id):
    assert delete(stranger, trace_id) == (404, 0)
    assert delete(member(other_project, Role.OWNER), trace_id) == (404, 0)
    assert (Trace.objects.count(), Span.objects.count()) == (1, 2)


def test_a_key_without_the_scope_to_write_deletes_nothing(project, trace_id):
    text = ApiKey.objects.issue(project, "reader", can_write=False)[1]
    assert delete(Client(headers={"x-bee-authorization": text}), trace_id) == (403, 403)
    assert Trace.objects.count() == 1


def test_a_viewer_deletes_nothing_and_an_editor_does(project, trace_id):
    assert delete(member(project, Role.VIEWER), trace_id) == (403, 0)
    assert Trace.objects.count() == 1
    assert delete(member(project, Role.EDITOR), trace_id) == (204, 0)
    assert (Trace.objects.count(), Span.objects.count()) == (0, 0)


def test_a_session_deletes_only_with_a_csrf_token(project, trace_id):
    client = member(project, Role.EDITOR)
    client.handler.enforce_csrf_checks = True
    assert client.delete(f"/v1/traces/{trace_id}").status_code == 403
    assert Trace.objects.count() == 1
