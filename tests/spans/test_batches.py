"""More rows than a database binds values to one statement: PostgreSQL takes 65,535."""

from uuid import uuid4

import pytest

from spans.batches import batches
from spans.keys import trace_row_key
from spans.logs import add_logs, load_logs, which_have_logs
from spans.models import SpanLog
from tests.builders import new_span_id


def test_batches_are_whole_and_in_order():
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches({}, 2)) == []


@pytest.mark.django_db
def test_log_records_of_very_many_traces_are_stored_and_found(project):
    keys = [trace_row_key(project.pk, f"{number:032x}") for number in range(66_000)]
    logs = [
        SpanLog(id=uuid4(), trace_row_id=key, project_id=project.pk, span_id=new_span_id(), name="e", time_unix_nano=1)
        for key in keys[:6_000]
    ]
    assert len(add_logs(logs).new) == 6_000
    assert add_logs(logs).new == []
    assert sorted(which_have_logs(keys)) == sorted(keys[:6_000])
    found = load_logs(keys, {log.span_id for log in logs})
    assert {key: [*of_trace] for key, of_trace in found.items()} == {log.trace_row_id: [log.span_id] for log in logs}
