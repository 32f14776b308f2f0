"""Generated requests to every operation of the API, by everybody: no surprise for anyone, and nothing for strangers."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from tests.walk.test_walk import WHOLE
from tests.walk.world import MARK, actors, build

MODES = list(schemathesis.GenerationMode) if WHOLE else [schemathesis.GenerationMode.NEGATIVE]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]


@pytest.fixture
def schema(db: None) -> Iterator[Any]:
    """The program as schemathesis sees it, within the test's transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/docs/json", get_wsgi_application(), headers={"Accept-Encoding": "identity"})
    for signal in signals:
        signal.connect(close_old_connections)


def generated(strategy: Any, ask: Callable[..., None]) -> None:
    """Ask a few cases of the strategy, the same in every run."""

    @settings(
        max_examples=20 if WHOLE else 2,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def check(case: schemathesis.Case) -> None:
        ask(case)

    check()


def test_no_generated_request_of_anybody_breaks_anything_or_shows_what_is_not_theirs(project, other_project, schema):
    world = build(project)
    everybody = actors(project, other_project)
    tried = dict.fromkeys(everybody, 0)

    def ask(case: schemathesis.Case, name: str) -> None:
        client = everybody[name].client
        tried[name] += 1
        for parameter, known in (("id", world.trace.trace_id), ("trace_id", world.trace.trace_id)):
            if parameter in (case.path_parameters or {}) and tried[name] % 2:
                case.path_parameters[parameter] = known
        if "span_id" in (case.path_parameters or {}) and tried[name] % 2:
            case.path_parameters["span_id"] = world.span.span_id
        key = client.defaults.get("HTTP_X_BEE_AUTHORIZATION")
        session = client.cookies.get("sessionid")
        case.headers = {**(case.headers or {}), "Accept-Encoding": "identity"}
        case.headers.pop("x-bee-authorization", None)
        case.headers |= {"x-bee-authorization": key} if key else {}
        case.cookies = {"sessionid": session.value} if session else {}
        answer = case.call_and_validate(checks=CHECKS)
        assert everybody[name].sees or MARK not in answer.text

    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.method.upper() == "DELETE" or operation.path.endswith("/delete"):
            names = [name for name, actor in everybody.items() if not actor.writes]  # the others would end the world
        else:
            names = list(everybody)
        for name in names:
            for mode in MODES:
                generated(operation.as_strategy(generation_mode=mode), partial(ask, name=name))
    assert all(count > 20 for count in tried.values()), tried
