"""Who a request is, and which projects it may see."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from projects.authentication import (
    CanIngest,
    CanRead,
    CanWrite,
    InvalidKey,
    KeyAuthentication,
    editable_projects,
    find_key,
    visible_projects,
)
from projects.models import ApiKey, Project, ProjectMembership

pytestmark = pytest.mark.django_db


def request_of(*, key: ApiKey | None = None, user: Any = None) -> Request:
    request = Request(APIRequestFactory().get("/"))
    request.user = user or AnonymousUser()
    request.auth = key
    return request


@pytest.mark.parametrize("header", ["x-bee-authorization", "authorization"])
def test_a_key_is_found_in_either_header(key: str, header: str) -> None:
    text = key if header != "authorization" else f"Bearer {key}"
    assert find_key({header: text}).project.slug == "first"
    assert find_key({"x-bee-authorization": "", header: text}).project.slug == "first"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic x"}, {"x-bee-authorization": ""}])
def test_without_a_key_the_error_says_how_to_send_one(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidKey, match="x-bee-authorization"):
        find_key(headers)


def test_an_unknown_key_is_invalid(key: str) -> None:
    with pytest.raises(InvalidKey, match="invalid api key"):
        find_key({"x-bee-authorization": key.upper()})


@pytest.mark.parametrize("field", ["revoked_at", "expires_at"])
def test_revoked_and_expired_keys_are_invalid_at_once(key: str, field: str) -> None:
    find_key({"x-bee-authorization": key})
    ApiKey.objects.update(**{field: timezone.now() - timedelta(seconds=1)})
    with pytest.raises(InvalidKey):
        find_key({"x-bee-authorization": key})


def test_finding_a_key_takes_one_query(key: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert find_key({"x-bee-authorization": key}).project.name


def test_drf_gets_the_key_and_notes_its_use(key: str) -> None:
    request = Request(APIRequestFactory().get("/", headers={"X-Bee-Authorization": key}))
    user, auth = KeyAuthentication().authenticate(request) or (None, None)
    assert isinstance(user, AnonymousUser)
    assert auth == ApiKey.objects.get()
    assert ApiKey.objects.get().last_used_at is not None


def test_drf_refuses_a_wrong_key_and_passes_on_without_one(key: str) -> None:
    with pytest.raises(AuthenticationFailed):
        KeyAuthentication().authenticate(Request(APIRequestFactory().get("/", headers={"X-Bee-Authorization": "no"})))
    assert KeyAuthentication().authenticate(Request(APIRequestFactory().get("/"))) is None


@pytest.mark.parametrize(
    ("permission", "scope"), [(CanIngest, "can_ingest"), (CanRead, "can_read"), (CanWrite, "can_write")]
)
def test_a_key_may_do_what_its_scopes_say(project: Project, permission: Any, scope: str) -> None:
    for allowed in (True, False):
        row, _ = ApiKey.objects.issue(project, "k", **{scope: allowed})
        assert permission().has_permission(request_of(key=row), APIView()) is allowed


def test_users_may_read_but_not_ingest() -> None:
    user = User.objects.create_user("reader")
    assert CanRead().has_permission(request_of(user=user), APIView())
    assert not CanIngest().has_permission(request_of(user=user), APIView())
    assert not CanRead().has_permission(request_of(), APIView())


def test_a_key_sees_its_own_project_only(project: Project, other_project: Project, key: str) -> None:
    assert list(visible_projects(request_of(key=find_key({"x-bee-authorization": key})))) == [project]


def test_members_see_their_projects_and_superusers_all(project: Project, other_project: Project) -> None:
    member, stranger = User.objects.create_user("member"), User.objects.create_user("stranger")
    ProjectMembership.objects.create(project=project, user=member)
    assert list(visible_projects(request_of(user=member))) == [project]
    assert list(visible_projects(request_of(user=stranger))) == []
    assert list(visible_projects(request_of())) == []
    superuser = User.objects.create_superuser("root")
    assert set(visible_projects(request_of(user=superuser))) == {project, other_project}


@pytest.mark.parametrize(("role", "editable"), [("viewer", False), ("editor", True), ("owner", True)])
def test_viewers_may_not_delete(project: Project, role: str, editable: bool) -> None:
    user = User.objects.create_user("member")
    ProjectMembership.objects.create(project=project, user=user, role=role)
    assert editable_projects(request_of(user=user)).exists() is editable
