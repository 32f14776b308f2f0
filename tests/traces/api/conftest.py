"""Clients of the API, and traces in it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from projects.models import Project
from tests.builders import export_request, new_span_id, new_trace_id, span
from traces.otlp.receiver import export

START_NS = 1_730_000_000_000_000_000
MS = 1_000_000


@pytest.fixture
def api(key: str) -> Client:
    """The project's own client."""
    return Client(headers={"x-bee-authorization": key})


@pytest.fixture
def stranger(other_key: str) -> Client:
    """A client with a key of another project."""
    return Client(headers={"x-bee-authorization": other_key})


@pytest.fixture
def store(project: Project) -> Callable[..., None]:
    """Store spans in the project, as a request to the receiver would."""

    def store_spans(*spans: Any, **fields: Any) -> None:
        export(export_request(*spans, **fields), project)

    return store_spans


class BeeRun:
    """What BeeAI's TypeScript framework sends for one run: a main span, an iteration below it, an event below that."""

    def __init__(
        self, run_id: str = "d3f41ddf", scope: str = "beeai-framework", trace_id: str = "", **main: Any
    ) -> None:
        self.run_id, self.scope = run_id, scope
        self.trace_id = trace_id or new_trace_id()
        self.main_id, self.agent_id, self.update_id = new_span_id(), new_span_id(), new_span_id()
        self.main = span(
            f"{scope}-BeeAgent-{run_id}",
            trace_id=self.trace_id,
            span_id=self.main_id,
            start_ns=START_NS,
            duration_ns=101 * MS,
            attrs={
                "traceId": run_id,
                "version": "0.1.2",
                "prompt": "hello",
                "history": '[{"role":"user","text":"before"}]',
                "response": '{"role":"assistant","text":"Hi!"}',
            }
            | main,
        )
        self.agent = self.event("iteration-1", self.agent_id, self.main_id, {"target": "groupId"}, 3, 148)
        self.update = self.event(
            "agent.run-1",
            self.update_id,
            self.agent_id,
            {"target": "agent.run", "name": "newToken", "data": '{"x":null}', "ctx": '{"deep":1}'},
            5,
            10,
        )

    def event(
        self, name: str, span_id: str, parent: str, attrs: dict[str, Any], start_ms: int, duration_ms: int
    ) -> Any:
        return span(
            name,
            trace_id=self.trace_id,
            span_id=span_id,
            parent_span_id=parent,
            start_ns=START_NS + start_ms * MS,
            duration_ns=duration_ms * MS,
            attrs={"traceId": self.run_id} | attrs,
        )

    @property
    def spans(self) -> list[Any]:
        """In the order in which the framework ends, and so exports, them."""
        return [self.update, self.agent, self.main]
