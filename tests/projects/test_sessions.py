"""Taking a right away works at once, for every kind of right and every door."""

import time

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client

from projects import sessions
from projects.models import ProjectMembership
from tests.builders import export_request, span
from traces.otlp.receiver import export

Role = ProjectMembership.Role
DOORS = ("/admin/traces/trace/", "/v1/traces", "/system")


@pytest.fixture
def ana(project):
    export(export_request(span("secret prompt")), project)
    user = User.objects.create_user("ana", password="a long one", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role=Role.OWNER)
    return user


@pytest.fixture
def browser(ana):
    client = Client()
    client.force_login(ana)
    assert statuses(client) == [200, 200, 200]
    return client


def statuses(client: Client) -> list[int]:
    return [client.get(path).status_code for path in DOORS]


def taking(name, user):
    membership = ProjectMembership.objects.filter(user=user)
    if name == "account":
        user.delete()
    elif name == "membership":
        membership.get().delete()
    elif name == "memberships at once":
        membership.delete()
    elif name == "role":
        row = membership.get()
        row.role = Role.VIEWER
        row.save()
    elif name == "password":
        user.set_password("another one")
        user.save()
    else:
        setattr(user, name, False)
        user.save()


@pytest.mark.parametrize(
    "name",
    ["is_staff", "is_active", "membership", "memberships at once", "role", "password", "account"],
)
def test_what_is_taken_away_ends_the_session_at_every_door(ana, browser, name):
    taking(name, ana)
    assert statuses(browser) == [302, 401, 401]


def test_a_superuser_who_is_none_any_more_signs_in_again(browser, ana):
    ana.is_superuser = True
    ana.save()
    assert statuses(browser) == [200, 200, 200]
    taking("is_superuser", ana)
    assert statuses(browser) == [302, 401, 401]


def test_a_right_that_is_given_back_gives_no_session_back(browser, ana):
    taking("is_staff", ana)
    ana.is_staff = True
    ana.save()
    assert statuses(browser) == [302, 401, 401]
    browser.force_login(ana)
    assert statuses(browser) == [200, 200, 200]


def test_without_the_flag_nothing_is_read_even_where_no_signal_told_of_it(browser):
    User.objects.filter(username="ana").update(is_staff=False)
    assert statuses(browser) == [302, 401, 401]


def test_more_rights_and_other_changes_leave_the_session(browser, ana, project):
    ana.email = "ana@example.org"
    ana.save()
    membership = ProjectMembership.objects.get(user=ana)
    membership.role = Role.OWNER
    membership.save()
    assert statuses(browser) == [200, 200, 200]


def test_another_persons_rights_leave_the_session(browser, project):
    other = User.objects.create_user("bo", is_staff=True)
    ProjectMembership.objects.create(project=project, user=other).delete()
    assert statuses(browser) == [200, 200, 200]


def age(client: Client, name: str, seconds: float) -> None:
    session = client.session
    session[name] = time.time() - seconds
    session.save()


def test_a_session_ends_when_it_was_not_used(browser, settings):
    age(browser, sessions.SEEN, settings.SESSION_IDLE_MINUTES * 60 - 5)
    assert browser.get("/v1/traces").status_code == 200
    age(browser, sessions.SEEN, settings.SESSION_IDLE_MINUTES * 60 + 5)
    assert statuses(browser) == [302, 401, 401]


def test_a_session_that_is_used_ends_too(browser, settings):
    age(browser, sessions.STARTED, settings.SESSION_MAX_HOURS * 3600 + 5)
    assert statuses(browser) == [302, 401, 401]


def test_the_use_of_a_session_is_written_now_and_then_only(browser, settings, django_assert_num_queries):
    age(browser, sessions.SEEN, settings.SESSION_IDLE_MINUTES * 60 / 2)
    before = browser.session[sessions.SEEN]
    browser.get("/system")
    assert browser.session[sessions.SEEN] > before
    with django_assert_num_queries(2):  # the session and the account
        browser.get("/system")


def test_a_database_that_takes_no_writes_lets_people_read_on(browser, settings, monkeypatch):
    from django.contrib.sessions.backends.db import SessionStore

    age(browser, sessions.SEEN, settings.SESSION_IDLE_MINUTES * 60 / 2)

    def refuse(*_, **__):
        raise DatabaseError("read-only")

    monkeypatch.setattr(SessionStore, "save", refuse)
    assert statuses(browser) == [200, 200, 200]


def test_a_session_from_before_stamps_ends(browser):
    session = browser.session
    del session[sessions.STAMP]
    session.save()
    assert statuses(browser) == [302, 401, 401]
