"""Every capture through a running server, as its program sent it."""

import collections
import random

import pytest
import requests

from tests import corpus

CONTENT_TYPES = {"pb": "application/x-protobuf", "json": "application/json"}


def send(site, name, body):
    headers = site.headers | {"Content-Type": CONTENT_TYPES[name.rpartition(".")[2]]}
    answer = requests.post(f"{site.url}/v1/traces", data=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


def read(site, path):
    answer = requests.get(f"{site.url}/v1/traces/{path}", headers=site.headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def spans_of(data):
    return [span for resource in data["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]


@pytest.mark.parametrize("family", corpus.FAMILIES)
def test_every_span_of_a_capture_comes_back(tracing_server, family):
    capture = corpus.capture(family)
    sent = collections.defaultdict(set)
    for name, body in sorted(capture.bodies.items()):
        send(tracing_server, name, body)
    for request in capture.requests:
        for scope in (scope for resource in request.resource_spans for scope in resource.scope_spans):
            for span in scope.spans:
                sent[span.trace_id.hex()].add(span.span_id.hex())
    for expected in capture.expected["traces"]:
        stored = spans_of(read(tracing_server, f"{expected['trace_id']}/otlp"))
        assert len(stored) == expected["span_count"]
        assert {span["spanId"] for span in stored} == sent[expected["trace_id"]]


@pytest.mark.parametrize("family", corpus.FAMILIES)
def test_sent_again_in_another_order_a_capture_changes_nothing(tracing_server, family):
    capture = corpus.capture(family)
    for name, body in sorted(capture.bodies.items()):
        send(tracing_server, name, body)
    identifiers = [expected["trace_id"] for expected in capture.expected["traces"]]
    before = [(read(tracing_server, trace_id), read(tracing_server, f"{trace_id}/otlp")) for trace_id in identifiers]
    bodies = list(capture.bodies.items())
    random.Random(family).shuffle(bodies)
    for name, body in bodies:
        send(tracing_server, name, body)
    after = [(read(tracing_server, trace_id), read(tracing_server, f"{trace_id}/otlp")) for trace_id in identifiers]
    assert after == before
