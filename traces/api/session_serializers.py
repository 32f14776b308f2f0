"""What the API says of sessions and users."""

from dataclasses import dataclass, field
from typing import Any

from rest_framework import serializers

from traces.api.serializers import (
    NEXT_PAGE,
    STATUSES,
    NanosecondsField,
    NumberField,
    ObjectsField,
    TraceSerializer,
    TraceView,
    UsagePartsMixin,
    texts_field,
)
from traces.reading.sessions import TraceGroup


@dataclass(slots=True)
class GroupView:
    """A session or user with its project's slug, and in the detail a page of its traces."""

    group: TraceGroup
    project: str
    traces: list[TraceView] = field(default_factory=list)
    next: str | None = None
    conversation: dict[str, Any] | None = None

    @property
    def duration_ms(self) -> float:
        return (self.group.end_time_unix_nano - self.group.start_time_unix_nano) / 1_000_000


class GroupSerializer(UsagePartsMixin):
    parts_prefix = "group."

    id = serializers.CharField(
        source="group.id", help_text="As the spans carry it: any text; beyond 12 KB it ends in a digest of the whole."
    )
    project = serializers.CharField(help_text="Slug of the project; the same id in another project is another one.")
    trace_count = serializers.IntegerField(
        source="group.trace_count", help_text="Exact up to 10,000; the totals are of so many newest traces."
    )
    failed_trace_count = serializers.IntegerField(
        source="group.failed_trace_count", help_text="Traces with the status ERROR."
    )
    span_count = serializers.IntegerField(source="group.span_count")
    error_count = serializers.IntegerField(source="group.error_count", help_text="Spans that failed.")
    start_time_unix_nano = NanosecondsField(source="group.start_time_unix_nano")
    end_time_unix_nano = NanosecondsField(source="group.end_time_unix_nano")
    duration_ms = serializers.FloatField(help_text="From the first start to the last end, pauses included.")
    input_tokens = serializers.IntegerField(
        source="group.input_tokens", allow_null=True, help_text="Each token counted once; null if no trace tells."
    )
    output_tokens = serializers.IntegerField(
        source="group.output_tokens", allow_null=True, help_text="Each token counted once; null if no trace tells."
    )
    cost_usd = NumberField(
        source="group.cost_usd",
        allow_null=True,
        help_text="US dollars of the traces whose cost is known; null if none.",
    )
    priced_trace_count = serializers.IntegerField(
        source="group.priced_trace_count", help_text="Traces whose cost is known."
    )
    unpriced_calls = serializers.IntegerField(
        source="group.unpriced_calls", help_text="Counted calls whose cost is not known, and not in cost_usd."
    )
    latest_trace_id = serializers.CharField(source="group.latest.trace_id", help_text="The trace that started last.")


class SessionSerializer(GroupSerializer):
    user_ids = texts_field("group.related", "Users of its traces, sorted; at most 20.")
    user_count = serializers.IntegerField(source="group.related_count", help_text="How many users there are.")


class UserSerializer(GroupSerializer):
    session_ids = texts_field("group.related", "Sessions of the user's traces, sorted; at most 20.")
    session_count = serializers.IntegerField(source="group.related_count", help_text="How many sessions there are.")


class TurnSerializer(serializers.Serializer[Any]):
    role = serializers.CharField(source="message.role", help_text="system, user, assistant, tool, or error.")
    parts = ObjectsField(source="message.parts", help_text="type (text, tool_call, tool_result …) and its value.")
    span_id = serializers.CharField(help_text="The span that it was taken from; empty where it is the trace's preview.")
    span_name = serializers.CharField()


class ChapterSerializer(serializers.Serializer[Any]):
    """What one trace adds to the conversation. Messages that it repeats from earlier ones are left out."""

    trace_id = serializers.CharField(source="trace.trace_id")
    status = serializers.ChoiceField(choices=STATUSES, source="trace.status")
    start_time_unix_nano = NanosecondsField(source="trace.start_time_unix_nano")
    messages = TurnSerializer(many=True, source="turns")


class ConversationSerializer(serializers.Serializer[Any]):
    chapters = ChapterSerializer(many=True, help_text="One for each trace of this page, in their order.")
    is_cut = serializers.BooleanField(
        help_text="This page has more than 300 model calls or more bytes than MAX_ANSWER_BYTES; the first are read."
    )


class _TracesMixin(serializers.Serializer[Any]):
    traces = TraceSerializer(many=True, help_text="A page of its traces, in the order in which they started.")
    next = serializers.CharField(allow_null=True, help_text=NEXT_PAGE)


class SessionDetailSerializer(SessionSerializer, _TracesMixin):
    conversation = ConversationSerializer(
        allow_null=True, help_text="With include_conversation: the messages of this page's traces; else null."
    )


class UserDetailSerializer(UserSerializer, _TracesMixin):
    pass


class SessionListSerializer(serializers.Serializer[Any]):
    results = SessionSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text=NEXT_PAGE)


class UserListSerializer(serializers.Serializer[Any]):
    results = UserSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text=NEXT_PAGE)


class SessionResultSerializer(serializers.Serializer[Any]):
    result = SessionDetailSerializer()


class UserResultSerializer(serializers.Serializer[Any]):
    result = UserDetailSerializer()


class SpanUsageSerializer(UsagePartsMixin):
    """A span that reports tokens or a cost."""

    parts_prefix = "span."

    span_id = serializers.CharField(source="span.span_id")
    name = serializers.CharField(source="span.name")
    span_type = serializers.CharField(source="span.span_type")
    model = serializers.CharField(help_text="The model that answered, else the one asked for.")
    input_tokens = serializers.IntegerField(source="span.input_tokens", allow_null=True)
    output_tokens = serializers.IntegerField(source="span.output_tokens", allow_null=True)
    cost_usd = NumberField(source="span.cost_usd", allow_null=True)
    unpriced_reason = serializers.CharField(
        source="span.unpriced_reason", help_text="Why the tokens have no cost; empty where they have one."
    )
    counted = serializers.BooleanField(help_text="Whether the trace's totals include it.")
    reason = serializers.CharField(help_text="Why it counts, or why not.")


class UsageSerializer(UsagePartsMixin):
    """How a trace's totals come about."""

    trace_id = serializers.CharField()
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cost_usd = NumberField(allow_null=True)
    counted_spans = serializers.IntegerField(help_text="Calls in the totals.")
    priced_spans = serializers.IntegerField(help_text="Those of them whose cost is known.")
    priced_share = serializers.FloatField(
        allow_null=True, help_text="priced_spans / counted_spans; null where nothing is counted."
    )
    spans = SpanUsageSerializer(many=True, help_text="Spans that report usage, by start; at most 10,000.")


class UsageResultSerializer(serializers.Serializer[Any]):
    result = UsageSerializer()
