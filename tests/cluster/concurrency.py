"""Exporters whose traces overlap, over two web processes on a Citus cluster."""

import collections
import threading
import time

import psycopg
import requests

from tests.builders import export_request, new_trace_id, span
from tests.tracing_site.test_scale_out import (
    EVERYTHING,
    HEADERS,
    environment,
    manage,
    overlapping_requests,
    stored,
    web,
)


def test_overlapping_exports_lose_and_double_nothing(citus_url, tmp_path):
    """Over several machines two requests may wait for each other crosswise: the sender is told to come again."""
    variables = environment(tmp_path, citus_url, LOG_FORMAT="text")
    manage("prepare", environment=variables)
    answers: collections.Counter[int] = collections.Counter()
    slowest = 0.0

    def send(url, request):
        nonlocal slowest
        body = request.SerializeToString()
        while True:
            started = time.monotonic()
            answer = requests.post(f"{url}/v1/traces", data=body, headers=HEADERS, timeout=60)
            slowest = max(slowest, time.monotonic() - started)
            answers[answer.status_code] += 1
            if answer.status_code == 200:
                return
            assert answer.status_code == 503, answer.text
            time.sleep(float(answer.headers["Retry-After"]))

    remaining = iter(overlapping_requests() * 4)
    lock, failures = threading.Lock(), []

    def work(url):
        try:
            while (request := next_request()) is not None:
                send(url, request)
        except (AssertionError, requests.RequestException) as error:
            failures.append(error)

    def next_request():
        with lock:
            return next(remaining, None)

    with web(tmp_path, variables) as first, web(tmp_path, variables) as second:
        threads = [threading.Thread(target=work, args=[url]) for url in (first, second) for _ in range(4)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"\nanswers {dict(answers)}, {time.monotonic() - started:.1f} s, slowest {slowest:.2f} s")
        assert failures == []
        manage("refreshrollups", environment=variables)
        assert stored(citus_url) == EVERYTHING
        listed = requests.get(f"{first}/v1/traces?limit=100", headers=HEADERS, timeout=30).json()
        assert listed["total_count"] == EVERYTHING[2]
        ready = requests.get(f"{first}/readyz", timeout=30)
        assert ready.status_code == 200, ready.text


def test_an_export_of_a_locked_trace_is_told_to_come_again_in_time(citus_url, tmp_path):
    """The lock is held on a worker: the limit reaches it."""
    variables = environment(tmp_path, citus_url, LOCK_TIMEOUT_SECONDS="1")
    manage("prepare", environment=variables)
    trace_id = new_trace_id()

    def send(url):
        body = export_request(span(trace_id=trace_id)).SerializeToString()
        return requests.post(f"{url}/v1/traces", data=body, headers=HEADERS, timeout=60)

    with web(tmp_path, variables) as url:
        assert send(url).status_code == 200
        with psycopg.connect(citus_url) as locker:
            locker.execute("UPDATE traces_trace SET pinned = pinned WHERE trace_id = %s", [trace_id])
            started = time.monotonic()
            answer = send(url)
            assert (answer.status_code, time.monotonic() - started < 3) == (503, True), answer.text
            assert int(answer.headers["Retry-After"]) > 0
        assert send(url).status_code == 200
    with psycopg.connect(citus_url) as connection:
        assert connection.execute("SELECT count(*) FROM spans_span").fetchone()[0] == 2
