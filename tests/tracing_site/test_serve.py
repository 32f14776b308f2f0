"""The embedded default as a person starts it: `manage.py serve` in a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import psutil
import requests

from tests import servers
from tests.builders import export_request, new_trace_id, span


def serve(folder, **environment):
    """The output of a start that is expected to fail."""
    variables = servers.clean_environment(DATA_DIR=str(folder), MLFLOW_TRACKING_URI="off", **environment)
    command = [sys.executable, "manage.py", "serve"]
    return subprocess.run(command, cwd=servers.ROOT, env=variables, capture_output=True, text=True, timeout=60)


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def banner(site):
    wait_for(lambda: "Ctrl-C stops everything." in site.log)
    return site.log


def test_the_first_start_shows_a_login_and_a_key_that_work(tmp_path):
    with servers.site(data_dir=tmp_path, AUTH_KEY="") as site:
        text = banner(site)
        password = re.search(r"user admin, password (\S+)", text)[1]
        key = re.search(r"x-bee-authorization=(\S+)\"", text)[1]
        body = export_request(span()).SerializeToString()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-protobuf"}
        assert requests.post(f"{site.url}/v1/traces", data=body, headers=headers, timeout=10).status_code == 200
        browser = requests.Session()
        login = f"{site.url}/admin/login/"
        browser.get(login, timeout=10)
        fields = {"username": "admin", "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        answer = browser.post(login, data=fields, headers={"Referer": login}, allow_redirects=False, timeout=10)
        assert answer.status_code == 302


def test_a_second_start_keeps_the_data_and_shows_no_secret(tmp_path):
    with servers.site(data_dir=tmp_path) as site:
        trace_id = new_trace_id()
        headers = site.headers | {"Content-Type": "application/x-protobuf"}
        body = export_request(span(trace_id=trace_id)).SerializeToString()
        requests.post(f"{site.url}/v1/traces", data=body, headers=headers, timeout=10).raise_for_status()
    (tmp_path / "serve.log").unlink()
    with servers.site(data_dir=tmp_path, AUTH_KEY="") as site:
        text = banner(site)
        assert "password" not in text.replace("changepassword", "")
        assert "YOUR-API-KEY" in text
        answer = requests.get(
            f"{site.url}/v1/traces/{trace_id}", headers={"Authorization": "Bearer test-key"}, timeout=10
        )
        assert answer.status_code == 200


def test_a_changed_auth_key_replaces_the_earlier_one(tmp_path):
    with servers.site(data_dir=tmp_path, AUTH_KEY="the-first-key"):
        pass
    with servers.site(data_dir=tmp_path, AUTH_KEY="the-second-key") as site:
        statuses = [
            requests.get(f"{site.url}/v1/traces", headers={"x-bee-authorization": key}, timeout=10).status_code
            for key in ("the-first-key", "the-second-key")
        ]
    assert statuses == [401, 200]


def test_a_taken_port_names_the_variable_to_set(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = serve(tmp_path, PORT=str(servers.free_port()), GRPC_PORT=str(port))
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "Set GRPC_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_sample_traces_are_loaded_once(tmp_path):
    with servers.site("--demo", data_dir=tmp_path) as site:
        first = banner(site)
    (tmp_path / "serve.log").unlink()
    with servers.site("--demo", data_dir=tmp_path) as site:
        second = banner(site)
    assert int(re.search(r"(\d+) sample spans", first)[1]) > 50
    assert "0 sample spans" in second


def test_with_redis_it_runs_worker_and_cron_and_ends_them(tmp_path, redis_url):
    with servers.site(data_dir=tmp_path, REDIS_URL=redis_url) as site:
        banner(site)
        children = psutil.Process(site.process.pid).children(recursive=True)
        programs = {child.cmdline()[-1] for child in children}
        assert {"worker", "cron"} <= programs
        site.process.send_signal(signal.SIGINT)
        assert site.process.wait(30) == 0
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_the_local_mlflow_ends_even_when_the_platform_is_killed(tmp_path):
    port = servers.free_port()
    with servers.site(data_dir=tmp_path, MLFLOW_TRACKING_URI="", LOCAL_MLFLOW="always", MLFLOW_PORT=str(port)) as site:
        wait_for(lambda: servers.answers(f"http://127.0.0.1:{port}/health"), 60)
        children = psutil.Process(site.process.pid).children(recursive=True)
        os.kill(site.process.pid, signal.SIGKILL)
        wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))


def test_the_local_mlflow_starts_again_when_it_ends(tmp_path):
    port = servers.free_port()
    with servers.site(data_dir=tmp_path, MLFLOW_TRACKING_URI="", LOCAL_MLFLOW="always", MLFLOW_PORT=str(port)) as site:
        health = f"http://127.0.0.1:{port}/health"
        wait_for(lambda: servers.answers(health), 60)
        servers_of_mlflow = [
            child for child in psutil.Process(site.process.pid).children(recursive=True) if "uvicorn" in child.cmdline()
        ]
        servers_of_mlflow[0].kill()
        wait_for(lambda: not servers.answers(health))
        wait_for(lambda: servers.answers(health), 60)


def test_the_local_mlflow_stops_when_there_is_a_second_account_and_does_not_start_again(tmp_path):
    port = servers.free_port()
    health = f"http://127.0.0.1:{port}/health"
    local = {"MLFLOW_TRACKING_URI": "", "MLFLOW_PORT": str(port)}
    with servers.site(data_dir=tmp_path, **local) as site:  # makes an account beside the first start's
        wait_for(lambda: "The local MLflow is off, because there are several accounts" in site.log, 60)
        wait_for(lambda: not servers.answers(health))
        wait_for(lambda: requests.get(f"{site.url}/readyz", timeout=5).json()["mlflow"]["state"] == "off")
    with servers.site(data_dir=tmp_path, **local) as site:
        assert "MLflow    off, because there are several accounts" in banner(site)
        assert not servers.is_listening(port)


def test_the_local_mlflow_listens_on_loopback_only_whatever_the_platform_does(tmp_path):
    port = servers.free_port()
    variables = {"MLFLOW_TRACKING_URI": "", "LOCAL_MLFLOW": "always", "MLFLOW_PORT": str(port), "HOST": "0.0.0.0"}
    with servers.site(data_dir=tmp_path, **variables):
        wait_for(lambda: servers.is_listening(port), 60)
        sockets = [found for found in psutil.net_connections("tcp") if found.status == psutil.CONN_LISTEN]
        assert {found.laddr.ip for found in sockets if found.laddr.port == port} == {"127.0.0.1"}
