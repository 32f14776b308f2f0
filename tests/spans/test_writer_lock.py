"""How long ingest waits for others."""

import threading
import time

import pytest
from django.db import OperationalError, connection, transaction

from spans.writer_lock import writer_lock
from tests.builders import export_request, span
from traces.ingest.receipts import open_receipt
from traces.ingest.store import Arrival, store
from traces.models import Trace
from traces.otlp.receiver import export

on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite's writers take turns in the process")
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has these bounds")


@on_sqlite
def test_a_writer_gives_up_after_its_time_and_the_next_one_is_served(settings):
    settings.LOCK_TIMEOUT_SECONDS = 0.1
    failures = []

    def wait() -> None:
        try:
            with writer_lock():
                pass
        except OperationalError as error:
            failures.append(error)

    with writer_lock():
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(5)
    assert len(failures) == 1
    wait()
    assert len(failures) == 1


@on_postgresql
def test_the_bounds_hold_in_the_transaction_and_end_with_it(transactional_db, project, settings):
    settings.LOCK_TIMEOUT_SECONDS, settings.STATEMENT_TIMEOUT_SECONDS = 3, 40

    def bounds() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
            return list(cursor.fetchone())

    seen = []

    def finish(stored: object) -> None:
        seen.extend(bounds())

    store(Arrival(project.pk, [], open_receipt(project.pk, "http"), finish=finish))
    assert seen == ["250ms", "40s"]  # of a group; alone it waits longer
    assert bounds() == ["0", "0"]


@on_postgresql
def test_a_locked_table_frees_the_thread_in_time(transactional_db, project, settings):
    settings.LOCK_TIMEOUT_SECONDS = 1
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {Trace._meta.db_table}")
            locked.set()
            release.wait(20)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(10)
    started = time.monotonic()
    try:
        with pytest.raises(OperationalError):
            export(export_request(span()), project)
        assert time.monotonic() - started < 4
    finally:
        release.set()
        holder.join()
    export(export_request(span()), project)
    assert Trace.objects.count() == 1
