"""What the API says of spans: a row in lists, the content beside it within a trace, everything for one."""

from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from spans.models import Span, SpanKind, SpanType, StatusCode
from spans.semconv import SpanContent
from traces.api import bee
from traces.api.serializers import (
    MILLISECONDS_UTC,
    NEXT_PAGE,
    STATUSES,
    AnyField,
    NanosecondsField,
    NumberField,
    ObjectField,
    ObjectsField,
    UsagePartsMixin,
    texts_field,
)
from traces.models import Trace


class ContextSerializer(serializers.Serializer[Any]):
    span_id = serializers.CharField()


@dataclass(slots=True)
class SpanView:
    """A span of a list, as its row has it."""

    span: Span
    trace: Trace

    @property
    def status(self) -> str:
        return "ERROR" if self.span.is_error else "OK"

    @property
    def kind(self) -> str:
        kind = self.span.kind
        return SpanKind(kind).name if kind in SpanKind.values else str(kind)

    @property
    def duration_ms(self) -> float:
        return self.span.duration_ns / 1_000_000


class SpanSummarySerializer(UsagePartsMixin):
    parts_prefix = "span."

    trace_id = serializers.CharField(
        source="trace.trace_id", help_text="OpenTelemetry trace id: 32 lower-case hex digits."
    )
    span_id = serializers.CharField(source="span.span_id", help_text="16 lower-case hex digits.")
    parent_span_id = serializers.CharField(source="span.parent_span_id", help_text="As received; empty for a root.")
    name = serializers.CharField(source="span.name", help_text="As received.")
    title = serializers.CharField(
        source="span.title", help_text="What people call it: Logfire's message, where the name is its template."
    )
    kind = serializers.CharField(help_text="OpenTelemetry's SpanKind: INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER …")
    span_type = serializers.ChoiceField(
        choices=SpanType.values, source="span.span_type", help_text="MLflow's span types."
    )
    operation_name = serializers.CharField(source="span.operation_name", help_text="chat, execute_tool, embeddings …")
    provider_name = serializers.CharField(source="span.provider_name", help_text="By OpenTelemetry's well-known name.")
    request_model = serializers.CharField(source="span.request_model", help_text="The model that was asked for.")
    response_model = serializers.CharField(source="span.response_model", help_text="The model that answered.")
    tool_name = serializers.CharField(source="span.tool_name", help_text="The tool that ran.")
    service_name = serializers.CharField(source="span.service_name")
    scope_name = serializers.CharField(source="span.scope_name", help_text="The instrumentation library.")
    session_id = serializers.CharField(source="span.session_id")
    user_id = serializers.CharField(source="span.user_id")
    start_time_unix_nano = NanosecondsField(source="span.start_time_unix_nano")
    end_time_unix_nano = NanosecondsField(source="span.end_time_unix_nano")
    duration_ms = serializers.FloatField(help_text="End minus start.")
    input_tokens = serializers.IntegerField(
        source="span.input_tokens", allow_null=True, help_text="All of them, the cached ones included."
    )
    output_tokens = serializers.IntegerField(
        source="span.output_tokens", allow_null=True, help_text="All of them, those of reasoning included."
    )
    cost_usd = NumberField(source="span.cost_usd", allow_null=True, help_text="US dollars; null if unknown.")
    unpriced_reason = serializers.CharField(
        source="span.unpriced_reason", help_text="Why the tokens have no cost; empty where they have one."
    )
    counted = serializers.BooleanField(
        source="span.counted", help_text="Whether the trace's totals include its tokens."
    )
    status = serializers.ChoiceField(choices=STATUSES, help_text="Whether the span failed.")
    error_type = serializers.CharField(source="span.error_type", help_text="Class of the error.")
    control_flow = serializers.CharField(
        source="span.control_flow",
        help_text='How it ended where it did not fail but stopped on purpose: "waits for a person"; else empty.',
    )
    input = serializers.CharField(source="span.input_preview", help_text="The first 500 characters.")
    output = serializers.CharField(source="span.output_preview", help_text="The first 500 characters.")


@dataclass(slots=True)
class SpanContentView(SpanView):
    """A span with its payload and what the conventions make of it. `parent_id` is None for a run's main span."""

    content: SpanContent
    include_ctx: bool

    @property
    def start_time(self) -> str:
        return bee.utc_milliseconds(self.span.start_time_unix_nano)

    @property
    def end_time(self) -> str:
        return bee.utc_milliseconds(self.span.end_time_unix_nano)

    @property
    def parent_id(self) -> str | None:
        return None if bee.is_main(self.span) else self.span.parent_span_id

    @property
    def status_code(self) -> str:
        return "ERROR" if self.span.status_code == StatusCode.ERROR else "OK"

    @property
    def context(self) -> dict[str, str]:
        return {"span_id": self.span.span_id}

    @property
    def attributes(self) -> dict[str, Any]:
        return bee.attributes(self.span, self.include_ctx)


