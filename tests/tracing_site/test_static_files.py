"""Static files straight from the packages: kept by browsers for as long as they are what they were, and packed."""

import gzip
import os

import pytest
from django.contrib.staticfiles import finders
from django.templatetags.static import static

from tracing_site import static_files
from tracing_site.static_files import FOREVER

NAME = "tracing_site/components.css"


@pytest.fixture
def address():
    return static(NAME)


def test_an_address_ends_in_a_stamp_of_the_content_and_is_kept_for_good(client, address):
    assert address.startswith(f"/static/{NAME}?v=")
    assert client.get(address)["Cache-Control"] == FOREVER


@pytest.mark.parametrize("stamp", ["", "?v=", "?v=000000000000", "?other=1"])
def test_without_the_present_stamp_it_is_asked_for_again_after_a_minute(client, stamp):
    assert client.get(f"/static/{NAME}{stamp}")["Cache-Control"] == "max-age=60, public"


def test_texts_are_packed_for_who_takes_that(client, address):
    plain = client.get(address)
    packed = client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) * 3 < len(plain.content)
    assert int(packed["Content-Length"]) == len(packed.content)
    assert plain["Vary"] == packed["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain


def test_pictures_are_not_packed(client):
    answer = client.get("/static/rest_framework/img/grid.png", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer


def test_what_is_not_there_has_no_stamp():
    assert static("tracing_site/nothing.css") == "/static/tracing_site/nothing.css"


def test_a_file_that_is_changed_has_another_stamp(tmp_path, monkeypatch):
    file = tmp_path / "page.css"
    file.write_text("a {}")
    monkeypatch.setattr(finders, "find", lambda name: str(file))
    static_files._path_of.cache_clear()
    before = static("page.css")
    file.write_text("b {}")
    os.utime(file, ns=(0, os.stat(file).st_mtime_ns + 1))
    assert static("page.css") != before
    static_files._path_of.cache_clear()
