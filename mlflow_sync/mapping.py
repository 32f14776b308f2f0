"""A stored trace in MLflow's terms. Pure: no query, no request.

What MLflow shows is decided here, by our normalized values, and not by what it would guess from raw attributes. Those
are sent too, but for what MLflow would stumble over: it refuses a whole request because of one value.
Sources: MLflow server/otel_api.py, tracing/constant.py, store/tracking/sqlalchemy_store.py (log_spans, start_trace).
"""

import base64
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from mlflow_sync.chat import chat_messages, chat_response, documents
from mlflow_sync.client import OWNER_TAG
from mlflow_sync.costs import Cost, span_cost, trace_cost
from spans.models import Span, SpanType
from spans.project_tables import tables_for
from spans.semconv import BUILT_IN, ProjectTables, SpanContent, content
from traces.models import Trace
from traces.otlp.encode import encode_value, traces_data

PROJECT_TAG = "llm_tracing.project"
TRACE_ID_TAG = "llm_tracing.trace_id"
TRACE_NAME_TAG = "mlflow.traceName"
TRACE_TAG_PREFIX = "mlflow.traceTag."

# Limits. Source: mlflow/utils/validation.py, entities/trace_info.py.
MAX_METADATA_CHARACTERS = 250
MAX_NAME_CHARACTERS = 4096
MAX_PREVIEW_CHARACTERS = 1000
MAX_CLIENT_REQUEST_ID_CHARACTERS = 50

# Span attributes that are ours to say; what a client sent under these names is left out.
SPAN_TYPE = "mlflow.spanType"
INPUTS = "mlflow.spanInputs"
OUTPUTS = "mlflow.spanOutputs"
TOKEN_USAGE = "mlflow.chat.tokenUsage"  # noqa: S105
COST = "mlflow.llm.cost"
MODEL = "mlflow.llm.model"
PROVIDER = "mlflow.llm.provider"
MESSAGE_FORMAT = "mlflow.message.format"
OWN_ATTRIBUTES = {SPAN_TYPE, INPUTS, OUTPUTS, TOKEN_USAGE, COST, MODEL, PROVIDER}
# Span attributes that MLflow makes columns of: they must be short text.
IDENTITY_ATTRIBUTES = {"session.id", "gen_ai.conversation.id", "user.id"}


class Identity(NamedTuple):
    """How a trace is called in MLflow, and the tags that say whose it is."""

    mlflow_trace_id: str
    owner: str
    project_slug: str


def mlflow_id(trace_id: str) -> str:
    """The id that MLflow gives an OTel trace."""
    return f"tr-{trace_id}"


def fit(text: str, limit: int) -> str:
    """The text, or its beginning and a digest of all of it, so that two long texts stay apart."""
    if len(text) <= limit:
        return text
    return f"{text[: limit - 17]}~{blake2b(text.encode(), digest_size=8).hexdigest()}"


def span_batch(identity: Identity, trace: Trace, rows: Sequence[Span], cut_parents: Collection[str]) -> TracesData:
    """Some of the trace's spans, with payload, as MLflow is to get them.

    `cut_parents` are the span ids whose parents are to be left out, because they would make a cycle.
    """
    data = traces_data(trace.trace_id, rows)
    by_id = {bytes.fromhex(row.span_id): row for row in rows}
    otel_trace_id = bytes.fromhex(identity.mlflow_trace_id.removeprefix("tr-"))
    for resource_spans in data.resource_spans:
        # MLflow makes tags of resource attributes, which marks the trace as ours with its first span.
        attributes = resource_spans.resource.attributes
        _replace(attributes, {OWNER_TAG: identity.owner, PROJECT_TAG: identity.project_slug})
        for pair in attributes:
            _make_jsonable(pair.value)
        for scope_spans in resource_spans.scope_spans:
            for message in scope_spans.spans:
                row = by_id[message.span_id]
                message.trace_id = otel_trace_id
                if row.span_id in cut_parents:
                    message.parent_span_id = b""
                _adapt(message, row, trace)
    return data


def _adapt(message: SpanMessage, row: Span, trace: Trace) -> None:
    if message.end_time_unix_nano == 0:
        message.end_time_unix_nano = message.start_time_unix_nano
    identities = {}
    for pair in message.attributes:
        if pair.key in IDENTITY_ATTRIBUTES:
            identities[pair.key] = fit(_plain_text(pair.value), MAX_METADATA_CHARACTERS)
        else:
            _make_jsonable(pair.value)
    ours = own_attributes(row, tables_for(trace.project))
    if not message.parent_span_id:
        ours[TRACE_TAG_PREFIX + TRACE_NAME_TAG] = fit(trace.name, MAX_NAME_CHARACTERS)
    _replace(message.attributes, identities | ours, OWN_ATTRIBUTES)
    for event in message.events:
        for pair in event.attributes:
            _make_jsonable(pair.value)


