"""ALLOWED_HOSTS of an ordinary installation: the name that the world has for it, and nothing else."""

import pytest
import requests

from tests import servers


@pytest.fixture(scope="module")
def site():
    with servers.site(ALLOWED_HOSTS="traces.example.org") as running:
        yield running


def status(site, path, host):
    return requests.get(site.url + path, headers={"Host": host}, timeout=20).status_code


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "10.1.2.3:8000", "web:8000"])
@pytest.mark.parametrize("path", ["/health", "/readyz"])
def test_a_probe_may_ask_by_any_name(site, path, host):
    assert status(site, path, host) == 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [("traces.example.org", 200), ("localhost:8000", 200), ("[::1]:8000", 200), ("evil.example", 400)],
)
def test_pages_answer_to_its_names_and_to_the_machines_own(site, host, expected):
    assert status(site, "/docs", host) == expected


def test_whoever_asks_by_other_names_does_not_fill_the_log(site):
    before = site.log.count("ALLOWED_HOSTS")
    for number in range(20):
        assert status(site, "/docs", f"evil{number}.example") == 400
    text = site.log
    assert text.count("ALLOWED_HOSTS") - before <= 1
    assert "handlers/exception.py" not in text
