"""The full normalized form of a span, computed when it is read, with the reason for every field."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from spans.price_list import list_version
from spans.pricing import OwnPrice
from spans.providers import canonical_provider
from spans.semconv.failures import control_flow, judge
from spans.semconv.fields import FIELDS
from spans.semconv.json_values import as_text, decode_json
from spans.semconv.lookup import Rule
from spans.semconv.media import without_bytes, without_bytes_in_text
from spans.semconv.messages import Message, messages_of, tool_result_in
from spans.semconv.normalize import MODEL_CALLS, OPERATION_OF_TYPE
from spans.semconv.parts import result_of, text_of_parts
from spans.semconv.previews import readable, readable_messages
from spans.semconv.shapes import documents_of, tools_of
from spans.semconv.sources import OfResource, SpanLike, logs_as_events
from spans.semconv.span_usage import set_usage
from spans.semconv.tables import BUILT_IN, ProjectTables


@dataclass(slots=True)
class SpanContent:
    """Everything that the conventions know of a span.

    input and output are texts: what was asked and answered for a model call, else the value as it was sent (JSON text
    where it was an object). Messages follow `spans.semconv.messages`, documents and tools `spans.semconv.shapes`.
    normalization: field → {"rule": "<convention>.<field>", "attribute": the key or event it came from}.
    """

    span_type: str = "UNKNOWN"
    operation_name: str = ""
    provider_name: str = ""
    request_model: str = ""
    response_model: str = ""
    tool_name: str = ""
    tool_description: str = ""
    tool_call_id: str = ""
    tool_arguments: Any = None
    tool_result: Any = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation_1h_input_tokens: int | None = None
    audio_input_tokens: int | None = None
    image_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_output_tokens: int | None = None
    cached_audio_input_tokens: int | None = None
    cached_image_input_tokens: int | None = None
    image_output_tokens: int | None = None
    counts_of: str = ""
    service_tier: str = ""
    cost_usd: Decimal | None = None
    unpriced_reason: str = ""
    start_time_unix_nano: int = 0
    session_id: str = ""
    user_id: str = ""
    agent_name: str = ""
    framework_trace_id: str = ""
    title: str = ""
    trace_name: str = ""
    trace_input: str = ""
    trace_output: str = ""
    input: str | None = None
    output: str | None = None
    input_text: str = ""
    output_text: str = ""
    input_messages: list[Message] = field(default_factory=list)
    output_messages: list[Message] = field(default_factory=list)
    tool_definitions: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    embedding_inputs: list[str] = field(default_factory=list)
    request_parameters: dict[str, Any] = field(default_factory=dict)
    finish_reasons: list[str] = field(default_factory=list)
    response_id: str = ""
    time_to_first_token_ms: float | None = None
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    environment: str = ""
    release: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    prompt_template: str = ""
    prompt_variables: dict[str, Any] = field(default_factory=dict)
    is_error: bool = False
    error_type: str = ""
    error_message: str = ""
    control_flow: str = ""
    normalization: dict[str, dict[str, str]] = field(default_factory=dict)


# Set from the looked-up value as it is.
PLAIN_FIELDS = tuple(
    item.name
    for item in FIELDS
    if item.name
    not in (
        "provider_name", "input", "output", "input_messages", "output_messages", "system_instructions", "documents",
        "tool_definitions", "trace_input", "trace_output",
    )
)  # fmt: skip


def content(span: SpanLike, resource: dict[str, Any] | None = None, tables: ProjectTables = BUILT_IN) -> SpanContent:
    """The full normalized form. `resource`: the resource's attributes, for environment and release."""
    with logs_as_events(span):
        found = tables.everything.values(span)
    result = SpanContent(start_time_unix_nano=span.start_time_unix_nano)
    for name in PLAIN_FIELDS:
        if name in found:
            _set(result, name, found[name][0], found[name][1])
    if "provider_name" in found:
        raw, rule = found["provider_name"]
        _set(result, "provider_name", canonical_provider(raw), rule)
    _set_failure(result, span, found["output"][0] if result.span_type == "TOOL" and "output" in found else None)
    for step in (_set_messages, _set_lists, _set_input_and_output, _set_readable):
        try:
            step(result, found)
        except RecursionError:  # nested hundreds of levels deep: such content is left raw
            continue
    _derive(result, span)
    _set_usage(result, found, tables.prices)
    if resource:
        _set_from_resource(result, resource, tables)
    return result


