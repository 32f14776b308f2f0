"""Services whose clocks differ."""

import itertools
import random
from dataclasses import dataclass

import pytest

from spans.models import Span
from tests.builders import export_request, new_trace_id, span
from traces.models import Trace
from traces.otlp.receiver import export
from traces.summaries.clock_skew import shifts, shifts_of
from traces.summaries.tree import assemble, bounds

MS = 1_000_000
T = 1_700_000_000_000_000_000
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5


@dataclass
class S:
    """A span from `start` to `end`, in milliseconds after T."""

    span_id: str
    parent_span_id: str
    service_name: str
    start: float
    end: float
    kind: int = INTERNAL
    is_error: bool = False

    @property
    def start_time_unix_nano(self):
        return T + int(self.start * MS)

    @property
    def end_time_unix_nano(self):
        return T + int(self.end * MS)


def shifts_ms(*spans):
    return {span_id: ns / MS for span_id, ns in shifts_of(spans).items()}


def test_a_server_that_began_before_its_client_moves_to_the_middle_of_the_call_with_all_below_it():
    assert shifts_ms(
        S("a", "", "browser", 0, 1000, CLIENT),
        S("b", "a", "agent", -5000, -4200, SERVER),
        S("c", "b", "agent", -4900, -4300, CLIENT),
        S("d", "a", "browser", 10, 20),
    ) == {"b": 5100, "c": 5100}


def test_a_server_that_began_after_its_client_had_the_answer_moves_back():
    assert shifts_ms(S("a", "", "web", 0, 100, CLIENT), S("b", "a", "agent", 7000, 7080, SERVER)) == {"b": -6990}


def test_a_call_back_to_a_service_with_the_right_time_stays():
    assert shifts_ms(
        S("a", "", "web", 0, 1000, CLIENT),
        S("b", "a", "agent", -5000, -4000, SERVER),
        S("c", "b", "agent", -4800, -4200, CLIENT),
        S("d", "c", "web", 300, 700, SERVER),
    ) == {"b": 5000, "c": 5000}


def test_what_lasts_longer_than_its_caller_begins_with_it():
    assert shifts_ms(S("a", "", "web", 0, 100), S("b", "a", "agent", -50, 500)) == {"b": 50}


@pytest.mark.parametrize(
    ("caller", "called"),
    [
        ({}, {"service_name": "web", "start": -50, "end": 10}),  # one clock: a fault of the program
        ({}, {"start": -0.5, "end": 10}),  # in step
        ({}, {"start": 50, "end": 400}),  # outlasts its caller
        ({"kind": PRODUCER}, {"start": 5000, "end": 6000, "kind": CONSUMER}),  # taken from a queue later
        ({"kind": CLIENT, "is_error": True}, {"start": 300, "end": 400, "kind": SERVER}),  # the client gave up
        ({}, {"parent_span_id": "gone", "start": -500, "end": 10}),
    ],
)
def test_what_may_be_so_stays(caller, called):
    spans = [
        S(**{"span_id": "a", "parent_span_id": "", "service_name": "web", "start": 0, "end": 100} | caller),
        S(**{"span_id": "b", "parent_span_id": "a", "service_name": "agent"} | called),
    ]
    assert shifts_of(spans) == {}
    assert shifts(assemble(spans)) == {}


def test_any_tree_and_any_order_has_one_answer_after_which_nothing_begins_before_its_caller():
    dice = random.Random(7)
    for _ in range(200):
        spans = []
        for number in range(dice.randrange(2, 25)):
            parent = "" if number == 0 else str(dice.randrange(number))
            start = dice.randrange(-2000, 2000)
            end = start + dice.randrange(0, 1500)
            spans.append(S(str(number), parent, dice.choice("ab"), start, end, dice.choice((INTERNAL, SERVER, CLIENT))))
        found = shifts_of(spans)
        assert found == shifts(assemble(spans))
        shuffled = dice.sample(spans, len(spans))
        assert shifts_of(shuffled) == found
        by_id = {one.span_id: one for one in spans}
        for one in spans[1:]:
            caller = by_id[one.parent_span_id]
            if caller.service_name != one.service_name:
                begun = bounds(caller, found.get(caller.span_id, 0))[0]
                assert bounds(one, found.get(one.span_id, 0))[0] >= begun - MS


def two_services(trace_id: str) -> list:
    """Requests of two services; the second one's clock is five seconds behind."""
    root, server = "a" * 16, "b" * 16
    browser = span("POST /agent", trace_id=trace_id, span_id=root, start_ns=T, duration_ns=1000 * MS, kind=CLIENT)
    agent = span(
        "invoke_agent helper",
        trace_id=trace_id,
        span_id=server,
        parent_span_id=root,
        start_ns=T - 5000 * MS,
        duration_ns=800 * MS,
        kind=SERVER,
    )
    model = span(
        "chat",
        trace_id=trace_id,
        span_id="c" * 16,
        parent_span_id=server,
        start_ns=T - 4900 * MS,
        duration_ns=600 * MS,
        attrs={"gen_ai.operation.name": "chat"},
    )
    return [export_request(browser, service="browser"), export_request(agent, model, service="agent")]


def test_the_trace_lasts_as_long_as_it_did_in_any_order_of_arrival_and_the_spans_keep_their_times(project):
    for requests in itertools.permutations(two_services(trace_id := new_trace_id())):
        Trace.objects.all().delete()
        Span.objects.all().delete()
        for request in requests:
            export(request, project)
        trace = Trace.objects.get(trace_id=trace_id)
        assert (trace.start_time_unix_nano, trace.duration_ns) == (T, 1000 * MS)
        assert trace.clock_skew_ns == 5100 * MS
        assert Span.objects.get(name="chat").start_time_unix_nano == T - 4900 * MS


def test_the_api_and_the_page_say_so_and_the_page_shows_either_picture(project, admin_client, client, key):
    for request in two_services(trace_id := new_trace_id()):
        export(request, project)
    answer = client.get(f"/v1/traces/{trace_id}", headers={"x-bee-authorization": key}).json()["result"]
    assert (answer["duration_ms"], answer["clock_skew_ms"]) == (1000, 5100)
    url = f"/admin/traces/trace/{Trace.objects.get().pk}/change/"
    received = admin_client.get(url)
    assert "is 5.10 s behind" in received.content.decode()
    assert "?clock=corrected" in received.content.decode()
    assert received.context["waterfall"].duration_ns == 6000 * MS
    corrected = admin_client.get(f"{url}?clock=corrected")
    assert "Show the times received" in corrected.content.decode()
    assert corrected.context["waterfall"].duration_ns == 1000 * MS
    rows = admin_client.get(url.replace("change/", "rows/") + "?clock=corrected&q=chat")
    assert "--offset:20.0000%" in rows.content.decode()


def test_a_page_of_clocks_that_agree_says_nothing(project, admin_client):
    export(export_request(span()), project)
    assert (
        "clock-skew" not in admin_client.get(f"/admin/traces/trace/{Trace.objects.get().pk}/change/").content.decode()
    )
