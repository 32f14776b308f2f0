"""The page on which a reader chooses a client and gets what to install, set and run."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from projects.models import ApiKey
from tracing_site.client_guides import guides
from tracing_site.management.commands.serve import banner
from tracing_site.serving.first_start import FirstStart

PATH = "/admin/send/"


def blocks(html):
    return [unescape(block) for block in re.findall(r"<pre>(.*?)</pre>", html, re.DOTALL)]


def offered(html):
    return re.findall(r'<button name="client" value="([^"]+)"', html)


@pytest.mark.parametrize("path", ["", "traces/trace/", "send/"])
def test_every_client_can_be_chosen(admin_client, project, path):
    assert offered(admin_client.get(f"/admin/{path}").content.decode()) == list(guides())


@pytest.mark.parametrize("slug", list(guides()))
def test_a_link_leads_to_a_client_with_the_readers_address(admin_client, slug, settings):
    settings.GRPC_PORT = 14317
    answer = admin_client.get(f"{PATH}?client={slug}", headers={"host": "localhost:9000"})
    html = answer.content.decode()
    assert f'value="{slug}" aria-current="true"' in html
    assert len(blocks(html)) == len(guides()[slug].fences)
    code = "\n".join(blocks(html))
    assert "YOUR-API-KEY" in code
    assert "http://localhost:9000" in code or "http://localhost:14317" in code
    assert "127.0.0.1:8000" not in code
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_key_is_filled_in_and_goes_along_to_the_next_client_in_no_address(admin_client):
    html = admin_client.post(PATH, {"client": "litellm", "key": " llmt_mine "}).content.decode()
    assert "x-bee-authorization=llmt_mine" in "\n".join(blocks(html))
    assert "YOUR-API-KEY" not in html
    assert re.search(r'<form class="client-choice"[^>]*method="post"', html)
    assert '<input type="hidden" name="key" value="llmt_mine">' in html
    assert "llmt_mine" not in admin_client.get(f"{PATH}?client=litellm&key=llmt_mine").content.decode()


def test_a_key_is_escaped_for_the_page_and_encoded_for_the_variable(admin_client):
    html = admin_client.post(PATH, {"key": '"><script>a b'}).content.decode()
    assert "<script>a" not in html
    assert "x-bee-authorization=%22%3E%3Cscript%3Ea%20b" in "\n".join(blocks(html))


def test_an_unknown_client_gets_what_holds_for_any(admin_client):
    assert "Any OpenTelemetry SDK</h2>" in admin_client.get(f"{PATH}?client=../settings").content.decode()


def test_the_page_of_a_new_key_has_it_filled_in_for_the_client_that_was_chosen(admin_client, project):
    form = {"project": project.pk, "name": "mine", "can_ingest": "on"}
    html = admin_client.post("/admin/projects/apikey/add/?client=langfuse", form).content.decode()
    key = re.search(r'id="key-text">([^<]+)<', html)[1]
    assert ApiKey.objects.lookup(key) is not None
    assert f"LANGFUSE_SECRET_KEY={key}" in "\n".join(blocks(html))
    assert 'value="langfuse" aria-current="true"' in html


def test_strangers_do_not_see_the_page(db):
    assert Client().get(PATH).status_code == 302
    client = Client()
    client.force_login(User.objects.create_user("ana"))
    assert client.get(PATH).status_code == 302


def test_the_terminal_prints_what_the_page_says(admin_client, settings):
    settings.HOST, settings.PORT, settings.GRPC_PORT, settings.AUTH_KEY = "127.0.0.1", 8000, 4317, ""
    printed = banner(FirstStart(new_password=None, new_key="llmt_mine"))
    page = admin_client.post(PATH, {"key": "llmt_mine"}, headers={"host": "127.0.0.1:8000"}).content.decode()
    for line in blocks(page)[0].splitlines():
        assert f"  {line}\n" in printed
    assert "http://127.0.0.1:8000/admin/send/" in printed