class SpanSerializer(SpanSummarySerializer):
    """A span with its content. `attributes` are as received; BeeAI's spans have bee-observe's object among them."""

    parent_id = serializers.CharField(required=False, help_text="Parent span id; absent for BeeAI's main spans.")
    start_time = serializers.CharField(help_text=MILLISECONDS_UTC)
    end_time = serializers.CharField(help_text=MILLISECONDS_UTC)
    status_code = serializers.ChoiceField(choices=STATUSES, help_text="OpenTelemetry's status; UNSET counts as OK.")
    status_message = serializers.CharField(source="span.status_message")
    context = ContextSerializer()  # type: ignore[assignment]
    attributes = ObjectField(
        help_text='By key. What JSON lacks is an object with one key: {"$bytes": base64}, {"$double": "NaN"}.'
    )
    events = ObjectsField(source="span.events", help_text="name, time_unix_nano, attributes.")
    links = ObjectsField(source="span.links", help_text="trace_id, span_id, attributes.")
    warnings = texts_field("span.warnings", "What was repaired or noticed when the span arrived.")
    input = serializers.CharField(source="content.input", allow_null=True, help_text="What went in, as text.")
    output = serializers.CharField(source="content.output", allow_null=True, help_text="What came out, as text.")
    input_messages = ObjectsField(source="content.input_messages", help_text="role and parts (type, text …).")
    output_messages = ObjectsField(source="content.output_messages", help_text="role and parts (type, text …).")
    tool_arguments = AnyField(
        source="content.tool_arguments", help_text="What the tool was called with; null if unknown."
    )
    tool_result = AnyField(source="content.tool_result", help_text="What the tool gave back; null if unknown.")
    tool_definitions = ObjectsField(source="content.tool_definitions", help_text="Tools offered to the model.")
    documents = ObjectsField(source="content.documents", help_text="id, score, content, metadata.")
    request_parameters = ObjectField(source="content.request_parameters", help_text="temperature, max_tokens …")
    finish_reasons = texts_field("content.finish_reasons", "Why the model stopped.")
    time_to_first_token_ms = serializers.FloatField(
        source="content.time_to_first_token_ms",
        allow_null=True,
        help_text="Milliseconds to the first piece of the answer, if the SDK tells.",
    )
    error_message = serializers.CharField(source="content.error_message")
    metadata = ObjectField(source="content.metadata", help_text="What the program attached.")
    tags = texts_field("content.tags", "Tags.")
    normalization = serializers.DictField(
        child=serializers.DictField(child=serializers.CharField()),
        source="content.normalization",
        help_text="For each normalized field the rule that filled it, and the attribute it came from.",
    )

    def to_representation(self, instance: Any) -> dict[str, Any]:
        found = super().to_representation(instance)
        found["events"] = [event | {"time_unix_nano": str(event.get("time_unix_nano", 0))} for event in found["events"]]
        if found["parent_id"] is None:
            del found["parent_id"]
        return found


class SpanDetailSerializer(SpanSerializer):
    """A span with everything that OpenTelemetry carried."""

    resource = ObjectField(source="span.resource", help_text="attributes, schema_url, dropped_attributes_count.")
    scope = ObjectField(source="span.scope", help_text="name, version, attributes, schema_url.")
    trace_state = serializers.CharField(source="span.trace_state", help_text="W3C trace state.")
    flags = serializers.IntegerField(source="span.flags", help_text="W3C trace flags in the lowest eight bits.")
    dropped_attributes_count = serializers.IntegerField(source="span.dropped_attributes_count")
    dropped_events_count = serializers.IntegerField(source="span.dropped_events_count")
    dropped_links_count = serializers.IntegerField(source="span.dropped_links_count")


class SpanListSerializer(serializers.Serializer[Any]):
    results = SpanSummarySerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text=NEXT_PAGE)


class TraceSpansSerializer(serializers.Serializer[Any]):
    results = SpanSerializer(many=True)
    total_count = serializers.IntegerField(help_text="Spans of the trace, over all pages.")
    next = serializers.CharField(allow_null=True, help_text=NEXT_PAGE)


class SpanResultSerializer(serializers.Serializer[Any]):
    result = SpanDetailSerializer()
