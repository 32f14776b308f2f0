"""Durability under SIGKILL: python -m benchmarks.crash --kills 200 --seed 1, or `make crash`.

Starts PostgreSQL with its default durability, Redis, a real MLflow, web, grpc, worker and cron, sends spans over HTTP
and gRPC, kills one process after another at random moments under that load and starts it again. Then every
acknowledged span is looked for in PostgreSQL and in MLflow. The exit code is 0 only if nothing is wrong.

With --sigterm, web and grpc get SIGTERM instead, and no request that is under way may go unanswered.
"""

import argparse
import os
import platform as machine
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from benchmarks.crash.audit import Findings, audit_mlflow, audit_spans, audit_summaries, wait_for_mirror
from benchmarks.crash.drain import TRACES_A_REQUEST, drain
from benchmarks.crash.load import ACKNOWLEDGED, GrpcTransport, HttpTransport, Plan, Request, Senders, Transport
from benchmarks.crash.parts import AUTH_KEY, Killer, Platform
from tests.servers import ROOT

Rows = list[tuple[str, object]]

HTTP_SENDERS = 4
GRPC_SENDERS = 2
MUST_BE_ZERO = ("lost", "doubled", "half-written", "old version", "unknown", "wrong summaries")
MUST_BE_ZERO_IN_MLFLOW = (
    "lost in MLflow",
    "doubled spans in MLflow",
    "half-written in MLflow",
    "old version in MLflow",
    "unknown in MLflow",
    "traces missing or unknown in MLflow",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the load and of the choice of victims")
    parser.add_argument("--sigterm", type=int, metavar="ROUNDS", help="drain so many times instead of killing")
    parser.add_argument("--no-mlflow", action="store_true", help="leave the mirror out")
    parser.add_argument("--mirror-seconds", type=float, default=1200, help="how long the mirror may take to catch up")
    parser.add_argument("--keep", action="store_true", help="leave data and logs behind, and say where")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tracing-crash-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends the harness ends all that it started
    try:
        return run(options, folder)
    finally:
        if options.keep:
            print(f"Data and logs: {folder}")
        else:
            subprocess.run(["rm", "-rf", str(folder)], check=True)


def run(options: argparse.Namespace, folder: Path) -> int:
    rng = random.Random(options.seed)
    with Platform(folder, with_mlflow=not (options.no_mlflow or options.sigterm)) as platform:
        if options.sigterm:
            return terminate(platform, options.sigterm, rng)
        return kill(platform, options, rng)


def project_id(platform: Platform) -> int:
    with psycopg.connect(platform.database_url) as connection:
        row = connection.execute("SELECT id FROM projects_project WHERE slug = 'default'").fetchone()
    assert row is not None
    return int(row[0])


def kill(platform: Platform, options: argparse.Namespace, rng: random.Random) -> int:
    plan, killer = Plan(rng), Killer(platform, rng)
    transports: list[Transport] = [HttpTransport(platform.port, AUTH_KEY) for _ in range(HTTP_SENDERS)]
    transports += [GrpcTransport(platform.grpc_port, AUTH_KEY) for _ in range(GRPC_SENDERS)]
    senders = Senders(transports, platform.database_url, project_id(platform), options.seed)
    started = time.monotonic()
    while (done := killer.kills.total()) < options.kills:
        requests = plan.requests()
        for request in requests:
            senders.pending.put(request)
        # The kill comes at a random moment of the round's load.
        left = rng.randrange(len(requests))
        while senders.pending.qsize() > left:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        killed = killer.kill()
        senders.pending.join()
        if senders.undeliverable:
            break
        if sys.stderr.isatty() or done % 20 == 0:
            print(f"{done + 1}/{options.kills} {killed}", file=sys.stderr, flush=True)
    for request in plan.requests(last=True):
        senders.pending.put(request)
    senders.pending.join()
    load_seconds = time.monotonic() - started
    platform.wait_until_ready(platform.parts)
    findings = check(platform, plan, senders.acknowledged)
    traces = len({trace_id for trace_id, _ in plan.expected})
    mirror_seconds = None
    if platform.with_mlflow:
        mirror_seconds = wait_for_mirror(platform.database_url, traces, options.mirror_seconds)
        findings.counts.update(dict.fromkeys(MUST_BE_ZERO_IN_MLFLOW, 0))
        add(findings, audit_mlflow(platform.mlflow_database, plan.expected))
        if mirror_seconds is None:
            findings.note("mirror not done in time", f"{options.mirror_seconds:g} s")
    findings.counts["requests stored in part"] += senders.torn
    findings.counts["requests not acknowledged"] += len(senders.undeliverable)

    rows: Rows = [(f"kills of {name}", count) for name, count in killer.kills.items()]
    rows += [("kills", killer.kills.total()), ("seconds under load", round(load_seconds))]
    rows += [
        (f"{transport} answers: {answer}", count) for (transport, answer), count in sorted(senders.answers.items())
    ]
    rows += [
        ("requests examined after no answer", senders.examined),
        ("longest wait for an acknowledgement, s", round(senders.longest_wait_s, 1)),
        ("acknowledged requests", len(senders.acknowledged)),
        ("acknowledged versions of spans", sum(len(request.versions) for request in senders.acknowledged)),
        ("spans", len(plan.expected)),
        ("traces", traces),
    ]
    if mirror_seconds is not None:
        rows.append(("mirror caught up after the load, s", round(mirror_seconds)))
    return report(f"SIGKILL, seed {options.seed}", rows, findings)


def terminate(platform: Platform, rounds: int, rng: random.Random) -> int:
    plan = Plan(rng, traces_a_round=12 * TRACES_A_REQUEST, requests_a_round=12)
    drained, acknowledged = drain(platform, plan, rounds, rng)
    findings = check(platform, plan, acknowledged)
    findings.counts["requests under way cut"] += drained.cut
    findings.counts["processes that did not end"] += drained.did_not_end
    findings.counts["exit codes other than 0"] += len(drained.bad_exit_codes)
    for what, found in (
        ("requests under way cut", drained.answers_of_cut),
        ("exit codes other than 0", drained.bad_exit_codes),
    ):
        if found:
            findings.examples[what] = ", ".join(found[:5])
    rows: Rows = [
        ("SIGTERMs", drained.rounds),
        ("requests under way at the signal", drained.under_way),
        ("slowest exit, s", round(drained.slowest_exit_s, 1)),
        ("acknowledged requests", len(acknowledged)),
        ("spans", len(plan.expected)),
    ]
    return report("SIGTERM", rows, findings)


def check(platform: Platform, plan: Plan, acknowledged: list[Request]) -> Findings:
    """PostgreSQL against what was acknowledged; a version that never was is no longer expected."""
    sent = {version.key for request in acknowledged for version in request.versions}
    missing = plan.expected.keys() - sent
    findings = audit_spans(platform.database_url, plan.expected)
    add(findings, audit_summaries(platform.database_url))
    for key in missing:
        findings.note("never acknowledged", key)
    return findings


def add(findings: Findings, more: Findings) -> None:
    findings.counts.update(more.counts)
    findings.examples.update(more.examples)


def report(title: str, rows: Rows, findings: Findings) -> int:
    """Print the table; the exit code."""
    for name in MUST_BE_ZERO:
        findings.counts[name] += 0
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    lines: Rows = [
        ("run", title),
        ("commit", commit.stdout.strip() or "unknown"),
        ("machine", f"{os.cpu_count()} cores, {machine.system()} {machine.machine()}"),
        *rows,
        *findings.counts.items(),
    ]
    print("| what | |\n|---|---|")
    for name, value in lines:
        print(f"| {name} | {value} |")
    wrong = +findings.counts
    for name in wrong:
        print(f"{name}: for example {findings.examples.get(name, '')}", file=sys.stderr)
    print(f"{ACKNOWLEDGED} spans are all there" if not wrong else "FAILED")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
