"""Health, readiness, docs, and errors outside of any view."""

import pytest
from django.contrib.staticfiles import finders
from django.db import OperationalError, connection
from django.test import Client

DOCUMENTS = {
    "/docs": "text/html; charset=utf-8",
    "/docs/redoc": "text/html; charset=utf-8",
    "/docs/json": "application/json; charset=utf-8",
    "/docs/yaml": "application/yaml; charset=utf-8",
}


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_health_answers_any_method_without_key_or_database(client, method):
    response = getattr(client, method)("/health")
    assert response.status_code == 200
    if method != "head":
        assert response.json() == {"status": "ok"}


def test_health_needs_no_csrf_token():
    assert Client(enforce_csrf_checks=True).post("/health").status_code == 200


def fail(*args, **kwargs):
    raise OperationalError("no route to host secret-host")


@pytest.mark.parametrize("url", ["/v1/traces", "/v1/traces/x", "/v1/traces/x/spans", "/v1/spans", "/system"])
def test_a_database_that_is_down_is_503_with_retry_after(client, db, key, url):
    with connection.execute_wrapper(fail):
        response = client.get(url, headers={"x-bee-authorization": key})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.json()["code"] == "SERVICE_UNAVAILABLE"
    assert "secret-host" not in response.content.decode()


def test_an_unexpected_error_is_json_without_details(db, key, monkeypatch):
    monkeypatch.setattr("traces.reading.queries.get_trace", lambda *args: 1 / 0)
    client = Client(raise_request_exception=False)
    response = client.get("/v1/traces/x", headers={"x-bee-authorization": key})
    assert (response.status_code, response.json()["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "division" not in response.content.decode()


def test_the_system_says_what_it_is(client, key, settings):
    settings.MLFLOW_TRACKING_URI = "http://user:secret@mlflow:5000"
    settings.GIT_TAG = "1.2.3"
    answer = client.get("/system", headers={"x-bee-authorization": key}).json()
    assert answer["git"] == {"tag": "1.2.3"}
    assert answer["mlflow"] == {"url": "http://mlflow:5000", "default_experiment_id": "0"}
    assert answer["version"]


def test_unknown_paths_are_json_outside_the_admin(client, db):
    response = client.get("/nothing/here")
    assert (response.status_code, response.json()["message"]) == (404, "Route does not exist")
    assert "/nothing/here" in response.json()["reason"]


@pytest.mark.parametrize("url", ["/", "/admin"])
def test_the_root_leads_to_the_admin(client, url):
    assert client.get(url).headers["Location"] == "/admin/"


@pytest.mark.parametrize("url", ["/docs", "/docs/", "/docs/redoc"])
def test_the_docs_load_nothing_from_elsewhere(client, url):
    page = client.get(url)
    assert page.status_code == 200
    text = page.content.decode()
    assert "http://" not in text.replace("http://testserver", "")
    assert "https://" not in text
    assets = [part.split('"')[0].partition("?")[0] for part in text.split('"/static/')[1:]]
    assert assets
    for asset in assets:
        assert finders.find(asset), asset


@pytest.mark.parametrize("url", ["/docs/json", "/docs/yaml"])
def test_the_openapi_document_needs_no_key(client, url):
    response = client.get(url)
    assert response.status_code == 200
    assert b"x-bee-authorization" in response.content


@pytest.mark.parametrize("accept", ["text/html", "application/json", "application/yaml", "*/*"])
def test_the_docs_come_whatever_is_accepted(client, accept):
    types = {url: client.get(url, headers={"accept": accept}).headers["Content-Type"] for url in DOCUMENTS}
    assert types == DOCUMENTS


def test_json_outside_of_any_view_says_that_it_is_utf8(client, db):
    for url in ("/health", "/readyz", "/nothing"):
        assert client.get(url).headers["Content-Type"] == "application/json; charset=utf-8"
