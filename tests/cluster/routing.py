"""Where the statements of the ingest path go: Citus itself reports each that it sends to a shard."""

import re
import time

import pytest
from django.db import connection

from spans.keys import trace_row_key
from spans.models import Span, SpanLog
from spans.partitions import create_partitions, drop_partition, partition_days
from tests.builders import export_request, new_trace_id, span
from traces.ingest.span_logs import store_logs
from traces.models import ExportReceipt, RejectedSpans, Trace
from traces.otlp.receiver import export
from traces.summaries import rollup

pytestmark = pytest.mark.django_db(transaction=True)
CALL = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5}


class Sent:
    """The statements that Citus sends to workers, as it reports them, with the shards that they name."""

    def __init__(self):
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT logicalrelid || '_' || shardid, logicalrelid::text, shardminvalue FROM pg_dist_shard "
                "WHERE shardminvalue IS NOT NULL"
            )
            self.shards = {name: (table, place) for name, table, place in cursor.fetchall()}
        self.statements = []

    def __enter__(self):
        self._set("on")
        connection.connection.add_notice_handler(self._note)
        return self

    def __exit__(self, *_):
        connection.connection.remove_notice_handler(self._note)
        self._set("off")

    def _set(self, value):
        with connection.cursor() as cursor:
            cursor.execute(f"SET citus.log_remote_commands = {value}")

    def _note(self, notice):
        sql = (notice.message_primary or "").removeprefix("issuing ")
        if found := [self.shards[name] for name in re.findall(r"[a-z_0-9]+_\d{6,}", sql) if name in self.shards]:
            self.statements.append((sql.split()[0], *found[0]))

    def places(self, *tables):
        return {place for _, table, place in self.statements if table.startswith(tables)}

    def verbs(self):
        return {(verb, table) for verb, table, _ in self.statements}


BY_TRACE = ("traces_trace", "spans_span", "mlflow_sync")


def test_every_statement_of_an_export_of_one_trace_goes_to_its_shard(project, monkeypatch):
    trace_id = new_trace_id()
    first = span("call", trace_id=trace_id, span_id="1" * 16, attrs=CALL)
    later = span("call", trace_id=trace_id, span_id="1" * 16, attrs=CALL | {"more": "x"})
    rejected = span()
    rejected.trace_id = b"short"
    with Sent() as sent:
        export(export_request(first), project)
        export(export_request(first), project)
        export(export_request(later, span("child", trace_id=trace_id, attrs=CALL)), project)
        monkeypatch.setattr(rollup, "IMMEDIATE_SPANS", 0)
        export(export_request(span("late", trace_id=trace_id)), project)
        log = SpanLog(trace_row_id=trace_row_key(project.pk, trace_id), id=trace_row_key(1, trace_id), project=project)
        log.span_id, log.name, log.time_unix_nano = "1" * 16, "gen_ai.choice", 1
        store_logs([log], lambda added: None)
    print("\n" + "\n".join(f"{verb:7} {table}" for verb, table in sorted(sent.verbs())))
    assert len(sent.places(*BY_TRACE)) == 1
    assert {verb for verb, table in sent.verbs() if table.startswith("spans_span")} >= {"COPY", "SELECT", "DELETE"}
    assert {"INSERT", "UPDATE"} <= {verb for verb, table in sent.verbs() if table == "traces_trace"}
    with Sent() as sent:
        export(export_request(rejected), project)
    assert (ExportReceipt.objects.count(), RejectedSpans.objects.count(), Span.objects.count()) == (5, 1, 3)
    assert sent.places(*BY_TRACE) == set()
    assert len(sent.places("traces_exportreceipt")) == len(sent.places("traces_rejectedspans")) == 1


def test_an_export_of_many_traces_is_one_statement_a_shard(project):
    spans = [span("call", trace_id=new_trace_id(), attrs=CALL) for _ in range(100)]
    with Sent() as sent:
        export(export_request(*spans), project)
    assert Trace.objects.count() == Span.objects.count() == 100
    for verb, table in (("INSERT", "traces_trace"), ("COPY", "spans_span")):
        places = [place for one, name, place in sent.statements if (one, name) == (verb, table)]
        assert len(places) == len(set(places)) > 1, (verb, table)
    assert sent.verbs() <= {
        ("INSERT", "traces_trace"),
        ("SELECT", "spans_spanlog"),
        ("COPY", "spans_span"),
        ("INSERT", "traces_exportreceipt"),
    }


def test_a_day_is_dropped_and_made_again_on_every_machine_at_once(project, citus):
    for _ in range(20):
        export(export_request(span()), project)
    today = partition_days()[0]
    started = time.monotonic()
    drop_partition(today)
    dropped = time.monotonic() - started
    assert Span.objects.count() == 0
    export(export_request(span("kept in the default partition")), project)
    assert create_partitions() == [today]
    assert create_partitions() == []
    assert Span.objects.get(day=today).name == "kept in the default partition"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT nodeport), count(*) FROM citus_shards WHERE table_name = %s::regclass",
            [f"spans_span_{today:%Y%m%d}"],
        )
        assert cursor.fetchone() == (len(citus.ports) - 1, 8)
    print(f"\ndropping a day took {dropped:.2f} s")
    assert dropped < 2
