"""Guessing passwords is slow, for every form that asks for one, and nobody is locked out from elsewhere."""

import os
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from projects.origin import network_of
from projects.throttle import throttle

LOGIN = "/admin/login/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _nothing_failed_before():
    throttle.clear()
    yield
    throttle.clear()


@pytest.fixture
def ana(db):
    return User.objects.create_user("ana", password=PASSWORD, is_staff=True)


@pytest.fixture(autouse=True)
def _quick_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def sign_in(name: str, password: str, address: str = "192.0.2.1", client: Client | None = None, **headers: str):
    form = {"username": name, "password": password}
    return (client or Client()).post(LOGIN, form, REMOTE_ADDR=address, headers=headers)


def fail(times: int, name: str = "ana", address: str = "192.0.2.1") -> list[int]:
    return [sign_in(name, f"wrong {number}", address).status_code for number in range(times)]


def test_after_some_wrong_passwords_even_the_right_one_waits(ana, settings):
    assert fail(settings.LOGIN_FAILURES + 2) == [200] * settings.LOGIN_FAILURES + [429] * 2
    answer = sign_in("ana", PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= settings.LOGIN_FAILURE_MINUTES * 60
    assert answer.headers["Cache-Control"] == "no-store"
    html = answer.content.decode()
    assert "Try again in 15 minutes" in html
    assert "site-nav" not in html


def test_nobody_is_locked_out_from_elsewhere(ana):
    fail(40)
    assert sign_in("ana", PASSWORD, "192.0.2.2").status_code == 302


def test_one_address_gets_so_many_tries_at_all_accounts(ana, settings):
    statuses = [sign_in(f"name-{number}", "x").status_code for number in range(settings.LOGIN_FAILURES_OF_ADDRESS + 1)]
    assert statuses == [200] * settings.LOGIN_FAILURES_OF_ADDRESS + [429]
    assert sign_in("ana", PASSWORD).status_code == 429


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "198.51.100.7"}, {"Forwarded": "for=198.51.100.7"}])
def test_a_header_of_the_client_is_no_other_address(ana, settings, headers):
    fail(settings.LOGIN_FAILURES)
    assert sign_in("ana", PASSWORD, **headers).status_code == 429


def test_cookies_and_user_agents_buy_no_more_tries(ana, settings):
    client = Client()
    for number in range(settings.LOGIN_FAILURES):
        sign_in("ana", "wrong", client=client if number % 2 else Client(), **{"User-Agent": str(number)})
    assert sign_in("ana", PASSWORD, client=client).status_code == 429


def test_spaces_around_a_name_buy_no_more_tries(ana, settings):
    for number in range(settings.LOGIN_FAILURES):
        sign_in(" " * number + "ana", "wrong")
    assert sign_in("ana", PASSWORD).status_code == 429


def test_one_ipv6_network_is_one_client(ana, settings):
    for number in range(settings.LOGIN_FAILURES):
        sign_in("ana", "wrong", f"2001:db8::{number + 1:x}")
    assert sign_in("ana", PASSWORD, "2001:db8::ffff").status_code == 429
    assert sign_in("ana", PASSWORD, "2001:db8:0:1::1").status_code == 302
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_the_right_password_ends_the_count_of_the_account_only(ana, settings):
    User.objects.create_user("bo", password=PASSWORD, is_staff=True)
    fail(settings.LOGIN_FAILURES - 1)
    assert sign_in("bo", PASSWORD).status_code == 302
    fail(1)
    assert sign_in("ana", PASSWORD).status_code == 429
    throttle.clear()
    fail(settings.LOGIN_FAILURES - 1)
    assert sign_in("ana", PASSWORD).status_code == 302
    assert fail(settings.LOGIN_FAILURES - 1)[-1] == 200


def test_a_name_is_not_told_from_one_that_nobody_has(ana):
    known, unknown = (sign_in(name, "wrong").content.decode() for name in ("ana", "bob"))
    assert "The user name or the password is wrong" in known
    assert "changepassword" in known
    assert known.count("errornote") == unknown.count("errornote") == 1


def test_a_refused_try_costs_no_query_and_no_hash(ana, settings, monkeypatch):
    fail(settings.LOGIN_FAILURES)
    monkeypatch.setattr(User, "check_password", lambda *_: pytest.fail("a hash was made"))
    with CaptureQueriesContext(connection) as captured:
        assert sign_in("ana", PASSWORD).status_code == 429
    assert len(captured) == 0


def test_an_account_without_the_flag_is_told_what_to_do(ana):
    ana.is_staff = False
    ana.save()
    html = sign_in("ana", PASSWORD).content.decode()
    assert "may not sign in yet" in html
    assert "makes it a member" in html
    assert "may not sign in yet" not in sign_in("ana", "wrong").content.decode()


def test_an_account_that_is_not_active_does_not_sign_in(ana):
    ana.is_active = False
    ana.save()
    assert "or the account is closed" in sign_in("ana", PASSWORD).content.decode()


def test_a_stolen_session_is_no_way_to_guess_the_password(ana, settings):
    client = Client()
    client.force_login(ana)

    def change(old: str) -> str:
        form = {"old_password": old, "new_password1": "another horse", "new_password2": "another horse"}
        answer = client.post("/admin/password_change/", form, REMOTE_ADDR="192.0.2.1")
        return answer.content.decode() if answer.status_code == 200 else answer.headers["Location"]

    for _ in range(settings.LOGIN_FAILURES):
        assert "entered incorrectly" in change("wrong")
    assert "Too many wrong passwords" in change(PASSWORD)
    throttle.clear()
    assert change(PASSWORD) == "/admin/password_change/done/"


def test_without_redis_each_process_counts_for_itself(ana, settings, caplog):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    throttle.__dict__.pop("_shared", None)
    assert fail(settings.LOGIN_FAILURES + 1)[-1] == 429
    assert "without Redis" in caplog.text
    throttle.__dict__.pop("_shared", None)


def test_redis_shares_the_counts(ana, settings, redis_url):
    settings.REDIS_URL = redis_url
    throttle.__dict__.pop("_shared", None)
    fail(settings.LOGIN_FAILURES)
    throttle.clear()
    assert sign_in("ana", PASSWORD).status_code == 429
    throttle.__dict__.pop("_shared", None)


@pytest.mark.parametrize("password", ["a_viewer1", "A_Viewer2024", "a_viewer12345678", "1reweiv_a", "83749283749283"])
def test_a_password_like_the_user_name_is_refused_at_every_door(admin_client, password):
    form = {"username": "a_viewer", "password1": password, "password2": password}
    assert admin_client.post("/admin/auth/user/add/", form).status_code == 200
    assert not User.objects.filter(username="a_viewer").exists()
    user = User.objects.create_user("a_viewer", password=PASSWORD, is_staff=True)
    form = {"usable_password": "true", "password1": password, "password2": password}
    assert admin_client.post(f"/admin/auth/user/{user.pk}/password/", form).status_code == 200
    client = Client()
    client.force_login(user)
    form = {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
    assert client.post("/admin/password_change/", form).status_code == 200
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.django_db
def test_createsuperuser_takes_no_such_password_either(monkeypatch):
    command = ("createsuperuser", "--noinput", "--username", "a_viewer", "--email", "x@example.org")
    monkeypatch.setitem(os.environ, "DJANGO_SUPERUSER_PASSWORD", "a_viewer1")
    with pytest.raises(CommandError, match="too similar to the username"):
        call_command(*command)
    assert not User.objects.exists()
    monkeypatch.setitem(os.environ, "DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command(*command, stdout=StringIO())
    assert User.objects.get().check_password(PASSWORD)
