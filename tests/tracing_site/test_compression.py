"""What is read comes compressed to clients that accept it."""

import gzip
import json

import pytest

from projects.models import Project
from tests.builders import export_request, new_trace_id, span
from traces.otlp.receiver import export

GZIP = "deflate, gzip;q=0.8, br"


@pytest.fixture
def trace_id(project: Project) -> str:
    identifier = new_trace_id()
    export(export_request(*(span(f"step {n}", trace_id=identifier) for n in range(20))), project)
    return identifier


@pytest.mark.parametrize("path", ["/v1/traces/{}/spans", "/v1/traces/{}/otlp", "/v1/spans"])
def test_the_read_api_is_compressed(client, key, trace_id, path):
    url, headers = path.format(trace_id), {"x-bee-authorization": key}
    plain = client.get(url, headers=headers)
    packed = client.get(url, headers=headers | {"Accept-Encoding": GZIP})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert int(packed.headers["Content-Length"]) == len(packed.content) < len(plain.content) / 3
    assert all("Accept-Encoding" in answer.headers["Vary"] for answer in (plain, packed))


@pytest.mark.parametrize("url", ["/docs/json", "/docs/yaml", "/admin/login/"])
def test_pages_and_the_openapi_document_are_compressed(client, db, url):
    packed = client.get(url, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(gzip.decompress(packed.content)) > len(packed.content)


def test_the_size_of_a_page_varies_so_that_it_tells_no_secret(client, db):
    sizes = {len(client.get("/admin/login/", headers={"Accept-Encoding": "gzip"}).content) for _ in range(20)}
    assert len(sizes) > 1


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, deflate"])
def test_clients_that_do_not_accept_it_get_plain_answers(client, key, trace_id, accepted):
    headers = {"x-bee-authorization": key, "Accept-Encoding": accepted}
    answer = client.get("/v1/spans", headers=headers)
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.json()["results"]


def test_short_answers_and_those_to_exports_stay_as_they_are(client, key):
    headers = {"x-bee-authorization": key, "Accept-Encoding": "gzip"}
    assert "Content-Encoding" not in client.get("/v1/traces", headers=headers).headers
    rejected = [{"name": "n" * 5000, "traceId": "", "spanId": ""}]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": rejected}]}]})
    answer = client.post("/v1/traces", body, content_type="application/json", headers=headers)
    assert "Content-Encoding" not in answer.headers
