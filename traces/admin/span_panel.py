"""One span made ready for the panel of the trace page: pure, no queries; nothing marked as safe."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from spans.models import Span, SpanKind, SpanLog, StatusCode
from spans.project_tables import tables_for
from spans.semconv.content import SpanContent, content
from spans.semconv.parts import text_of_result
from spans.timestamps import format_duration
from traces.admin.texts import Message, Text, shown, shown_messages
from traces.models import Trace

# Of longer lists the page says how many more there are.
MAX_ITEMS = 500
LOG_TITLE = 200
SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")

T = TypeVar("T")
U = TypeVar("U")


@dataclass(slots=True)
class First(Generic[T]):
    """The first MAX_ITEMS of a list. Its length is that of the whole list; `hidden` are not in it."""

    items: list[T]
    hidden: int

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items) + self.hidden


def first(items: Sequence[U], show: Callable[[U], T]) -> First[T]:
    """The first of the items, as `show` makes them."""
    return First([show(item) for item in items[:MAX_ITEMS]], max(0, len(items) - MAX_ITEMS))


@dataclass(slots=True)
class Document:
    id: str
    score: str
    body: Text
    metadata: Text | None


@dataclass(slots=True)
class Section:
    """A block of the content tab: messages, documents or one text."""

    title: str
    messages: list[Message] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    body: Text | None = None
    hidden_items: int = 0
    is_open: bool = True


@dataclass(slots=True)
class Attribute:
    key: str
    type: str
    body: Text


@dataclass(slots=True)
class Event:
    name: str
    time_unix_nano: int
    after_start: str
    attributes: First[Attribute]


@dataclass(slots=True)
class Log:
    """A log record: what it is called, or the line that it says."""

    title: str
    severity: str
    time_unix_nano: int
    after_start: str
    body: Text | None
    attributes: First[Attribute]
    warnings: list[str]


@dataclass(slots=True)
class Link:
    trace_id: str
    span_id: str
    attributes: First[Attribute]


@dataclass(slots=True)
class SpanDetail:
    facts: list[tuple[str, Any]]
    error: Text | None
    error_title: str
    sections: list[Section]
    attributes: First[Attribute]
    events: First[Event]
    logs: First[Log]
    links: First[Link]
    resource: First[Attribute]
    scope: list[tuple[str, str]]
    scope_attributes: First[Attribute]
    dropped: list[tuple[str, int]]
    explanation: list[tuple[str, str, str]]


def attribute_type(value: Any) -> str:
    """The OTLP type of a stored value (see spans.values)."""
    if isinstance(value, dict):
        if len(value) == 1:
            tags = {"$bytes": "bytes", "$double": "double", "$map": "map"}
            return tags.get(next(iter(value)), "map")
        return "map"
    names = {str: "string", bool: "bool", int: "int", float: "double", list: "array", type(None): "empty"}
    return names.get(type(value), "")


def attribute_rows(attributes: Mapping[str, Any] | None) -> First[Attribute]:
    """By key; the keys of a family stand together."""
    return first(
        sorted((attributes or {}).items()),
        lambda pair: Attribute(pair[0], attribute_type(pair[1]), shown(pair[1])),
    )


def _documents(documents: Iterable[Mapping[str, Any]]) -> list[Document]:
    return [
        Document(
            str(document.get("id") or ""),
            "" if document.get("score") is None else str(document["score"]),
            shown(document.get("content") or ""),
            shown(document["metadata"]) if document.get("metadata") else None,
        )
        for document in documents
    ]


def _limited(section: Section) -> Section:
    """The section with at most MAX_ITEMS messages and documents; a conversation keeps its end."""
    count = len(section.messages) + len(section.documents)
    section.messages = section.messages[-MAX_ITEMS:]
    section.documents = section.documents[:MAX_ITEMS]
    section.hidden_items = count - len(section.messages) - len(section.documents)
    return section


def _sections(found: SpanContent) -> list[Section]:
    """What people look for first, in the order in which it happened; without a value no section."""
    sections = []
    if found.tool_arguments is not None:
        sections.append(Section("Tool arguments", body=shown(found.tool_arguments)))
    elif found.input_messages:
        sections.append(Section("Input", messages=shown_messages(found.input_messages)))
    elif found.embedding_inputs:
        texts = [{"role": "text", "parts": [{"type": "text", "text": text}]} for text in found.embedding_inputs]
        sections.append(Section("Embedded texts", messages=shown_messages(texts)))
    elif found.input is not None:
        sections.append(Section("Input", body=shown(found.input)))
    if found.documents:
        sections.append(Section(f"Documents ({len(found.documents)})", documents=_documents(found.documents)))
    if found.tool_result is not None:
        sections.append(Section("Tool result", body=shown(text_of_result(found.tool_result))))
    elif found.output_messages:
        sections.append(Section("Output", messages=shown_messages(found.output_messages)))
    elif found.output is not None and not found.documents:
        sections.append(Section("Output", body=shown(found.output)))
    folded = (
        ("Request parameters", found.request_parameters),
        (f"Tools offered ({len(found.tool_definitions)})", found.tool_definitions),
        ("Prompt template", found.prompt_template),
        ("Prompt variables", found.prompt_variables),
        ("Metadata", found.metadata),
    )
    sections += [Section(title, body=shown(value), is_open=False) for title, value in folded if value]
    return [_limited(section) for section in sections]


def _enum(choices: Any, value: int) -> str:
    return str(choices(value).name) if value in choices.values else str(value)


def _facts(trace: Trace, span: Span, found: SpanContent) -> list[tuple[str, Any]]:
    offset = max(0, span.start_time_unix_nano - trace.start_time_unix_nano)
    labelled = [
        ("Duration", format_duration(span.duration_ns)),
        ("Starts after", format_duration(offset)),
        ("Status", _enum(StatusCode, span.status_code)),
        ("Kind", _enum(SpanKind, span.kind)),
        ("Operation", span.operation_name),
        ("Provider", span.provider_name),
        ("Requested model", span.request_model if span.request_model != span.response_model else ""),
        ("Model", span.response_model),
        ("Tool", span.tool_name),
        ("Agent", found.agent_name),
        ("Finish reason", ", ".join(found.finish_reasons)),
        ("First token after", _milliseconds(found.time_to_first_token_ms)),
        ("Prompt", " ".join(filter(None, (found.prompt_name, found.prompt_version)))),
        ("Tags", ", ".join(found.tags)),
        ("Environment", found.environment),
        ("Release", found.release),
        ("Service", span.service_name),
        ("Session", span.session_id),
        ("User", span.user_id),
    ]
    return [(label, value) for label, value in labelled if value]


def _milliseconds(value: float | None) -> str:
    return "" if value is None else format_duration(round(value * 1_000_000))


def error_text(found: SpanContent, span: Span) -> str:
    """The class and the message of a span's error; "" where it has neither."""
    message = found.error_message or span.status_message
    if found.error_type and found.error_type not in message:
        return f"{found.error_type}: {message}" if message else found.error_type
    return message


