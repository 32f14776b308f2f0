"""What a request costs, and what others notice of somebody who sends it without end."""

import asyncio
import re
import statistics
import subprocess
import sys
import time

import psutil
import pytest
import requests
from django.contrib.auth.models import User

from projects.acquaintances import Acquaintances
from projects.models import hash_key
from tests import servers
from tests.builders import export_request, span
from tests.event_loop import run_apart
from tracing_site.serving.strangers_lane import MAX_REQUESTS_OF_ADDRESS, StrangersLane

CONNECTIONS = 16
# Sends GET to a path without end over so many connections; RND in it is another text each time.
FLOOD = f"""
import http.client, itertools, sys, threading
port, path, header = int(sys.argv[1]), sys.argv[2], sys.argv[3]
def send(number):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for turn in itertools.count():
        try:
            asked, name, value = (text.replace("RND", f"{{number}}-{{turn}}") for text in (path, *header.split(": ")))
            connection.request("GET", asked, headers={{"Accept-Encoding": "gzip", name: value}})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
for number in range({CONNECTIONS}):
    threading.Thread(target=send, args=(number,)).start()
"""
BUNDLE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
# What two busy cores make of any request; below it, three times as long means nothing.
NOISE_SECONDS = 0.03


@pytest.fixture(scope="module")
def site():
    with servers.site() as running:
        send(running, *(span() for _ in range(120)))
        yield running


@pytest.fixture(scope="module")
def viewer(site):
    session = requests.Session()
    form = session.get(f"{site.url}/admin/login/", timeout=20).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
    data = {"username": site.username, "password": site.password, "csrfmiddlewaretoken": token, "next": "/admin/"}
    assert session.post(f"{site.url}/admin/login/", data=data, timeout=20).url.endswith("/admin/")
    return session


def send(site, *spans):
    body = export_request(*spans).SerializeToString()
    headers = site.headers | {"Content-Type": "application/x-protobuf"}
    assert requests.post(f"{site.url}/v1/traces", data=body, headers=headers, timeout=30).ok


def read(site):
    assert requests.get(f"{site.url}/v1/traces?limit=10", headers=site.headers, timeout=30).ok


def median_seconds(call, *arguments):
    taken = []
    for _ in range(25):
        started = time.perf_counter()
        call(*arguments)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


@pytest.mark.parametrize(
    ("path", "header"),
    [
        *((path, "X-Nothing: 1") for path in ("/docs/json?x=RND", "/docs/yaml?x=RND", "/docs", "/RND", BUNDLE)),
        ("/admin/login/?x=RND", "X-Nothing: 1"),
        ("/admin/login/", "Cookie: sessionid=inventedRND"),
        ("/v1/traces", "Authorization: Bearer inventedRND"),
    ],
)
def test_others_hardly_notice_who_asks_without_end(site, path, header):
    alone = median_seconds(send, site, span()), median_seconds(read, site)
    memory = psutil.Process(site.process.pid).memory_info().rss
    flood = subprocess.Popen([sys.executable, "-c", FLOOD, str(site.port), path, header])
    try:
        time.sleep(1)
        meanwhile = median_seconds(send, site, span()), median_seconds(read, site)
    finally:
        flood.kill()
        flood.wait()
    for before, during in zip(alone, meanwhile, strict=True):
        assert during < 3 * max(before, NOISE_SECONDS)
    assert psutil.Process(site.process.pid).memory_info().rss - memory < 50 * 1024 * 1024


def stated():
    """Path, who asks, and milliseconds of CPU, as docs/limits.md says."""
    table = (servers.ROOT / "docs/limits.md").read_text().partition("## What requests cost")[2]
    for paths, who, milliseconds in re.findall(r"^\| (`/.*?) \| (\w+).*? \| ([\d.]+) \|", table, re.M):
        for path in re.findall(r"`(.*?)`", paths):
            yield path, who, float(milliseconds)


