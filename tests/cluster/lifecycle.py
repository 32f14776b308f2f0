"""A platform on a Citus cluster from the first export to the last deletion: its own processes, a real MLflow."""

import re
import time
import uuid

import psycopg
import pytest
import requests

from tests import corpus, servers
from tests.builders import export_request, new_trace_id, span

EXPIRED_DAY = "2020-01-02"
FAMILIES = ("mellea", "openai-agents", "traceloop", "beeai-py")
PAGES = (
    *("/admin/traces/trace/", "/admin/spans/span/", "/admin/traces/session/", "/admin/traces/enduser/"),
    *("/admin/traces/exportreceipt/", "/admin/traces/rejectedspans/", "/admin/mlflow_sync/mlflowtrace/"),
    *("/admin/", "/admin/projects/project/", "/admin/traces/trace/?q=a&status=OK&o=5", "/admin/spans/span/?q=a"),
)
LISTS = ("/v1/traces", "/v1/spans", "/v1/sessions", "/v1/users", "/v1/traces?order_by=-cost_usd&text=a")


@pytest.fixture
def experiment(mlflow_server):
    answer = requests.post(
        f"{mlflow_server}/api/2.0/mlflow/experiments/create", json={"name": uuid.uuid4().hex}, timeout=30
    )
    return answer.json()["experiment_id"]


@pytest.fixture
def site(citus_url, mlflow_server, experiment):
    with servers.site(
        DATABASE_URL=citus_url, MLFLOW_TRACKING_URI=mlflow_server, MLFLOW_DEFAULT_EXPERIMENT_ID=experiment
    ) as running:
        yield running


def post(site, body, content_type="application/x-protobuf"):
    answer = requests.post(
        f"{site.url}/v1/traces", data=body, headers=site.headers | {"Content-Type": content_type}, timeout=60
    )
    assert answer.status_code == 200, answer.text


def get(site, path):
    answer = requests.get(site.url + path, headers=site.headers, timeout=60)
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


def admin_of(site):
    session = requests.Session()
    page = session.get(f"{site.url}/admin/login/", timeout=30).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    form = {"username": site.username, "password": site.password, "csrfmiddlewaretoken": token, "next": "/admin/"}
    assert session.post(f"{site.url}/admin/login/", data=form, timeout=30).url == f"{site.url}/admin/"
    return session


def in_mlflow(url, experiment):
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    body = {"locations": [location], "max_results": 500}
    found = requests.post(f"{url}/api/3.0/mlflow/traces/search", json=body, timeout=30).json()
    return {info["trace_id"] for info in found.get("traces", [])}


def wait_for(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)


def test_a_platform_on_a_cluster_from_ingest_to_deletion(site, citus_url, mlflow_server, experiment):
    database = psycopg.connect(citus_url, autocommit=True)

    def one(sql, *parameters):
        return database.execute(sql, parameters).fetchone()[0]

    expected = {}
    for family in FAMILIES:
        capture = corpus.capture(family)
        for name, body in sorted(capture.bodies.items()):
            post(site, body, {"pb": "application/x-protobuf", "json": "application/json"}[name.rpartition(".")[2]])
        expected |= {trace["trace_id"]: trace["span_count"] for trace in capture.expected["traces"]}
    mixed = [
        span("theirs", trace_id=new_trace_id(), attrs={"user.id": "to-erase", "session.id": "s1"}) for _ in range(5)
    ]
    rejected = span()
    rejected.trace_id = b"short"
    post(site, export_request(*mixed, rejected).SerializeToString())
    expected |= {item.trace_id.hex(): 1 for item in mixed}

    for trace_id, count in expected.items():
        trace = get(site, f"/v1/traces/{trace_id}?include_tree=true")["result"]
        assert get(site, f"/v1/traces/{trace_id}/spans")["total_count"] == count
        assert trace["trace_id"] == trace_id
    for path in LISTS:
        assert get(site, path)["results"], path
    admin = admin_of(site)
    key, span_id = database.execute("SELECT id, root_span_id FROM traces_trace WHERE span_count > 3 LIMIT 1").fetchone()
    of_trace = f"/admin/traces/trace/{key}"
    pages = [*PAGES, f"{of_trace}/change/", f"{of_trace}/rows/", f"{of_trace}/spans/{span_id}/"]
    pages += ["/admin/traces/session/page/?id=s1", "/admin/traces/enduser/page/?id=to-erase"]
    for path in pages:
        answer = admin.get(site.url + path, timeout=60)
        assert answer.status_code == 200, (path, answer.status_code)

    # By number: another test may have taken a trace's usual id in this MLflow.
    wait_for(lambda: len(in_mlflow(mlflow_server, experiment)) == len(expected))
    site.manage("renormalizespans")
    site.manage("refreshrollups")
    assert one("SELECT sum(span_count) FROM traces_trace") == sum(expected.values())
    assert one("SELECT sum(spans) FROM projects_dailyusage") >= sum(expected.values())
    assert requests.get(f"{site.url}/readyz", timeout=30).status_code == 200

    # Everything but the user's traces is from a day that has expired. A pinned one and what a rule keeps stay.
    day, after = EXPIRED_DAY, "2020-01-03"
    partition = "spans_span_" + day.replace("-", "")
    database.execute(f"CREATE TABLE {partition} PARTITION OF spans_span FOR VALUES FROM ('{day}') TO ('{after}')")
    old = "trace_row_id IN (SELECT id FROM traces_trace WHERE user_id <> 'to-erase')"
    database.execute(f"UPDATE spans_span SET day = '{day}' WHERE {old}")
    database.execute(
        f"UPDATE traces_trace SET day = '{day}', created_at = '{day} 12:00+00' WHERE user_id <> 'to-erase'"
    )
    database.execute("UPDATE traces_trace SET pinned = TRUE WHERE id = %s", [key])
    failed = one("SELECT count(*) FROM traces_trace WHERE status = 'ERROR' AND id <> %s AND user_id <> 'to-erase'", key)
    database.execute(
        "INSERT INTO projects_retentionrule (project_id, status, keep_days, service_name, session_id, user_id) "
        "SELECT id, 'ERROR', 36500, '', '', '' FROM projects_project"
    )
    assert "would be deleted" in site.manage("prunetraces", "--dry-run")
    site.manage("prunetraces")
    assert one("SELECT count(*) FROM traces_trace") == len(mixed) + failed + 1
    assert one("SELECT count(*) FROM spans_span") == one("SELECT sum(span_count) FROM traces_trace")
    assert one("SELECT to_regclass(%s)", partition) is None
    wait_for(lambda: len(in_mlflow(mlflow_server, experiment)) == len(mixed) + failed + 1)

    slug = one("SELECT slug FROM projects_project")
    assert f"{len(mixed)} traces" in site.manage("erasetraces", "--project", slug, "--user", "to-erase", "--dry-run")
    site.manage("erasetraces", "--project", slug, "--user", "to-erase")
    assert one("SELECT count(*) FROM spans_span WHERE user_id = 'to-erase'") == 0
    wait_for(lambda: one("SELECT count(*) FROM mlflow_sync_erasure WHERE mlflow_confirmed_at IS NOT NULL") == 1)

    # The admin refuses to delete a project that has traces.
    site.manage("shell", "-c", "from projects.models import Project; Project.objects.all().delete()")
    assert one("SELECT count(*) FROM projects_project") == 0
    site.manage("prunetraces")
    assert one("SELECT count(*) FROM traces_trace") == one("SELECT count(*) FROM spans_span") == 0
    wait_for(lambda: in_mlflow(mlflow_server, experiment) == set())
