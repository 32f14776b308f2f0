"""What the API says of log records."""

from typing import Any

from rest_framework import serializers

from traces.api.serializers import AnyField, NanosecondsField, ObjectField


class LogSerializer(serializers.Serializer[Any]):
    span_id = serializers.CharField(help_text="The span that it is of; empty where it is of the trace.")
    name = serializers.CharField(help_text="Of the event; empty for a plain line.")
    time_unix_nano = NanosecondsField()
    severity_number = serializers.IntegerField(help_text="9: INFO, 13: WARN, 17: ERROR, 21: FATAL; 0: not said.")
    severity_text = serializers.CharField()
    body = AnyField(help_text="A text, an object or anything else; null where there is none.")
    attributes = ObjectField(help_text="By key, as those of spans.")
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="What was cut or repaired when it arrived."
    )


class LogListSerializer(serializers.Serializer[Any]):
    results = LogSerializer(many=True)
    total_count = serializers.IntegerField(help_text="Log records that are kept of the trace or the span.")
    next_offset = serializers.IntegerField(
        allow_null=True, help_text="Where the next page begins, for `offset`; null on the last page."
    )
    is_full = serializers.BooleanField(
        help_text="Whether a limit of the span or the trace is reached, so that further ones are counted and not kept."
    )