def _set(result: SpanContent, name: str, value: Any, rule: Rule) -> None:
    setattr(result, name, value)
    result.normalization[name] = {"rule": rule.label, "attribute": rule.source.describe()}


def _set_failure(result: SpanContent, span: SpanLike, tool_output: Any) -> None:
    message = result.error_message or span.status_message
    result.is_error, result.error_type = judge(
        span.status_code, result.is_error, result.error_type, message, tool_output
    )
    if not result.is_error:
        result.control_flow = control_flow(result.error_type, message)


def _set_messages(result: SpanContent, found: dict[str, tuple[Any, Rule]]) -> None:
    if "input_messages" in found:
        raw, rule = found["input_messages"]
        _set(result, "input_messages", _readable_messages(raw, "user"), rule)
    if "output_messages" in found:
        raw, rule = found["output_messages"]
        _set(result, "output_messages", _readable_messages(raw, "assistant"), rule)
    if "system_instructions" in found and not any(message["role"] == "system" for message in result.input_messages):
        raw, rule = found["system_instructions"]
        parts = [part for message in _readable_messages(raw, "system") for part in message["parts"]]
        if parts:
            result.input_messages = [{"role": "system", "parts": parts}, *result.input_messages]
            result.normalization.setdefault("input_messages", {"rule": rule.label, "attribute": rule.source.describe()})


def _readable_messages(value: Any, role: str) -> list[Message]:
    """Messages whose texts hold no bytes."""
    messages = messages_of(value, role)
    for message in messages:
        message["parts"] = [without_bytes(part) for part in message["parts"]]
    return messages


def _set_lists(result: SpanContent, found: dict[str, tuple[Any, Rule]]) -> None:
    for name, read in (("documents", documents_of), ("tool_definitions", tools_of)):
        if name in found:
            raw, rule = found[name]
            items = without_bytes(read(raw))
            if items or raw == []:
                _set(result, name, items, rule)


def _set_input_and_output(result: SpanContent, found: dict[str, tuple[Any, Rule]]) -> None:
    for name, messages in (("input", result.input_messages), ("output", result.output_messages)):
        text = _text_of_messages(messages, answer=name == "output")
        has_value = name in found
        if text and (result.span_type in MODEL_CALLS or not has_value):
            setattr(result, name, text)
            result.normalization[name] = result.normalization[f"{name}_messages"]
        elif has_value:
            raw, rule = found[name]
            _set(result, name, without_bytes_in_text(as_text(raw)), rule)
        elif messages:
            setattr(result, name, as_text([part for message in messages for part in message["parts"]]))
            result.normalization[name] = result.normalization[f"{name}_messages"]


def _set_readable(result: SpanContent, found: dict[str, tuple[Any, Rule]]) -> None:
    """The texts of which the stored previews are the beginning."""
    for name, messages in (("input", result.input_messages), ("output", result.output_messages)):
        output = name == "output"
        is_call = result.span_type in MODEL_CALLS
        text = readable_messages(messages, output=output) if is_call else ""
        failed = output and is_call and result.is_error and f"{name}_messages" in found
        if not text and name in found and not failed:
            raw = found[name][0]
            text = readable(raw, output=output) if output or result.span_type != "TOOL" else as_text(raw)
        text = without_bytes_in_text(text or readable_messages(messages, output=output))
        setattr(result, f"{name}_text", text)
        if f"trace_{name}" in found:
            raw, rule = found[f"trace_{name}"]
            _set(result, f"trace_{name}", without_bytes_in_text(readable(raw, output=output)), rule)


def _text_of_messages(messages: list[Message], *, answer: bool) -> str:
    """The answers' texts, or the last message of the user."""
    if answer:
        texts = [text_of_parts(message["parts"]) for message in messages]
        return "\n".join(text for text in texts if text)
    for message in reversed(messages):
        if message["role"] == "user" and (text := text_of_parts(message["parts"])):
            return text
    return ""