def own_attributes(row: Span, tables: ProjectTables = BUILT_IN) -> dict[str, str]:
    """The attributes that tell MLflow what our normalization found out about a span; values are JSON texts."""
    found = content(row, tables=tables)
    attributes: dict[str, Any] = {SPAN_TYPE: row.span_type, INPUTS: _inputs(found), OUTPUTS: _outputs(found)}
    if found.input_messages or found.output_messages:
        attributes[MESSAGE_FORMAT] = "openai"
    usage = token_usage(row)
    if usage:
        attributes[TOKEN_USAGE] = usage
    if cost := span_cost(row, tables):
        attributes[COST] = cost.in_mlflow
    if model := row.response_model or row.request_model:
        attributes[MODEL] = model
    if row.provider_name:
        attributes[PROVIDER] = row.provider_name
    return {key: _json_text(value) for key, value in attributes.items() if value is not None}


def _inputs(found: SpanContent) -> Any:
    if found.input_messages:
        return {"messages": chat_messages(found.input_messages)}
    return found.tool_arguments if found.input is None else _parsed(found.input)


def _outputs(found: SpanContent) -> Any:
    if found.output_messages:
        return chat_response(found.output_messages)
    if found.documents and found.span_type == SpanType.RETRIEVER:
        return documents(found.documents)
    return found.tool_result if found.output is None else _parsed(found.output)


def _parsed(text: str) -> Any:
    """An object or a list where the text is JSON of one, else the text."""
    if text[:1] in {"{", "["}:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return text


def token_usage(row: Span | Trace) -> dict[str, int]:
    """MLflow's token usage, with the parts that it has words for; empty where nothing is known."""
    input_tokens, output_tokens = row.input_tokens, row.output_tokens
    if input_tokens is None and output_tokens is None:
        return {}
    usage = {
        "input_tokens": input_tokens or 0,
        "output_tokens": output_tokens or 0,
        "total_tokens": (input_tokens or 0) + (output_tokens or 0),
    }
    parts = {
        "cache_read_input_tokens": row.cached_input_tokens,
        "cache_creation_input_tokens": row.cache_creation_input_tokens,
    }
    return usage | {name: number for name, number in parts.items() if number is not None}


def trace_info(identity: Identity, experiment_id: str, trace: Trace, calls: Iterable[Cost] = ()) -> dict[str, Any]:
    """The body of StartTraceV3: what MLflow lists a trace by. It wins over what MLflow derived from the spans.

    `calls` are the costs that make up the trace's.
    """
    metadata: dict[str, str] = {}
    if trace.session_id:
        metadata["mlflow.trace.session"] = fit(trace.session_id, MAX_METADATA_CHARACTERS)
    if trace.user_id:
        metadata["mlflow.trace.user"] = fit(trace.user_id, MAX_METADATA_CHARACTERS)
    if usage := token_usage(trace):
        metadata["mlflow.trace.tokenUsage"] = _json_text(usage)
    if trace.cost_usd is not None:
        metadata["mlflow.trace.cost"] = _json_text(trace_cost(trace.cost_usd, calls))
    tags = {OWNER_TAG: identity.owner, PROJECT_TAG: identity.project_slug}
    if trace.name:
        tags[TRACE_NAME_TAG] = fit(trace.name, MAX_NAME_CHARACTERS)
    if identity.mlflow_trace_id != mlflow_id(trace.trace_id):
        tags[TRACE_ID_TAG] = trace.trace_id
    info: dict[str, Any] = {
        "trace_id": identity.mlflow_trace_id,
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}},
        "request_time": _timestamp(trace.start_time_unix_nano),
        "execution_duration": f"{trace.duration_ns // 10**9}.{trace.duration_ns % 10**9:09d}s",
        "state": trace.status,
        "trace_metadata": metadata,
        "tags": tags,
    }
    if trace.framework_trace_id:
        info["client_request_id"] = fit(trace.framework_trace_id, MAX_CLIENT_REQUEST_ID_CHARACTERS)
    if trace.input_preview:
        info["request_preview"] = trace.input_preview[:MAX_PREVIEW_CHARACTERS]
    if trace.output_preview:
        info["response_preview"] = trace.output_preview[:MAX_PREVIEW_CHARACTERS]
    return info


def _timestamp(unix_nano: int) -> str:
    """RFC 3339 with nanoseconds, as protobuf's Timestamp reads it."""
    seconds, nanoseconds = divmod(unix_nano, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _json_text(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def _replace(
    attributes: "RepeatedCompositeFieldContainer[KeyValue]", values: dict[str, str], without: Iterable[str] = ()
) -> None:
    """Set text attributes in place of those of the same name, and leave out the names in `without`."""
    gone = {*values, *without}
    kept = [pair for pair in attributes if pair.key not in gone]
    if len(kept) < len(attributes):
        copies = [KeyValue.FromString(pair.SerializeToString()) for pair in kept]
        del attributes[:]
        attributes.extend(copies)
    for key, text in values.items():
        attributes.add(key=key).value.string_value = text


def _make_jsonable(value: AnyValue) -> None:
    """Bytes, at any depth, become base64 text: MLflow keeps attributes as JSON."""
    pending = [value]
    while pending:
        item = pending.pop()
        match item.WhichOneof("value"):
            case "bytes_value":
                encode_value(item, base64.b64encode(item.bytes_value).decode())
            case "array_value":
                pending.extend(item.array_value.values)
            case "kvlist_value":
                pending.extend(pair.value for pair in item.kvlist_value.values)


def _plain_text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    if kind in {"array_value", "kvlist_value"}:
        return str(value).strip()
    return str(getattr(value, kind)) if kind else ""
