"""SIGTERM under load: what is under way is answered, and the process ends by itself."""

import os
import random
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

from benchmarks.crash.load import ACKNOWLEDGED, DELIVERY_SECONDS, GrpcTransport, HttpTransport, Plan, Request, Transport
from benchmarks.crash.parts import AUTH_KEY, Part, Platform

CLIENTS = 6
# Large enough that the signal comes while they are worked on
TRACES_A_REQUEST = 40
# A request sent so long before the signal has reached the server.
UNDER_WAY_SECONDS = 0.1
EXIT_SECONDS = 30


@dataclass
class DrainReport:
    """`under_way` requests were not answered when the signal came; `cut` of them never were, or not with success."""

    rounds: int = 0
    sent: int = 0
    under_way: int = 0
    cut: int = 0
    answers_of_cut: list[str] = field(default_factory=list)
    slowest_exit_s: float = 0
    did_not_end: int = 0
    bad_exit_codes: list[str] = field(default_factory=list)


@dataclass
class Sent:
    """One request on its way: when it was sent, when it was answered and how."""

    request: Request
    sent_at: float = 0
    answered_at: float = float("inf")
    answer: str = ""


def drain(platform: Platform, plan: Plan, rounds: int, rng: random.Random) -> tuple[DrainReport, list[Request]]:
    """So many SIGTERMs, to web (its parent or the whole group) and grpc in turn. Returns what was acknowledged as well.

    What was refused after the signal is delivered afterwards, so that the plan's expectation stands.
    """
    report = DrainReport()
    acknowledged: list[Request] = []
    for number in range(rounds):
        name = "grpc" if number % 2 else "web"
        part = platform.parts[name]
        platform.wait_until_ready([name])
        sent = [Sent(request) for request in plan.requests(last=True)]
        threads = [threading.Thread(target=_send, args=(platform, name, group)) for group in _deal(sent)]
        for thread in threads:
            thread.start()
        time.sleep(UNDER_WAY_SECONDS + rng.uniform(0, 0.3))
        signalled_at = time.monotonic()
        _terminate(part, report, to_group=rng.random() < 0.5)
        for thread in threads:
            thread.join()
        report.rounds += 1
        report.sent += len(sent)
        for one in sent:
            if 0 < one.sent_at < signalled_at - UNDER_WAY_SECONDS and one.answered_at > signalled_at:
                report.under_way += 1
                if one.answer != ACKNOWLEDGED:
                    report.cut += 1
                    report.answers_of_cut.append(f"{name}: {one.answer}")
        platform.wait_until_ready([name])
        transport = _transport(platform, name)
        deadline = time.monotonic() + DELIVERY_SECONDS
        for one in sent:
            while one.answer != ACKNOWLEDGED and time.monotonic() < deadline:
                time.sleep(0.1)
                one.answer = transport.send(one.request.body)
        acknowledged += [one.request for one in sent if one.answer == ACKNOWLEDGED]
        if len(acknowledged) < report.sent:
            break
    return report, acknowledged


def _deal(sent: list[Sent]) -> list[list[Sent]]:
    return [sent[lane::CLIENTS] for lane in range(CLIENTS) if sent[lane::CLIENTS]]


def _transport(platform: Platform, name: str) -> Transport:
    if name == "grpc":
        return GrpcTransport(platform.grpc_port, AUTH_KEY)
    return HttpTransport(platform.port, AUTH_KEY)


def _send(platform: Platform, name: str, group: list[Sent]) -> None:
    transport = _transport(platform, name)
    for one in group:
        one.sent_at = time.monotonic()
        one.answer = transport.send(one.request.body)
        one.answered_at = time.monotonic()


def _terminate(part: Part, report: DrainReport, to_group: bool) -> None:
    process = part.process
    assert process is not None
    if to_group:
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    try:
        code = process.wait(EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        report.did_not_end += 1
        process.kill()
        return
    part.is_ready = False
    report.slowest_exit_s = max(report.slowest_exit_s, time.monotonic() - started)
    if code:
        report.bad_exit_codes.append(f"{part.name}: {code}")