def _derive(result: SpanContent, span: SpanLike) -> None:
    """What follows from other fields."""
    if not result.operation_name:
        result.operation_name = OPERATION_OF_TYPE.get(result.span_type, "")
    if result.span_type == "TOOL":
        answers = [part for message in result.output_messages for part in message["parts"]]
        if result.tool_result is None and len(answers) == 1 and answers[0]["type"] == "tool_result":
            result.tool_result = answers[0]["result"]
            result.normalization["tool_result"] = result.normalization["output_messages"]
        for name, whole in (("tool_arguments", "input"), ("tool_result", "output")):
            if getattr(result, name) is None and getattr(result, whole) is not None:
                setattr(result, name, decode_json(getattr(result, whole)))
                result.normalization[name] = result.normalization[whole]
        result.tool_arguments = without_bytes(result.tool_arguments)
        if part := tool_result_in(result.tool_result):
            result.tool_result = decode_json(part["result"])
            if part["id"] and not result.tool_call_id:
                result.tool_call_id = part["id"]
                result.normalization["tool_call_id"] = result.normalization["tool_result"]
        result.tool_result = result_of(result.tool_result)
    if result.span_type == "EMBEDDING" and not result.embedding_inputs and result.input_messages:
        texts = [text_of_parts(message["parts"]) for message in result.input_messages]
        result.embedding_inputs = [text for text in texts if text]
        result.normalization["embedding_inputs"] = result.normalization["input_messages"]
    if not result.finish_reasons:
        reasons = [message["finish_reason"] for message in result.output_messages if message.get("finish_reason")]
        if reasons:
            result.finish_reasons = reasons
            result.normalization["finish_reasons"] = result.normalization["output_messages"]
    if (result.is_error or result.control_flow) and not result.error_message and span.status_message:
        result.error_message = span.status_message
        result.normalization["error_message"] = {"rule": "otel.error_message", "attribute": "status message"}
    if result.is_error and not result.error_message and result.span_type == "TOOL" and "output" in result.normalization:
        result.error_message = result.output_text
        result.normalization["error_message"] = result.normalization["output"]


def _set_usage(result: SpanContent, found: dict[str, tuple[Any, Rule]], own: Sequence[OwnPrice]) -> None:
    """The counts with all of their parts, and where the SDK reported no cost, the project's own price or the listed."""
    whole, price = set_usage(result, lambda name: found[name][0] if name in found else None, own)
    if whole is not None:
        for name, added in (("input_tokens", whole.added_input), ("output_tokens", whole.added_output)):
            if added:
                result.normalization[name] = {
                    "rule": result.normalization[name]["rule"],
                    "attribute": f"{result.normalization[name]['attribute']} + {added} counted beside it",
                }
    if price is not None and price.usd is not None:
        model = result.response_model or result.request_model
        attribute = f"{result.provider_name}/{model}" if result.provider_name else model
        result.normalization["cost_usd"] = {
            "rule": "the project's prices" if price.is_own else f"genai-prices {list_version()}",
            "attribute": attribute + (f", service tier {result.service_tier}" if result.service_tier else ""),
        }


def _set_from_resource(result: SpanContent, resource: dict[str, Any], tables: ProjectTables) -> None:
    for name, (value, rule) in tables.resource.values(OfResource(resource)).items():
        if not getattr(result, name):
            setattr(result, name, value)
            attribute = f"resource: {rule.source.describe()}"
            result.normalization[name] = {"rule": rule.label, "attribute": attribute}
    for name, keys in RESOURCE_KEYS.items():
        for key in keys:
            value = resource.get(key)
            if not getattr(result, name) and isinstance(value, str) and value:
                setattr(result, name, value)
                result.normalization[name] = {"rule": f"otel.{name}", "attribute": f"resource: {key}"}


RESOURCE_KEYS = {
    "environment": ("deployment.environment.name", "deployment.environment", "langfuse.environment"),
    "release": ("service.version", "langfuse.release"),
}
