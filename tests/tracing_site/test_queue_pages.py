"""The pages of the queue on a real Redis: for superusers, and 404 for what is not there."""

import pickle
import re

import pytest
import requests
from redis import Redis
from rq import Queue

from tests import servers

QUEUE = "admin/django_rq/dashboard"
UNKNOWN = [
    "queues/7/",
    "queues/7/details/",
    *[f"queues/7/{name}/" for name in ("finished", "failed", "scheduled", "started", "deferred", "empty")],
    "queues/99999999999999999999/",
    "queues/7/failed/clear/",
    "queues/7/requeue-all/",
    "queues/0/no-such-job/",
    "queues/7/no-such-job/",
    "queues/0/%00/",
    "queues/0/a%3Ab/",
    "queues/0/no-such-job/results/x/",
    *[f"queues/0/no-such-job/{action}/" for action in ("delete", "requeue", "enqueue")],
    "workers/7/",
    "workers/0/no-such-worker/",
    "workers/0/rq%3Aworker%3Anobody/",
    "workers/7/x/",
    "schedulers/0/",
    "cron-schedulers/0/x/",
    "cron-schedulers/7/x/",
    "cron-schedulers/0/x/jobs/y/",
]
POSTS = [
    "queues/0/no-such-job/delete/",
    "queues/0/no-such-job/requeue/",
    "queues/0/no-such-job/stop/",
    "queues/7/empty/",
    "queues/7/requeue-all/",
]


def signed_in(site: servers.Site) -> requests.Session:
    browser = requests.Session()
    login = f"{site.url}/admin/login/"
    browser.get(login, timeout=10)
    fields = {"username": site.username, "password": site.password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    answer = browser.post(login, data=fields, headers={"Referer": login}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302
    return browser


@pytest.fixture(scope="module")
def redis_site(redis_server, tmp_path_factory):
    with servers.site(data_dir=tmp_path_factory.mktemp("queue"), REDIS_URL=redis_server) as site:
        yield site


def test_what_is_not_there_is_404_and_never_500(redis_site):
    browser = signed_in(redis_site)
    assert browser.get(f"{redis_site.url}/{QUEUE}/", timeout=10).status_code == 200
    answers = {path: browser.get(f"{redis_site.url}/{QUEUE}/{path}", timeout=10).status_code for path in UNKNOWN}
    assert {path: status for path, status in answers.items() if status != 404} == {}
    token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    headers = {"Referer": redis_site.url}
    posted = {
        path: browser.post(f"{redis_site.url}/{QUEUE}/{path}", data=token, headers=headers, timeout=10).status_code
        for path in POSTS
    }
    assert {path: status for path, status in posted.items() if status != 404} == {}


def test_what_is_there_is_shown_a_pickled_job_too(redis_site, redis_server):
    redis = Redis.from_url(redis_server)
    job = Queue("default", connection=redis).enqueue("mlflow_sync.jobs.mirror_traces", [])
    redis.hset(job.key, mapping={"data": pickle.dumps(("int", None, ("secret",), {}))})
    browser = signed_in(redis_site)
    html = browser.get(f"{redis_site.url}/{QUEUE}/", timeout=10).text
    index = re.search(r"/queues/(\d+)/", html)[1]
    for path in (f"queues/{index}/", f"queues/{index}/{job.id}/", f"queues/{index}/failed/", f"workers/{index}/"):
        assert browser.get(f"{redis_site.url}/{QUEUE}/{path}", timeout=10).status_code == 200, path
    worker = re.search(rf"/workers/{index}/([^/\"]+)/", browser.get(f"{redis_site.url}/{QUEUE}/workers/{index}/").text)
    assert browser.get(f"{redis_site.url}/{QUEUE}/workers/{index}/{worker[1]}/", timeout=10).status_code == 200
    assert "Traceback" not in redis_site.log


def test_nobody_but_a_superuser_gets_in(redis_site):
    for path in ("", "stats.json", "metrics", "queues/0/"):
        answer = requests.get(f"{redis_site.url}/{QUEUE}/{path}", allow_redirects=False, timeout=10)
        assert answer.status_code in {302, 401, 403, 404}, path


def test_without_redis_the_pages_say_so(tmp_path):
    with servers.site(data_dir=tmp_path, REDIS_URL="redis://127.0.0.1:1/0") as site:
        answer = signed_in(site).get(f"{site.url}/{QUEUE}/", timeout=10)
        assert answer.status_code == 503
        assert "Jobs wait in the database" in answer.text
