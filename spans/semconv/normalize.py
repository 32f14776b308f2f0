"""The fast path: what a span's columns say, set while it is being received."""

from typing import Any

from spans.providers import canonical_provider
from spans.records import ResourceRecord
from spans.semconv.failures import STATUS_ERROR, judge
from spans.semconv.json_values import as_text
from spans.semconv.previews import line, messages_preview, preview
from spans.semconv.sources import Family, OfResource, Source, logs_as_events
from spans.semconv.span_usage import USAGE, clear_usage, set_usage
from spans.semconv.tables import BUILT_IN, ProjectTables

LABELS = frozenset(("title", "trace_name", "trace_input", "trace_output"))
MODEL_CALLS = frozenset(("LLM", "CHAT_MODEL"))

# The operation of a span whose convention has types but no operation names.
OPERATION_OF_TYPE = {
    "LLM": "chat",
    "CHAT_MODEL": "chat",
    "EMBEDDING": "embeddings",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
    "RETRIEVER": "retrieval",
    "RERANKER": "rerank",
    "WORKFLOW": "invoke_workflow",
}


def normalize(record: Any, tables: ProjectTables = BUILT_IN) -> None:
    """Sets the normalized columns of a `SpanRecord` (or a `Span` row); its raw ones and its logs stay as they are."""
    if record.logs:
        with logs_as_events(record):
            _normalize(record, tables)
    else:
        _normalize(record, tables)


def _normalize(record: Any, tables: ProjectTables) -> None:
    found, unread = tables.columns.first_values(record)
    get = found.get
    span_type = get("span_type") or "UNKNOWN"
    record.span_type = span_type
    record.operation_name = get("operation_name") or OPERATION_OF_TYPE.get(span_type, "")
    provider = get("provider_name")
    record.provider_name = canonical_provider(provider) if provider else ""
    record.request_model = get("request_model") or ""
    record.response_model = get("response_model") or ""
    record.tool_name = get("tool_name") or ""
    if USAGE.isdisjoint(found):
        clear_usage(record)
    else:
        set_usage(record, get, tables.prices)
    session_id, user_id = get("session_id"), get("user_id")
    if session_id is None or user_id is None:
        told = _told_by_resource(record.resource, tables)
        session_id, user_id = session_id or told.get("session_id"), user_id or told.get("user_id")
    record.session_id = session_id or ""
    record.user_id = user_id or ""
    record.framework_trace_id = get("framework_trace_id") or ""
    record.labels = None if LABELS.isdisjoint(found) else _labels(record, found)
    error_type, is_told = get("error_type") or "", bool(get("is_error"))
    record.is_error, record.error_type = False, error_type
    if error_type or is_told or record.status_code == STATUS_ERROR or span_type == "TOOL":
        message = get("error_message") or record.status_message
        result = _first(record, unread.get("output")) if span_type == "TOOL" else None
        record.is_error, record.error_type = judge(record.status_code, is_told, error_type, message, result)
    record.input_preview = record.output_preview = ""
    try:
        record.input_preview = _preview(record, unread.get("input_messages"), unread.get("input"), False)
        record.output_preview = _preview(record, unread.get("output_messages"), unread.get("output"), True)
    except RecursionError:
        return  # content nested hundreds of levels deep has no preview


def _labels(record: Any, found: dict[str, Any]) -> dict[str, str] | None:
    """What the program calls the span and its trace; of the trace's input and output the previews."""
    labels: dict[str, str] = {name: found[name] for name in ("title", "trace_name") if name in found}
    if labels.get("title") == record.name:
        del labels["title"]
    for name in ("trace_input", "trace_output"):
        if name in found and (text := preview(found[name], output=name == "trace_output")):
            labels[name] = text
    return labels or None


def _told_by_resource(resource: Any, tables: ProjectTables) -> dict[str, Any]:
    """Session and user of a resource, which are those of all its spans; looked up once for those of a request."""
    if isinstance(resource, ResourceRecord):
        if resource.told is None:
            resource.told = tables.resource.first_values(OfResource(resource.attributes))[0]
        return resource.told
    return tables.resource.first_values(OfResource((resource or {}).get("attributes") or {}))[0]


def _preview(record: Any, messages: list[Source] | None, values: list[Source] | None, output: bool) -> str:
    """Of a model call the messages say more than the value, which is the whole request; elsewhere the value does.

    A failed call with a message has no other answer: its value is the response to the failed request.
    """
    text = ""
    is_call = record.span_type in MODEL_CALLS
    is_tool = record.span_type == "TOOL"
    if messages and is_call:
        text = _messages_preview(record, messages, output)
        if output and record.is_error:
            return text
    if values and not text:
        value = _first(record, values)
        if value is not None:
            text = preview(value, output=output) if output or not is_tool else line(as_text(value))
    if messages and not text and not is_call:
        text = _messages_preview(record, messages, output)
    return text


def _first(record: Any, sources: list[Source] | None) -> Any:
    """What the best source that has something to read yields."""
    for source in sources or ():
        value = source.read(record)
        if value is not None:
            return value
    return None


def _messages_preview(record: Any, sources: list[Source], output: bool) -> str:
    for source in sources:
        value = source.read_last(record, output) if isinstance(source, Family) else source.read(record)
        if value is not None:
            return messages_preview(value, output=output)
    return ""
