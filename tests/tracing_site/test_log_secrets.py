"""A run in which every secret is marked: none of them is in a log, at any level."""

import contextlib
import re
import socket

import grpc
import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests import servers
from tests.builders import export_request, span

MARK = "Xanadu-4471"
SECRETS = {
    "AUTH_KEY": f"auth-key-{MARK}",
    "METRICS_TOKEN": f"metrics-token-{MARK}",
    "SECRET_KEY": f"secret-key-{MARK}-" + "x" * 50,
    "MLFLOW_AUTHORIZATION": "BASE_AUTH",
    "MLFLOW_USERNAME": f"mlflow-user-{MARK}",
    "MLFLOW_PASSWORD": f"mlflow-password-{MARK}",
}


def sign_in(site, password):
    """A session, signed in if the password is right, and the answer."""
    session = requests.Session()
    form = session.get(f"{site.url}/admin/login/", timeout=20).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
    data = {"username": site.username, "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"}
    return session, session.post(f"{site.url}/admin/login/", data=data, timeout=20)


def use(site):
    """Everything that takes a secret, with right and wrong ones."""
    marked = span(f"prompt {MARK}", attrs={"gen_ai.prompt": f"prompt {MARK}", f"key {MARK}": 1})
    body = export_request(marked, service=f"service {MARK}").SerializeToString()
    kind = {"Content-Type": "application/x-protobuf"}
    for headers in (
        site.headers,
        {"Authorization": f"Bearer wrong-{MARK}"},
        {"Authorization": f"Basic {MARK}"},
        {"x-bee-authorization": f"wrong-{MARK}"},
        {"Cookie": f"sessionid=cookie-{MARK}"} | site.headers,
    ):
        requests.post(f"{site.url}/v1/traces", data=body, headers=headers | kind, timeout=20)
        requests.post(f"{site.url}/v1/traces", data=body[:-3], headers=headers | kind, timeout=20)
        requests.get(f"{site.url}/v1/traces?token={MARK}", headers=headers, timeout=20)
        requests.get(f"{site.url}/metrics?token={MARK}", headers=headers, timeout=20)
    with grpc.insecure_channel(site.grpc_target) as channel:
        for key in (site.key, f"wrong-{MARK}"):
            with contextlib.suppress(grpc.RpcError):
                TraceServiceStub(channel).Export(export_request(marked), metadata=[("x-bee-authorization", key)])
    sign_in(site, f"wrong-password-{MARK}")
    session, answer = sign_in(site, site.password)
    assert answer.url.endswith("/admin/")
    session.get(f"{site.url}/admin/password_change/?password={MARK}", timeout=20)
    change = {"old_password": site.password, "new_password1": f"{MARK}-a", "new_password2": f"{MARK}-b"}
    change["csrfmiddlewaretoken"] = session.cookies["csrftoken"]
    session.post(f"{site.url}/admin/password_change/", data=change, timeout=20)
    with socket.create_connection(("127.0.0.1", site.port), 10) as connection:
        connection.sendall(f"GET /{MARK} nonsense {MARK}\r\n\r\n".encode())
        connection.recv(1000)


@pytest.mark.parametrize(("level", "form"), [("DEBUG", "json"), ("DEBUG", "text"), ("WARNING", "text")])
def test_no_log_holds_a_marked_secret(tmp_path, level, form):
    closed = f"http://127.0.0.1:{servers.free_port()}"
    options = SECRETS | {"LOG_LEVEL": level, "LOG_FORMAT": form, "MLFLOW_TRACKING_URI": closed}
    with servers.site(data_dir=tmp_path, **options) as site:
        first_start, _, _ = site.log.partition("Ctrl-C")
        use(site)
        assert MARK not in site.log.partition("Ctrl-C")[2]
    # The first start alone shows the key, and no later one shows it or a password.
    assert SECRETS["AUTH_KEY"] in first_start
    length = len(site.log)
    with servers.site(data_dir=tmp_path, **options) as site:
        requests.get(f"{site.url}/nothing?x={MARK}", timeout=10)
    later = site.log[length:]
    assert "AUTH_KEY of the settings" in later
    assert MARK not in later
    assert "(shown only now)" not in later


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_address_can_forge_a_line(tmp_path, form):
    with servers.site(data_dir=tmp_path, LOG_LEVEL="DEBUG", LOG_FORMAT=form) as site:
        for path in (b"/x%0d%0aFORGED", b"/x?a=%0aFORGED", b"/admin/%0aFORGED/", b"/v1/traces/%0aFORGED"):
            for raw in (path, path.replace(b"%0d%0a", b"\x85").replace(b"%0a", b"\xe2\x80\xa8")):
                with socket.create_connection(("127.0.0.1", site.port), 10) as connection:
                    connection.sendall(b"GET " + raw + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    connection.recv(1000)
        requests.get(site.url, headers={"Host": "a b\x1b[2J"}, timeout=10)
        log = site.log
    assert not any(line.lstrip().startswith("FORGED") for line in re.split("[\n\r\x85\u2028]", log))
    assert "\x1b" not in log
