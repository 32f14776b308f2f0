"""What every page tells browsers, and that no page repeats a host that its sender made up."""

import re

import pytest
import requests
from django.contrib.auth.models import User
from django.http.response import ResponseHeaders as Headers
from django.test import Client

from tests import servers
from tests.event_loop import run_apart
from tracing_site.serving.password_lane import PasswordLane

ANYBODYS = [
    "/",
    "/admin/",
    "/admin/login/",
    "/admin/nothing/",
    "/admin-nothing",
    "/docs",
    "/docs/",
    "/docs/redoc",
    "/docs/json",
    "/docs/yaml",
    "/health",
    "/readyz",
    "/nothing",
    "/v1/traces",
    "/system",
    "/static/tracing_site/components.css",
    "/static/nothing.css",
]
SIGNED_IN = ["/admin/", "/admin/traces/trace/", "/admin/projects/project/add/", "/admin/nothing/", "/admin/logout/"]
FOREIGN = "evil.example.com"


def check_headers(headers):
    policy = dict(directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert {policy[name] for name in ("object-src", "base-uri", "frame-ancestors")} == {"'none'"}
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "*" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ANYBODYS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_answer_of_the_site_has_the_strict_policy(db, path, method):
    check_headers(getattr(Client(enforce_csrf_checks=True, raise_request_exception=False), method)(path).headers)


@pytest.mark.parametrize("path", SIGNED_IN)
def test_pages_of_the_admin_have_it_too(admin_client, path):
    check_headers(admin_client.get(path).headers)


def test_a_page_that_fails_has_it_too(admin_client, monkeypatch):
    monkeypatch.setattr("tracing_site.home.summary", lambda request: 1 / 0)
    admin_client.raise_request_exception = False
    response = admin_client.get("/admin/")
    assert response.status_code == 500
    check_headers(response.headers)


@pytest.mark.parametrize("path", ["/docs", "/docs/redoc", "/admin/login/", "/admin/nothing/"])
def test_pages_for_anybody_have_nothing_inline(client, db, path):
    html = client.get(path).content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son[a-z]+=", html)


def test_the_document_is_made_once_whatever_the_query(client, monkeypatch):
    first, _ = client.get("/docs/json").content, client.get("/docs/yaml")
    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.get_schema", None)
    for number, path in enumerate(["/docs/json", "/docs/yaml", "/docs", "/docs/redoc"] * 3):
        query = {f"x{number}": number, "lang": "de", "version": str(number), "format": "yaml"}
        headers = {"accept": f"text/x{number}", "accept-language": "de", "cookie": f"sessionid=x{number}"}
        assert client.get(path, query, headers=headers).status_code == 200
    assert client.get("/docs/json", {"x": "y"}).content == first


def test_the_page_of_a_busy_server_has_it_too():
    messages = []

    async def send(message):
        messages.append(message)

    lane = PasswordLane(None)
    run_apart(lane.refuse(send))
    check_headers(Headers({name.decode(): value.decode() for name, value in messages[0]["headers"]}))
    assert b"<style" not in messages[1]["body"]


@pytest.fixture
def unknown_host(settings):
    settings.ALLOWED_HOSTS = ["*"]


@pytest.mark.parametrize("path", ["/admin/", "/admin/traces/trace/", "/admin/projects/apikey/", "/admin/nothing/"])
def test_a_senders_host_is_on_no_page(admin_client, unknown_host, path):
    response = admin_client.get(path, headers={"host": FOREIGN})
    assert FOREIGN not in response.content.decode()


def test_where_the_address_is_not_known_the_browser_names_it(admin_client, unknown_host):
    html = admin_client.get("/admin/traces/trace/", headers={"host": FOREIGN}).content.decode()
    assert '<meta name="guessed-address" content="http://127.0.0.1:8000">' in html


@pytest.mark.parametrize(
    ("host", "allowed", "public", "shown"),
    [
        ("localhost:9000", ["*"], "", "http://localhost:9000"),
        ("127.0.0.1:8000", ["*"], "", "http://127.0.0.1:8000"),
        ("[::1]:8000", ["*"], "", "http://[::1]:8000"),
        ("traces.lan", ["traces.lan"], "", "http://traces.lan"),
        ("a.traces.lan:80", ["*", ".traces.lan"], "", "http://a.traces.lan:80"),
        (FOREIGN, ["*"], "https://traces.example.org", "https://traces.example.org"),
    ],
)
def test_known_addresses_are_shown(admin_client, settings, host, allowed, public, shown):
    settings.ALLOWED_HOSTS, settings.PUBLIC_URL = allowed, public
    html = admin_client.get("/admin/traces/trace/", headers={"host": host}).content.decode()
    assert f"curl {shown}/v1/traces" in html


@pytest.mark.parametrize(
    "target", [f"https://{FOREIGN}/x", f"//{FOREIGN}/x", f"http://{FOREIGN}", f"http://{FOREIGN}//b.c"]
)
def test_no_redirect_leads_to_a_senders_host(unknown_host, db, target):
    User.objects.create_superuser("somebody", password="a-good-passphrase")
    form = {"username": "somebody", "password": "a-good-passphrase", "next": target}
    response = Client().post("/admin/login/", form, headers={"host": FOREIGN})
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/")
    assert not response.headers["Location"].startswith("//")


def test_a_redirect_to_https_leads_to_the_public_address(tmp_path):
    with servers.site(data_dir=tmp_path, PUBLIC_URL="https://traces.example.org") as site:
        for path in ("/admin/login/", "/docs", "/nothing?x=1"):
            answer = requests.get(site.url + path, headers={"Host": FOREIGN}, allow_redirects=False, timeout=10)
            assert answer.headers["Location"] == f"https://traces.example.org{path}"
