"""The number of queries of an endpoint is fixed: the same for one span and for fifty."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.builders import new_trace_id, span
from tests.traces.api.conftest import BeeRun

QUERIES = {
    "/v1/traces": 4,  # key, project, count, page
    "/v1/traces?include_mlflow=true": 5,
    "/v1/traces?include_tree=true": 5,
    "/v1/traces?q=span&min_tokens=0&ordering=-tokens": 4,
    "/v1/traces/{id}": 3,  # key, trace, main span
    "/v1/traces/{id}?include_tree=true&include_mlflow=true": 5,
    "/v1/traces/{id}/spans": 5,  # key, trace, sizes, spans, log records
    "/v1/traces/{id}/otlp": 4,  # key, trace, size, spans
    "/v1/traces/{id}/logs": 4,  # key, trace, count, sizes
    "/v1/traces/{id}/otlp-logs": 4,
    "/v1/spans": 3,  # key, project, page
    "/v1/spans?trace_id={id}": 4,
}


def count_queries(client, url: str) -> int:
    client.get(url)  # the first use of a key is recorded
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize("url", QUERIES)
@pytest.mark.parametrize("count", [1, 50])
def test_the_number_of_queries_does_not_depend_on_the_spans(api, store, url, count):
    trace_id = new_trace_id()
    store(*[span(trace_id=trace_id) for _ in range(count)], *[span() for _ in range(count)])
    assert count_queries(api, url.format(id=trace_id)) == QUERIES[url]


@pytest.mark.parametrize("count", [1, 50])
def test_a_list_of_framework_runs_takes_one_query_more(api, store, count):
    for number in range(count):
        made = BeeRun(f"{number:08x}")
        store(*made.spans, scope=made.scope)
    assert count_queries(api, "/v1/traces") == QUERIES["/v1/traces"] + 1
