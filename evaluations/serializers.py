"""What the API says of scores."""

from typing import Any

from rest_framework import serializers

from evaluations.models import Score
from traces.api.serializers import NEXT_PAGE, ObjectField


class ScoreSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="The same for a score that is sent again.")
    target_kind = serializers.ChoiceField(choices=Score.TargetKind.choices, help_text="What is scored.")
    trace_id = serializers.CharField(help_text="OpenTelemetry trace id; the trace may not have come yet.")
    span_id = serializers.CharField(help_text="Empty where the trace as a whole is scored.")
    session_id = serializers.CharField()
    name = serializers.CharField(help_text="What was looked at: Relevance, Groundedness …")
    data_type = serializers.ChoiceField(choices=Score.DataType.choices)
    value = serializers.FloatField(source="number", allow_null=True, help_text="Of yes or no 1 or 0; null without one.")
    label = serializers.CharField(  # type: ignore[assignment]
        help_text="The value in words: pass, not_relevant …"
    )
    text = serializers.CharField()
    explanation = serializers.CharField(help_text="Why.")
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=Score.Source.choices, help_text="Where it came from."
    )
    source_id = serializers.CharField(help_text="Who of this source: of OTLP the instrumentation scope.")
    metadata = ObjectField()
    created_at = serializers.DateTimeField(help_text="When it arrived.")
    changed_at = serializers.DateTimeField()


class ScoreListSerializer(serializers.Serializer[Any]):
    results = ScoreSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text=NEXT_PAGE)
