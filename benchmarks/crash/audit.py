"""What was acknowledged against what is stored, read from the databases directly and not through the platform."""

import json
import sqlite3
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row, namedtuple_row

from benchmarks.crash.load import Version
from traces.summaries.summary import SUMMARY_COLUMNS, summarize

Expected = dict[tuple[str, str], Version]

SPANS = """
    SELECT trace.trace_id, span.span_id, span.parent_span_id, span.name, span.start_time_unix_nano,
           span.end_time_unix_nano, span.status_code, span.attributes
    FROM spans_span span LEFT JOIN traces_trace trace ON trace.id = span.trace_row_id
"""
UNMIRRORED = "SELECT count(*) FROM mlflow_sync_mlflowtrace WHERE next_try_at IS NOT NULL OR mirrored_at IS NULL"


@dataclass
class Findings:
    """How many things are wrong, by what is wrong, and an example of each. Nothing is wrong while all are 0."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def note(self, what: str, example: object) -> None:
        self.counts[what] += 1
        self.examples.setdefault(what, str(example))


def audit_spans(database_url: str, expected: Expected) -> Findings:
    """Every expected span once, whole, in its last version, and no other."""
    findings = Findings()
    seen: Counter[tuple[str, str]] = Counter()
    with psycopg.connect(database_url) as connection:
        for trace_id, span_id, *values in connection.execute(SPANS):
            key = (trace_id, span_id)
            seen[key] += 1
            if trace_id is None:
                findings.note("spans without a trace", span_id)
            elif key not in expected:
                findings.note("unknown", key)
            elif values[-1] is None or [*values[:-1], json.loads(values[-1])] != _values(expected[key]):
                is_old = values[3] < expected[key].end_time_unix_nano
                findings.note("old version" if is_old else "half-written", (key, values))
    for key in expected.keys() - seen.keys():
        findings.note("lost", key)
    for key, count in seen.items():
        if count > 1:
            findings.note("doubled", (key, count))
    return findings


def _values(version: Version) -> list[Any]:
    return [
        version.parent_span_id,
        version.name,
        version.start_time_unix_nano,
        version.end_time_unix_nano,
        version.status_code,
        version.attributes,
    ]


def audit_summaries(database_url: str) -> Findings:
    """Every trace's summary, and `counted` of its spans, equal to a computation from its stored spans."""
    findings = Findings()
    spans: dict[Any, list[Any]] = defaultdict(list)
    with psycopg.connect(database_url) as connection:
        for row in connection.cursor(row_factory=namedtuple_row).execute("SELECT * FROM spans_span"):
            spans[row.trace_row_id].append(row)  # type: ignore[attr-defined]
        for trace in connection.cursor(row_factory=dict_row).execute("SELECT * FROM traces_trace"):
            if not spans[trace["id"]]:
                findings.note("traces without spans", trace["trace_id"])
                continue
            summary = summarize(spans[trace["id"]])
            stored = trace | {"model_names": json.loads(trace["model_names"])}
            wrong = [name for name in SUMMARY_COLUMNS if stored[name] != getattr(summary, name)]
            wrong += ["refresh_due"] if trace["refresh_due"] else []
            counted = {row.span_id for row in spans[trace["id"]] if row.counted}
            wrong += ["counted"] if counted != summary.counted else []
            if wrong:
                findings.note("wrong summaries", (trace["trace_id"], wrong))
    return findings


def wait_for_mirror(database_url: str, traces: int, seconds: float) -> float | None:
    """Seconds until every trace was mirrored, or None if some were not by then."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        with psycopg.connect(database_url) as connection:
            known = connection.execute("SELECT count(*) FROM mlflow_sync_mlflowtrace").fetchone()
            waiting = connection.execute(UNMIRRORED).fetchone()
        if known == (traces,) and waiting == (0,):
            return time.monotonic() - started
        time.sleep(1)
    return None


def audit_mlflow(database: Path, expected: Expected) -> Findings:
    """Every expected trace once in MLflow, each of its spans once and in its last version, and nothing else."""
    findings = Findings()
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        traces = Counter(id_ for (id_,) in connection.execute("SELECT request_id FROM trace_info"))
        spans = Counter[tuple[str, str]]()
        for trace_id, span_id, end, content in connection.execute(
            "SELECT trace_id, span_id, end_time_unix_nano, content FROM spans"
        ):
            key = (trace_id.removeprefix("tr-"), span_id)
            spans[key] += 1
            version = expected.get(key)
            if version is None:
                findings.note("unknown in MLflow", key)
            elif end != version.end_time_unix_nano:
                findings.note("old version in MLflow", key)
            elif json.loads(content)["attributes"].get("crash.edition") != str(version.attributes["crash.edition"]):
                findings.note("half-written in MLflow", (key, content[:500]))
    for key in expected.keys() - spans.keys():
        findings.note("lost in MLflow", key)
    for trace_id in {f"tr-{trace_id}" for trace_id, _ in expected} ^ traces.keys():
        findings.note("traces missing or unknown in MLflow", trace_id)
    for name, counter in (("traces", traces), ("spans", spans)):
        for key, count in counter.items():
            if count > 1:
                findings.note(f"doubled {name} in MLflow", (key, count))
    return findings