@pytest.mark.parametrize(("path", "who", "milliseconds"), stated())
def test_a_request_costs_no_more_than_is_stated(site, viewer, path, who, milliseconds):
    session = viewer if who == "viewer" else requests.Session()
    headers = site.headers if who == "key" else {}
    process = psutil.Process(site.process.pid)
    session.get(site.url + path, headers=headers, timeout=30)
    before = process.cpu_times()
    for _ in range(20):
        session.get(site.url + path, headers=headers, timeout=30)
    after = process.cpu_times()
    taken = (after.user + after.system - before.user - before.system) / 20 * 1000
    assert taken < 3 * milliseconds + 3


def scope(**headers):
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "client": ("10.0.0.1", 1), "headers": fields}


@pytest.fixture
def known(monkeypatch):
    known = Acquaintances()
    for module in (
        "projects.authentication",
        "projects.sessions",
        "tracing_site.serving.strangers_lane",
        "tracing_site.prometheus",
    ):
        monkeypatch.setattr(f"{module}.acquaintances", known)
    return known


def test_a_stranger_is_whose_key_or_session_was_not_let_in_lately(known, monkeypatch):
    lane = StrangersLane(None)
    known.note(hash_key("right"))
    known.note("session-of-hers")
    assert lane.takes(scope())
    assert lane.takes(scope(cookie="csrftoken=x; sessionid=invented"))
    assert lane.takes(scope(authorization="Bearer invented"))
    assert not lane.takes(scope(cookie="csrftoken=x; sessionid=session-of-hers"))
    assert not lane.takes(scope(authorization="Bearer right"))
    assert not lane.takes(scope(x_bee_authorization="right"))
    now = time.monotonic()
    monkeypatch.setattr("projects.acquaintances.time.monotonic", lambda: now + 3601)
    assert lane.takes(scope(authorization="Bearer right"))


def test_keys_sessions_and_the_token_of_the_metrics_become_known(known, client, key, settings):
    lane = StrangersLane(None)
    assert client.get("/v1/traces", headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert not lane.takes(scope(authorization=f"Bearer {key}"))
    assert client.get("/v1/traces", headers={"authorization": "Bearer invented"}).status_code == 401
    assert lane.takes(scope(authorization="Bearer invented"))
    settings.METRICS_TOKEN = "a-token-for-prometheus"
    assert client.get("/metrics", headers={"authorization": "Bearer a-token-for-prometheus"}).status_code == 200
    assert not lane.takes(scope(authorization="Bearer a-token-for-prometheus"))
    client.force_login(User.objects.create_superuser("somebody"))
    session = client.cookies["sessionid"].value
    assert lane.takes(scope(cookie=f"sessionid={session}"))
    assert client.get("/admin/").status_code == 200
    assert not lane.takes(scope(cookie=f"sessionid={session}"))


def test_only_so_many_are_remembered(known, monkeypatch):
    monkeypatch.setattr("projects.acquaintances.REMEMBERED", 3)
    for number in (1, 2, 3, 1, 4):
        known.note(str(number))
    assert [number for number in range(1, 5) if known.knows(str(number))] == [1, 3, 4]


def test_more_strangers_than_may_wait_are_asked_to_come_back(monkeypatch):
    lane = StrangersLane(None)
    begun, answers = [], []

    async def run():
        gone = asyncio.Event()

        async def site(*arguments):
            begun.append(arguments)
            await gone.wait()

        async def send(message):
            answers.append(message)

        monkeypatch.setattr(lane, "site", site)
        waiting = [asyncio.create_task(lane(scope(), None, send)) for _ in range(MAX_REQUESTS_OF_ADDRESS)]
        await asyncio.sleep(0)
        await lane(scope(), None, send)
        other = asyncio.create_task(lane(scope() | {"client": ("10.0.0.2", 1)}, None, send))
        await asyncio.sleep(0)
        gone.set()
        await asyncio.gather(*waiting, other)

    run_apart(run())
    assert len(begun) == MAX_REQUESTS_OF_ADDRESS + 1
    assert [answer.get("status") for answer in answers] == [503, None]
    assert (b"retry-after", b"2") in answers[0]["headers"]
    assert not lane.taken
