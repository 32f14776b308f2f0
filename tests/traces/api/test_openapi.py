"""The OpenAPI document: valid, committed, and true."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.builders import new_trace_id, span
from tests.traces.api.conftest import BeeRun
from tests.traces.api.test_lists import LLM

# In-process, nothing unpacks what schemathesis asks for by default.
IDENTITY = {"Accept-Encoding": "identity"}
COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.yaml"


def test_the_document_is_valid_and_the_committed_one_is_current():
    generated = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=generated)
    assert COMMITTED.read_text() == generated.getvalue(), (
        "run `python manage.py spectacular --file docs/openapi.yaml` and commit it"
    )


@pytest.fixture(scope="module")
def document() -> dict:
    return Client().get("/docs/json").json()


def operations(document: dict) -> dict[str, dict]:
    return {
        f"{method} {path}": operation for path, item in document["paths"].items() for method, operation in item.items()
    }


def test_every_operation_explains_itself_and_every_parameter_too(document):
    for name, operation in operations(document).items():
        assert operation["summary"], name
        assert operation["description"], name
        for parameter in operation.get("parameters", []):
            assert parameter["in"] != "query" or parameter.get("description"), (name, parameter["name"])


def test_reading_operations_have_examples(document):
    for name in ("get /v1/traces", "get /v1/traces/{id}", "get /v1/traces/{trace_id}/spans", "get /v1/spans"):
        answer = operations(document)[name]["responses"]["200"]["content"]["application/json"]
        assert answer["examples"], name


def test_the_paths_that_generated_clients_know_are_there(document):
    assert document["openapi"] == "3.1.0"
    assert {"/v1/traces", "/v1/traces/{id}", "/v1/traces/{trace_id}/spans"} <= set(document["paths"])
    scheme = document["components"]["securitySchemes"]["beeKeyAuth"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "x-bee-authorization")


def test_answers_name_their_headers(document):
    export, get_trace = operations(document)["post /v1/traces"], operations(document)["get /v1/traces/{id}"]
    with_receipt = {
        status for status, answer in export["responses"].items() if "x-receipt-id" in answer.get("headers", {})
    }
    assert with_receipt == {"200", "400", "403", "408", "413", "415"}
    for operation, status in ((export, "429"), (export, "503"), (get_trace, "404"), (get_trace, "503")):
        assert "Retry-After" in operation["responses"][status]["headers"]


@pytest.fixture
def trace_id(store) -> str:
    """Traces of several kinds; the id of one."""
    made, odd = BeeRun(), BeeRun("cafecafe", data="[1", response="17", prompt=5)
    for run in (made, odd):
        store(*run.spans, scope=run.scope)
    identifier = new_trace_id()
    store(
        span("chat", trace_id=identifier, span_id="ab" * 8, attrs=LLM | {"b": b"\xff", "n": None}),
        span("orphan", trace_id=identifier, parent_span_id="ff" * 8),
    )
    return identifier


@pytest.fixture
def schema(db) -> Iterator[Any]:
    """The program as schemathesis sees it, within the test's transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/docs/json", get_wsgi_application(), headers=IDENTITY)
    for signal in signals:
        signal.connect(close_old_connections)


CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


def conforms(case: schemathesis.Case, key: str) -> None:
    case.headers = {**(case.headers or {}), **IDENTITY, "x-bee-authorization": key}
    case.call_and_validate(checks=list(CHECKS))


def test_no_input_leads_to_an_undocumented_answer(key, trace_id, schema):
    """Generated requests, valid and not; about half of them at traces that exist."""
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=40,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def check(case: schemathesis.Case) -> None:
            nonlocal tried
            tried += 1
            for name in ("id", "trace_id"):
                if name in (case.path_parameters or {}) and tried % 2:
                    case.path_parameters[name] = ["d3f41ddf", "cafecafe", trace_id][tried % 3]
            if "span_id" in (case.path_parameters or {}) and tried % 2:
                case.path_parameters["span_id"] = "ab" * 8
            conforms(case, key)

        given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE))(check)()
        given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))(check)()
    assert tried > 100


@pytest.mark.parametrize("identifier", ["d3f41ddf", "cafecafe", "otel"])
def test_the_answers_for_stored_traces_have_the_documented_shape(key, trace_id, schema, identifier):
    identifier = trace_id if identifier == "otel" else identifier
    query = {"include_tree": "true", "include_mlflow": "true", "include_mlflow_tree": "true"}
    for path, parameters, values in [
        ("/v1/traces/{id}", {"id": identifier}, query),
        ("/v1/traces/{trace_id}/spans", {"trace_id": identifier}, {"include_attributes_ctx": "true"}),
        ("/v1/traces/{trace_id}/spans/{span_id}", {"trace_id": trace_id, "span_id": "ab" * 8}, {}),
        ("/v1/traces", {}, query),
        ("/v1/spans", {}, {}),
    ]:
        case = schema[path]["GET"].Case(path_parameters=parameters, query=values)
        conforms(case, key)
