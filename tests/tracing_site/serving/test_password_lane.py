"""Requests that hash passwords have two threads of their own, and a bound on how many wait for them."""

import asyncio
import threading

import pytest
from django.urls import get_resolver

from tests.event_loop import run_apart
from tracing_site.serving.password_lane import MAX_REQUESTS, MAX_REQUESTS_OF_ADDRESS, PASSWORD_THREADS, PasswordLane


class SlowSite:
    """A WSGI application that waits until it is let go, and counts how many do so at once."""

    def __init__(self) -> None:
        self.gate, self.lock = threading.Event(), threading.Lock()
        self.now = self.most = 0

    def __call__(self, environ, start_response):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.gate.wait(5)
        with self.lock:
            self.now -= 1
        start_response("200 OK", [("content-length", "2")])
        return [b"ok"]


def scope(address="192.0.2.1", path="/admin/login/", method="POST"):
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-length", b"0")],
        "client": (address, 1),
        "server": ("localhost", 80),
    }


async def ask(lane, address):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await lane(scope(address), receive, send)
    return sent


async def flood(lane, site, addresses):
    """The answers to a request from each address, all at once."""
    tasks = [asyncio.create_task(ask(lane, address)) for address in addresses]
    await asyncio.sleep(0.3)
    site.gate.set()
    return [answers[0] for answers in await asyncio.gather(*tasks)]


@pytest.mark.parametrize(
    ("addresses", "let_in"),
    [
        ([f"192.0.2.{number}" for number in range(30)], MAX_REQUESTS),
        (["192.0.2.1"] * 30, MAX_REQUESTS_OF_ADDRESS),
    ],
)
def test_only_two_are_worked_on_and_only_some_wait(addresses, let_in):
    site = SlowSite()
    lane = PasswordLane(site)
    answers = run_apart(flood(lane, site, addresses))
    assert site.most == PASSWORD_THREADS
    statuses = [answer["status"] for answer in answers]
    assert statuses.count(200) == let_in
    refused = dict(next(answer for answer in answers if answer["status"] == 503)["headers"])
    assert int(refused[b"retry-after"]) > 0
    assert not lane.taken
    lane.shutdown()


def test_one_address_leaves_room_for_others():
    site = SlowSite()
    lane = PasswordLane(site)
    answers = run_apart(flood(lane, site, ["192.0.2.1"] * 30 + ["192.0.2.2"]))
    assert answers[-1]["status"] == 200
    lane.shutdown()


def test_every_form_with_a_password_is_taken_and_nothing_else():
    lane = PasswordLane(SlowSite())
    for path in ("/admin/login/", "/admin/password_change/", "/admin/auth/user/add/", "/admin/auth/user/1/password/"):
        assert lane.takes(scope(path=path))
        assert not lane.takes(scope(path=path, method="GET"))
        get_resolver().resolve(path)
    for path in ("/v1/traces/delete", "/admin/projects/project/add/", "/admin/"):
        assert not lane.takes(scope(path=path))
    lane.shutdown()
