"""What senders date into the future: kept as it was sent, marked, and out of the way of the last hours."""

import time

import pytest

from spans.models import Span
from tests.builders import export_request, span
from traces.models import Trace
from traces.otlp.receiver import export

DAY_NS = 24 * 3600 * 1_000_000_000
LIST = "/admin/traces/trace/"


@pytest.fixture
def start_ns(project) -> int:
    """Of a trace 40 days ahead, beside one that has just been."""
    now = time.time_ns()
    export(export_request(span("of now", start_ns=now)), project)
    export(export_request(span("of a wrong clock", start_ns=now + 40 * DAY_NS + 60_000_000_000)), project)
    return now + 40 * DAY_NS + 60_000_000_000


def test_its_time_is_kept_and_a_warning_says_how_far_ahead_it_is(start_ns):
    assert Trace.objects.get(name="of a wrong clock").start_time_unix_nano == start_ns
    sent = Span.objects.get(name="of a wrong clock")
    assert sent.start_time_unix_nano == start_ns
    assert sent.warnings == ["sent 40d 00h before its own time: the sender's clock is ahead"]
    assert Span.objects.get(name="of now").warnings == []


def test_a_span_that_ends_a_little_ahead_is_not_warned_of(project):
    export(export_request(span(start_ns=time.time_ns(), duration_ns=60_000_000_000)), project)
    assert Span.objects.get().warnings == []


def test_the_list_marks_it(admin_client, start_ns):
    html = admin_client.get(LIST).content.decode()
    assert html.count("clock is ahead") == 1
    assert ">in 40d 00h<" in html


def test_the_latest_traces_and_those_of_the_last_hours_are_without_it(admin_client, start_ns):
    for path in ("/admin/", f"{LIST}?range=24h", "/admin/spans/span/?range=24h"):
        html = admin_client.get(path).content.decode()
        assert "of now" in html, path
        assert "of a wrong clock" not in html, path
    assert "<b>1</b><span><a" in admin_client.get("/admin/").content.decode()
