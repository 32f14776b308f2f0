"""What was erased stands in no file of the platform any more, while it runs."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection

from mlflow_sync.erasure import Subject, erase
from mlflow_sync.models import Erasure
from projects.background_work import lanes
from projects.models import Project
from spans.tasks import empty_database_log
from spans.vacuum import empty_log
from tests import servers
from tests.builders import export_request, new_trace_id, span
from tests.mlflow_sync.conftest import wait_for

USER = "ana-7f3e@example.org"
SECRET = "zanzibar-9c41"


def where(folder: Path, *needles: str) -> dict[str, int]:
    """How often the texts stand in each file of the folder, packed or not; files without them are left out."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found[path.name] = sum(content.count(needle.encode()) for needle in needles)
    return {name: count for name, count in found.items() if count}


def send(site: servers.Site, *spans: Any) -> None:
    body = export_request(*spans).SerializeToString()
    headers = site.headers | {"Content-Type": "application/x-protobuf"}
    requests.post(f"{site.url}/v1/traces", data=body, headers=headers, timeout=30).raise_for_status()


def of_user(trace_id: str, n: int, user: str, text: str, **fields: Any) -> Any:
    """A span of 400 bytes to 40 KB, so that some rows fill pages of their own and others share one."""
    attributes = {"user.id": user, "gen_ai.prompt": f"{text} " * 3 ** (n % 7), "gen_ai.completion": text}
    return span(f"step {n}", trace_id=trace_id, attrs=attributes, **fields)


def fill(site: servers.Site) -> list[str]:
    """40 traces of the user among 40 of others, each sent twice more so that rows are replaced. Returns the user's."""
    theirs = [new_trace_id() for _ in range(40)]
    for n, trace_id in enumerate(theirs):
        root = of_user(trace_id, n, USER, SECRET)
        send(site, root, of_user(new_trace_id(), n, "ben", "other text"))
        send(site, root, of_user(trace_id, n + 1, USER, SECRET))
        send(site, root, *[of_user(trace_id, n + k, USER, SECRET) for k in range(3)])
    return theirs


def test_nothing_of_an_erased_user_stands_in_the_files_of_a_running_platform(tmp_path: Path) -> None:
    with servers.site(data_dir=tmp_path, LOG_LEVEL="DEBUG") as site:
        fill(site)
        before = where(tmp_path, USER, SECRET)
        assert before["tracing.sqlite3-wal"] > 100
        out = site.manage("erasetraces", "--project", "default", "--user", USER, "--by", "olga")
        assert out.startswith("40 traces")
        assert where(tmp_path, USER, SECRET) == {}
        send(site, of_user(new_trace_id(), 1, "ben", "other text"))
        assert where(tmp_path, USER, SECRET) == {}
        others = requests.get(f"{site.url}/v1/traces?limit=100", headers=site.headers, timeout=10).json()
        assert others["total_count"] == 41


def test_nothing_of_traces_that_a_program_deleted_stands_there_a_minute_later(tmp_path: Path) -> None:
    with servers.site(data_dir=tmp_path) as site:
        for trace_id in fill(site):
            answer = requests.delete(f"{site.url}/v1/traces/{trace_id}", headers=site.headers, timeout=10)
            assert answer.status_code in {200, 204}
        wait_for(lambda: where(tmp_path, USER, SECRET) == {}, seconds=90)


def test_the_embedded_worker_and_cron_empty_the_log_every_minute() -> None:
    for with_redis in (True, False):
        tasks = lanes(with_redis=with_redis)["summaries"]
        assert [task.seconds for task in tasks if task.run is empty_database_log] == [60]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's log")
@pytest.mark.django_db(transaction=True)
def test_a_read_that_began_before_is_waited_for_and_then_told(
    project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlflow_sync.erasure.LOG_SECONDS", 0.3)
    reader = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM projects_project").fetchone()
        Project.objects.create(slug="another", name="Another")
        started = time.monotonic()
        receipt = erase(Subject(project, Erasure.Kind.USER, USER), "olga")
        assert time.monotonic() - started < 3
        assert receipt.completed_at is not None
        assert "log still holds what was erased" in caplog.text
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA busy_timeout").fetchone()[0] == 5000
    finally:
        reader.close()
    assert empty_log()
    assert not Path(f"{connection.settings_dict['NAME']}-wal").read_bytes()
