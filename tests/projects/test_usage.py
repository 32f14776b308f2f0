"""Rate limits and quotas, in one process and over several."""

import datetime
import subprocess
import sys

import pytest

from projects.models import DailyUsage, Project
from projects.usage import Bucket, LimitReached, Meter
from tests.servers import ROOT, clean_environment


@pytest.fixture
def meter(transactional_db) -> Meter:
    """A meter whose flushes are the test's."""
    meter = Meter()
    meter._wake = lambda: None
    return meter


def usage(project: Project) -> tuple[int, int, int]:
    row = DailyUsage.objects.get(project=project)
    return row.requests, row.spans, row.bytes


@pytest.fixture
def project(transactional_db) -> Project:
    return Project.objects.create(slug="first", name="First project")


def test_a_bucket_lets_a_burst_in_and_then_its_rate():
    bucket = Bucket()
    assert bucket.missing_seconds(10, 0.0) == 0
    bucket.take(30)  # 20 were in it
    assert bucket.missing_seconds(10, 0.0) == pytest.approx(1.1)
    assert bucket.missing_seconds(10, 1.5) == 0


def test_without_limits_everything_is_let_in_and_counted(meter, project):
    for _ in range(3):
        meter.check(project)
        meter.charge(project.pk, 100, 5_000)
    meter.flush()
    meter.flush()
    assert usage(project) == (3, 300, 15_000)


def test_past_the_quota_it_is_refused_until_midnight(meter, project):
    project.daily_quota_spans = 100
    meter.check(project)
    meter.charge(project.pk, 100, 1)
    with pytest.raises(LimitReached, match="quota of 100 spans a day") as refused:
        meter.check(project)
    assert 0 < refused.value.retry_after_seconds <= 24 * 3600


def test_a_raised_quota_holds_at_once(meter, project):
    project.daily_quota_bytes = 10
    meter.charge(project.pk, 1, 10)
    with pytest.raises(LimitReached):
        meter.check(project)
    project.daily_quota_bytes = 11
    meter.check(project)


def test_a_new_process_knows_what_was_used_today(meter, project):
    DailyUsage.objects.create(project=project, day=datetime.datetime.now(datetime.UTC).date(), spans=100)
    project.daily_quota_spans = 100
    with pytest.raises(LimitReached):
        meter.check(project)


def test_yesterdays_usage_does_not_count(meter, project):
    yesterday = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=1)
    DailyUsage.objects.create(project=project, day=yesterday, spans=100)
    project.daily_quota_spans = 100
    meter.check(project)


def test_counts_of_the_past_day_are_written_to_their_day(meter, project, monkeypatch):
    today = datetime.datetime.now(datetime.UTC).date()
    meter.charge(project.pk, 7, 1)
    monkeypatch.setattr("projects.usage._today", lambda: today + datetime.timedelta(days=1))
    meter.charge(project.pk, 5, 1)
    meter.flush()
    assert list(DailyUsage.objects.order_by("day").values_list("spans", flat=True)) == [7, 5]


def test_what_other_processes_let_in_counts_after_a_flush(meter, project):
    other = Meter()
    other._wake = lambda: None
    project.daily_quota_spans = 100
    meter.check(project)
    other.check(project)
    other.charge(project.pk, 100, 1)
    meter.check(project)
    other.flush()
    meter.flush()
    with pytest.raises(LimitReached):
        meter.check(project)
    assert usage(project)[:2] == (3, 100)


def test_the_rate_is_that_of_all_processes_together(meter, project):
    other = Meter()
    other._wake = lambda: None
    project.rate_limit_spans = 10
    for one in (meter, other):
        one.check(project)
        one.charge(project.pk, 1, 1)
        one.flush()
    other.check(project)
    other.charge(project.pk, 1_000, 1)
    other.flush()
    meter.check(project)
    meter.flush()
    with pytest.raises(LimitReached, match="10 spans a second") as refused:
        meter.check(project)
    assert refused.value.retry_after_seconds > 60


def test_a_refused_request_is_not_counted(meter, project):
    project.rate_limit_requests = 1
    admitted = 0
    for _ in range(10):
        try:
            meter.check(project)
            admitted += 1
        except LimitReached:
            pass
    meter.flush()
    assert admitted == usage(project)[0] == 2


def test_a_deleted_project_leaves_no_usage(meter, project):
    key = project.pk
    meter.charge(key, 5, 5)
    project.delete()
    meter.flush()
    assert not DailyUsage.objects.exists()


SENDER = """
import sys, time
from projects.models import Project
from projects.usage import LimitReached, meter
project = Project.objects.get(slug="shared")
admitted = 0
ends = time.monotonic() + 4
while time.monotonic() < ends:
    try:
        meter.check(project)
        meter.charge(project.pk, 10, 100)
        admitted += 10
    except LimitReached:
        pass
    time.sleep(0.005)
meter.flush()
print(admitted)
"""


def test_three_processes_share_a_quota_with_a_small_overshoot(tmp_path, postgres_url):
    environment = clean_environment(DATABASE_URL=postgres_url, DATA_DIR=str(tmp_path), LOG_LEVEL="WARNING")
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    create = (
        "from projects.models import Project; Project.objects.create(slug='shared', name='s', daily_quota_spans=3000)"
    )
    subprocess.run([*manage, "shell", "-v0", "-c", create], cwd=ROOT, env=environment, check=True)
    senders = [
        subprocess.Popen([*manage, "shell", "-v0", "-c", SENDER], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    admitted = sum(int(sender.communicate(timeout=60)[0].split()[-1]) for sender in senders)
    # 3 processes × 10 spans every 5 ms × about a second between flushes is the most that they can't know of each other.
    assert 3_000 <= admitted <= 3_000 + 3 * 2_000 * 1.5
    count = "from projects.models import DailyUsage; print(DailyUsage.objects.get().spans)"
    stored = subprocess.run(
        [*manage, "shell", "-v0", "-c", count], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    assert int(stored.stdout.split()[-1]) == admitted