def _error(span: Span, found: SpanContent) -> Text | None:
    text = error_text(found, span)
    return Text(text or "The span failed and says no more.") if found.is_error or text else None


def _dropped(span: Span) -> list[tuple[str, int]]:
    counts = (
        ("attributes", span.dropped_attributes_count),
        ("events", span.dropped_events_count),
        ("links", span.dropped_links_count),
    )
    return [(name, count) for name, count in counts if count]


def _event(span: Span, event: Mapping[str, Any]) -> Event:
    time_unix_nano = event.get("time_unix_nano", 0)
    after_start = format_duration(max(0, time_unix_nano - span.start_time_unix_nano))
    return Event(event.get("name", ""), time_unix_nano, after_start, attribute_rows(event.get("attributes")))


def _log(span: Span, log: SpanLog) -> Log:
    after_start = format_duration(max(0, log.time_unix_nano - span.start_time_unix_nano))
    is_line = isinstance(log.body, str) and not log.name
    title = log.body.partition("\n")[0][:LOG_TITLE] if is_line else log.name
    is_told = log.body is None or log.body == title
    return Log(
        title=title or "log record",
        severity=log.severity_text[:20] or _severity(log.severity_number),
        time_unix_nano=log.time_unix_nano,
        after_start=after_start,
        body=None if is_told else shown(log.body),
        attributes=attribute_rows(log.attributes),
        warnings=log.warnings,
    )


def _severity(number: int) -> str:
    """The name of OpenTelemetry's range that the number is in; "" where it is in none."""
    return SEVERITIES[(number - 1) // 4] if 1 <= number <= 24 else ""


def describe(trace: Trace, span: Span, logs: Sequence[SpanLog] = (), unread_logs: int = 0) -> SpanDetail:
    """Everything the panel shows. The span has its payload; so many log records more are kept of it."""
    scope = span.scope or {}
    resource = (span.resource or {}).get("attributes") or {}
    found = content(span, resource, tables_for(trace.project))
    shown_logs = first(logs, lambda log: _log(span, log))
    shown_logs.hidden += unread_logs
    return SpanDetail(
        facts=_facts(trace, span, found),
        error=_error(span, found),
        error_title="" if found.is_error else found.control_flow.capitalize() or "An error that the span survived",
        sections=_sections(found),
        attributes=attribute_rows(span.attributes),
        events=first(span.events, lambda event: _event(span, event)),
        logs=shown_logs,
        links=first(
            span.links,
            lambda link: Link(
                link.get("trace_id", ""), link.get("span_id", ""), attribute_rows(link.get("attributes"))
            ),
        ),
        resource=attribute_rows(resource),
        scope=[(name, str(scope[name])) for name in ("name", "version", "schema_url") if scope.get(name)],
        scope_attributes=attribute_rows(scope.get("attributes")),
        dropped=_dropped(span),
        explanation=[
            (name, reason["rule"], reason["attribute"]) for name, reason in sorted(found.normalization.items())
        ],
    )
