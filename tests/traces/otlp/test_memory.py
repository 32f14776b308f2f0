"""How much memory one request takes at its peak, for each field that can be large, on every way in."""

import json
from collections.abc import Callable, Iterator

import grpc
import psutil
import pytest
import urllib3
from google.protobuf.message import Message

from tests import servers
from tests.builders import export_request, span
from tests.traces.otlp.large_fields import requests_with
from traces.otlp import json_mapping
from traces.otlp.signals import LOGS, TRACES

BODY_BYTES = 4 * 1024 * 1024
# What docs/limits.md states. Python holds a text four times as large as its UTF-8 where one character is an emoji.
FACTOR = 12
SLACK_BYTES = 8 * 1024 * 1024
TEXT = "x" * (BODY_BYTES - 8) + "😀"
METHODS = {"/v1/traces": TRACES.grpc_method, "/v1/logs": LOGS.grpc_method}
# Large blocks go back to the system at once, so that a request's peak is its own.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2"}

Send = Callable[[str, Message], str]


@pytest.fixture(scope="module")
def site() -> Iterator[servers.Site]:
    with servers.site(MAX_BODY_BYTES=str(BODY_BYTES + 65_536), **ALLOCATOR) as running:
        yield running


def status_bytes(site: servers.Site, field: str) -> int:
    total = 0
    process = psutil.Process(site.process.pid)
    for pid in (process.pid, *(child.pid for child in process.children(recursive=True))):
        with open(f"/proc/{pid}/status") as lines:
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
    return total


def forget_peak(site: servers.Site) -> None:
    process = psutil.Process(site.process.pid)
    for pid in (process.pid, *(child.pid for child in process.children(recursive=True))):
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")


def post(site: servers.Site, path: str, body: bytes, content_type: str) -> str:
    headers = {**site.headers, "Content-Type": content_type}
    return str(urllib3.request("POST", site.url + path, body=body, headers=headers, retries=False).status)


def over_protobuf(site: servers.Site, path: str, request: Message) -> str:
    return post(site, path, request.SerializeToString(), "application/x-protobuf")


def over_json(site: servers.Site, path: str, request: Message) -> str:
    """Bytes are text there, a third or twice as long: what no longer fits is refused, which has to be as cheap."""
    body = json.dumps(json_mapping.to_json(request), ensure_ascii=False).encode()
    return post(site, path, body, "application/json")


def over_grpc(site: servers.Site, path: str, request: Message) -> str:
    with grpc.insecure_channel(site.grpc_target) as channel:
        call = channel.unary_unary(METHODS[path])
        try:
            call(request.SerializeToString(), metadata=(("authorization", f"Bearer {site.key}"),), timeout=30)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


@pytest.mark.parametrize("send", [over_protobuf, over_json, over_grpc])
def test_a_large_field_takes_a_stated_multiple_of_its_bytes(site: servers.Site, send) -> None:
    for _ in range(5):  # what is made once and kept: connections, threads, tables
        send(site, "/v1/traces", export_request(span()))
    send(site, "/v1/traces", export_request(span("x" * BODY_BYTES)))
    too_much = {}
    for name, path, request in requests_with(TEXT):
        before = status_bytes(site, "VmRSS")
        forget_peak(site)
        answered = send(site, path, request)
        taken = status_bytes(site, "VmHWM") - before
        if taken > FACTOR * BODY_BYTES + SLACK_BYTES or answered not in {"200", "OK", "413"}:
            too_much[name] = (answered, round(taken / BODY_BYTES, 1))
    assert too_much == {}
