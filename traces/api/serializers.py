"""What the API answers with. Keys of bee-observe's contract and the platform's own stand side by side in one object."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from spans.columns import USAGE_PARTS
from spans.models import Span
from traces.api import bee
from traces.models import Trace, TraceStatus

NANOSECONDS = "Unix time in nanoseconds, as a decimal string, exact."
MILLISECONDS_UTC = "ISO 8601, UTC, cut to milliseconds."
NEXT_PAGE = "Pass it as `cursor` for the next page; null on the last."
OBJECT = {"type": "object", "additionalProperties": True}
OBJECTS = {"type": "array", "items": OBJECT}
STATUSES = TraceStatus.values


@extend_schema_field(OBJECT)
class ObjectField(serializers.Field[Any, Any, Any, Any]):
    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({})
class AnyField(ObjectField):
    """Any JSON value, null among them."""


@extend_schema_field(OBJECTS)
class ObjectsField(ObjectField):
    pass


class NanosecondsField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(help_text=NANOSECONDS, **kwargs)


class NumberField(serializers.FloatField):
    """A Decimal or float as a JSON number."""

    def to_representation(self, value: Any) -> float:  # type: ignore[override]
        return float(value)


class UsagePartsMixin(serializers.Serializer[Any]):
    """Adds the parts of the tokens (`spans.columns.USAGE_PARTS`), which stand behind the output tokens.

    parts_prefix: the attribute that has them and a dot.
    """

    parts_prefix = ""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields: dict[str, serializers.Field[Any, Any, Any, Any]] = {}
        for name, field in super().get_fields().items():
            fields[name] = field
            if name == "output_tokens":
                for part in USAGE_PARTS:
                    source: dict[str, Any] = {"source": self.parts_prefix + part.name} if self.parts_prefix else {}
                    about = f"{part.about} Null if unknown."
                    fields[part.name] = serializers.IntegerField(allow_null=True, help_text=about, **source)
        return fields


def texts_field(source: str, help_text: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), source=source, help_text=help_text)


@dataclass(slots=True)
class TraceView:
    """A trace as one request sees it: as a whole, or as the run of its framework with this main span."""

    trace: Trace
    main: Span | None
    input: str
    output: str
    tree: list[dict[str, Any]] | None = None
    mlflow: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        main = self.main
        return main.framework_trace_id if main else self.trace.framework_trace_id or self.trace.trace_id

    @property
    def start_at(self) -> str:
        return bee.utc_milliseconds((self.main or self.trace).start_time_unix_nano)

    @property
    def finish_at(self) -> str:
        return bee.utc_milliseconds((self.main or self.trace).end_time_unix_nano)

    @property
    def request(self) -> dict[str, Any]:
        if self.main:
            return bee.request(self.main)
        return {"message": self.input, "history": [], "framework": {"version": ""}}

    @property
    def response(self) -> dict[str, Any] | None:
        return bee.response(self.main) if self.main else None

    @property
    def duration_ms(self) -> float:
        return self.trace.duration_ns / 1_000_000

    @property
    def clock_skew_ms(self) -> float:
        return self.trace.clock_skew_ns / 1_000_000


class FrameworkSerializer(serializers.Serializer[Any]):
    version = serializers.CharField(help_text="Version of the framework.")


class RequestSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(help_text="The prompt.")
    history = ObjectsField(help_text="The messages before it.")
    framework = FrameworkSerializer()


class TreeEventSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    status_code = serializers.ChoiceField(choices=STATUSES)
    status_message = serializers.CharField(allow_null=True)
    start_time = serializers.CharField(help_text=MILLISECONDS_UTC)
    end_time = serializers.CharField(help_text=MILLISECONDS_UTC)
    data = ObjectField(  # type: ignore[assignment]
        allow_null=True, help_text="The event's data, for BeeAI's spans."
    )


class TreeItemSerializer(serializers.Serializer[Any]):
    """A span in its tree. Spans below 50 levels stand beside each other; `parent_span_id` tells them apart."""

    id = serializers.CharField(help_text="Span id.")
    target = serializers.CharField(help_text="BeeAI's event path, else empty.")
    start_time = serializers.CharField(help_text="Earliest start of the span and those below it. " + MILLISECONDS_UTC)
    end_time = serializers.CharField(help_text="Latest end of the span and those below it. " + MILLISECONDS_UTC)
    status_code = serializers.ChoiceField(choices=STATUSES, help_text="The span's own status.")
    name = serializers.CharField()
    parent_span_id = serializers.CharField(help_text="As received, also where no such span has arrived.")
    span_type = serializers.CharField()
    duration_ms = serializers.FloatField(help_text="The span's own duration.")
    problem = serializers.ChoiceField(
        choices=["", "missing parent", "own parent", "parent cycle"],
        help_text="Why the span stands at the top although it names a parent.",
    )
    events = TreeEventSerializer(many=True)
    children = serializers.SerializerMethodField(help_text="Items of this kind, by start.")

    @extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/TreeItem"}})
    def get_children(self, item: dict[str, Any]) -> Any:
        return item["children"]


class MlflowErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField(help_text="What is wrong and what to do.")
    reason = serializers.CharField(required=False, help_text="What MLflow answered.")


class MlflowSerializer(serializers.Serializer[Any]):
    """Where the trace stands on its way to MLflow. Without a mirror it counts as done: CLOSE_TRACE."""

    id = serializers.CharField(help_text="24 hexadecimal digits.")
    created_at = serializers.CharField(help_text=MILLISECONDS_UTC)
    step = serializers.ChoiceField(choices=["START_TRACE", "ADD_TREE", "CHECK_TREE", "CLOSE_TRACE"])
    request_id = serializers.CharField(required=False, help_text="MLflow's trace id, once it is known.")
    error = MlflowErrorSerializer(required=False)
    tree = ObjectsField(help_text="The mirrored spans, with include_mlflow_tree.")


class TraceSerializer(UsagePartsMixin):
    parts_prefix = "trace."

    id = serializers.CharField(
        help_text="The framework's id of the run, or the OpenTelemetry trace id where it has none."
    )
    start_at = serializers.CharField(help_text=MILLISECONDS_UTC)
    finish_at = serializers.CharField(help_text=MILLISECONDS_UTC)
    request = RequestSerializer(help_text="What the run was asked.")
    response = ObjectField(required=False, help_text="What it answered; absent where the main span holds no response.")
    tree = serializers.ListField(
        child=TreeItemSerializer(), allow_null=True, help_text="The spans, with include_tree; else null."
    )
    mlflow = MlflowSerializer(
        allow_null=True, help_text="With include_mlflow, once the mirror knows the trace; else null."
    )

    trace_id = serializers.CharField(
        source="trace.trace_id", help_text="OpenTelemetry trace id: 32 lower-case hex digits."
    )
    framework_trace_id = serializers.CharField(
        source="trace.framework_trace_id", help_text="Empty where there is none."
    )
    project = serializers.CharField(source="trace.project.slug", help_text="Slug of the project.")
    name = serializers.CharField(
        source="trace.name", help_text="What the program calls it, else the root span's title."
    )
    service_name = serializers.CharField(source="trace.service_name", help_text="The resource's service.name.")
    session_id = serializers.CharField(source="trace.session_id", help_text="Session, conversation or thread.")
    user_id = serializers.CharField(source="trace.user_id", help_text="The end user.")
    status = serializers.ChoiceField(
        choices=STATUSES,
        source="trace.status",
        help_text="ERROR if any root failed or, without a root, any span (docs/failures.md).",
    )
    root_span_id = serializers.CharField(source="trace.root_span_id", help_text="Empty until the root has arrived.")
    start_time_unix_nano = NanosecondsField(source="trace.start_time_unix_nano")
    end_time_unix_nano = NanosecondsField(source="trace.end_time_unix_nano")
    duration_ms = serializers.FloatField(
        help_text="From the first start to the last end, corrected where clocks of services differ."
    )
    clock_skew_ms = serializers.FloatField(
        help_text="How far the clocks of its services differ, where a span began before the one that called it; else 0."
    )
    span_count = serializers.IntegerField(source="trace.span_count", help_text="Spans that have arrived.")
    error_count = serializers.IntegerField(source="trace.error_count", help_text="Spans that failed.")
    models = texts_field("trace.model_names", "Models that the spans name.")
    input_tokens = serializers.IntegerField(
        source="trace.input_tokens", allow_null=True, help_text="Each token counted once; null if no span tells."
    )
    output_tokens = serializers.IntegerField(
        source="trace.output_tokens", allow_null=True, help_text="Each token counted once; null if no span tells."
    )
    cost_usd = NumberField(
        source="trace.cost_usd", allow_null=True, help_text="US dollars of the calls whose cost is known; null if none."
    )
    unpriced_calls = serializers.IntegerField(
        source="trace.unpriced_calls", help_text="Counted calls whose cost is not known, and not in cost_usd."
    )
    input = serializers.CharField(help_text="What went in: in lists the first 500 characters, else all of it.")
    output = serializers.CharField(help_text="What came out: in lists the first 500 characters, else all of it.")
    created_at = serializers.DateTimeField(source="trace.created_at", help_text="When its first span arrived.")
    refreshed_at = serializers.DateTimeField(source="trace.refreshed_at", help_text="When it last changed.")

    def to_representation(self, instance: TraceView) -> dict[str, Any]:
        found = super().to_representation(instance)
        if found["response"] is None:
            del found["response"]
        return found


class ErrorSerializer(serializers.Serializer[Any]):
    """Every answer that is not a success has this shape."""

    code = serializers.CharField(help_text="INVALID_ARGUMENT, AUTH_ERROR, NOT_FOUND, SERVICE_UNAVAILABLE …")
    message = serializers.CharField(help_text="What is wrong.")
    reason = serializers.CharField(required=False, help_text="What to do about it.")


class TraceListSerializer(serializers.Serializer[Any]):
    results = TraceSerializer(many=True)
    total_count = serializers.IntegerField(help_text="Traces that match: exact up to 10,000, and 10,000 for more.")
    next = serializers.CharField(allow_null=True, help_text=NEXT_PAGE)


class TraceResultSerializer(serializers.Serializer[Any]):
    result = TraceSerializer()


class DeleteRequestSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.CharField(), max_length=1000, help_text="Framework ids or OpenTelemetry trace ids, mixed."
    )


class DeletedSerializer(serializers.Serializer[Any]):
    deleted = serializers.IntegerField(help_text="How many traces were deleted.")
    not_found = serializers.ListField(child=serializers.CharField(), help_text="Ids that no deletable trace has.")
