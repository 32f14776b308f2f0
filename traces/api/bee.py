"""bee-observe's shapes, read from spans of any kind: its attributes object, its request and response, and its runs.

A run is what bee-observe calls a trace: a main span, which carries the framework's id of the run, and the framework's
events of that run. One OTel trace may hold several runs, and spans of other instrumentations, which belong to none.
Nothing here fails on what an attribute holds: broken JSON and values of another type are wrapped in an object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from spans.models import Span
from spans.semconv.conventions.beeai import BEEAI
from spans.timestamps import from_unix_nano

SCOPES = frozenset(BEEAI.scopes)
TEXTS = ("target", "name", "traceId", "version", "prompt")
OBJECTS = ("data", "response")


def utc_milliseconds(unix_nano: int) -> str:
    """YYYY-MM-DDTHH:MM:SS.mmmZ, cut to milliseconds."""
    return from_unix_nano(unix_nano).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def status_code(span: Span) -> str:
    return "ERROR" if span.is_error else "OK"


def belongs_to_framework(span: Span) -> bool:
    return span.scope_name in SCOPES


def is_main(span: Span) -> bool:
    """Whether the span stands for a run: the conventions give only such a span a framework id."""
    return span.framework_trace_id != ""


def _text(span: Span, key: str) -> str:
    value = span.attributes.get(key)
    return value if isinstance(value, str) else ""


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        decoded: object = orjson.loads(value)
        return decoded
    except orjson.JSONDecodeError:
        return value


def _object(span: Span, key: str) -> dict[str, Any] | None:
    """The object in an attribute, any other value as {"value": …}, None where there is none."""
    value = _decoded(span.attributes.get(key))
    if value is None or isinstance(value, dict):
        return value
    return {"value": value}


def _history(span: Span) -> list[dict[str, Any]]:
    value = _decoded(span.attributes.get("history"))
    if value is None:
        return []
    return [
        item if isinstance(item, dict) else {"value": item} for item in (value if isinstance(value, list) else [value])
    ]


def attributes(span: Span, include_ctx: bool) -> dict[str, Any]:
    """bee-observe's attributes object beside the span's other attributes; spans of other scopes keep theirs as sent."""
    raw: dict[str, Any] = span.attributes
    if not belongs_to_framework(span):
        return raw
    found: dict[str, Any] = {key: value for key, value in raw.items() if key != "ctx"}
    found |= {key: _text(span, key) for key in TEXTS}
    found |= {key: _object(span, key) or {} for key in OBJECTS}
    found["history"] = _history(span)
    if include_ctx:
        found["ctx"] = _object(span, "ctx") or {}
    return found


def request(main: Span) -> dict[str, Any]:
    return {
        "message": _text(main, "prompt"),
        "history": _history(main),
        "framework": {"version": _text(main, "version")},
    }


def response(main: Span) -> dict[str, Any] | None:
    return _object(main, "response")


def tree_event(span: Span) -> dict[str, Any]:
    """The one event of a tree item: the span itself. `data` is null for spans that were read without their payload."""
    return {
        "name": span.name,
        "status_code": status_code(span),
        "status_message": span.status_message,
        "start_time": utc_milliseconds(span.start_time_unix_nano),
        "end_time": utc_milliseconds(span.end_time_unix_nano),
        "data": _object(span, "data") if _is_readable(span) else None,
    }


def target(span: Span) -> str:
    return _text(span, "target") if _is_readable(span) else ""


def _is_readable(span: Span) -> bool:
    """Whether it is the framework's, and was read with its payload."""
    return belongs_to_framework(span) and "attributes" not in span.get_deferred_fields()


@dataclass(frozen=True, slots=True)
class Run:
    """A main span and the events of its run, both with their payload, by start."""

    main: Span
    members: list[Span]

    def parent_ids(self, spans: Sequence[Span]) -> dict[str, str]:
        """Each member's parent within the run ("" for none): the nearest ancestor that is a member, else the main span.

        A member without any parent stands beside the main span, as in bee-observe. `spans` are all of the trace.
        """
        nearest = _nearest_mark(spans, {span.span_id: span.span_id for span in self.members})
        found = {self.main.span_id: ""}
        for member in self.members:
            if member is not self.main:
                above = nearest.get(member.parent_span_id) or self.main.span_id
                found[member.span_id] = above if member.parent_span_id else ""
        return found


def find_run(spans: Sequence[Span], framework_trace_id: str) -> Run | None:
    """The run with this id among the spans of a trace, which have their payload and are in order of start.

    Its members name its id in `traceId`; those of framework versions that name none hang below its main span, and
    belong to it in any case if the trace has no other run.
    """
    own = [span for span in spans if belongs_to_framework(span)]
    mains = {span.span_id: span for span in own if is_main(span)}
    main = next((span for span in mains.values() if span.framework_trace_id == framework_trace_id), None)
    if main is None:
        return None
    run_ids = {span.framework_trace_id for span in mains.values()}
    run_of = _nearest_mark(spans, {span_id: span.framework_trace_id for span_id, span in mains.items()})

    def belongs(span: Span) -> bool:
        named = _text(span, "traceId")
        return (named or (run_of[span.span_id] if len(run_ids) > 1 else framework_trace_id)) == framework_trace_id

    return Run(main, [span for span in own if belongs(span)])


def _nearest_mark(spans: Sequence[Span], marks: Mapping[str, str]) -> dict[str, str]:
    """For every span the mark of itself or its nearest marked ancestor, "" where there is none. Linear.

    A chain that comes back to itself has none.
    """
    parent_of = {span.span_id: span.parent_span_id for span in spans}
    found = dict(marks)
    for span in spans:
        path: list[str] = []
        on_path: set[str] = set()
        span_id = span.span_id
        while span_id in parent_of and span_id not in found and span_id not in on_path:
            path.append(span_id)
            on_path.add(span_id)
            span_id = parent_of[span_id]
        mark = found.get(span_id, "")
        found.update((passed, mark) for passed in path)
    return found
