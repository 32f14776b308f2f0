"""The lists of normalized columns agree: what is declared, stored, set while receiving, and shown."""

from dataclasses import fields

from django.db import models

from spans.columns import COUNTS, FLAGS, LABELS, MONEY, NORMALIZED, TEXTS, USAGE_PART_NAMES, USAGE_PARTS
from spans.models import JSONTextField, Span
from spans.records import SpanRecord
from spans.semconv import SpanContent, normalize
from spans.semconv.fields import FIELDS
from traces.api.serializers import TraceSerializer
from traces.api.session_serializers import SessionSerializer, SpanUsageSerializer, UsageSerializer
from traces.api.span_serializers import SpanSummarySerializer
from traces.models import Trace
from traces.reading.sessions import TraceGroup
from traces.summaries import rollup
from traces.summaries.summary import SUMMARY_COLUMNS, TraceSummary

UNSET = object()
FIELD_CLASSES = {
    COUNTS: models.BigIntegerField,
    MONEY: models.DecimalField,
    FLAGS: models.BooleanField,
    LABELS: JSONTextField,
    TEXTS: models.CharField | models.TextField,
}


def test_the_table_has_each_column_with_its_type():
    for names, field_class in FIELD_CLASSES.items():
        for name in names:
            assert isinstance(Span._meta.get_field(name), field_class), name


def test_receiving_sets_each_column():
    record = SpanRecord("t", "s")
    for name in NORMALIZED:
        setattr(record, name, UNSET)
    normalize(record)
    assert [name for name in NORMALIZED if getattr(record, name) is UNSET] == []


def test_a_stored_spans_content_has_each_column_but_previews_and_labels():
    shown = {item.name for item in fields(SpanContent)}
    assert set(NORMALIZED) - shown == {"input_preview", "output_preview", "labels"}


def test_conventions_know_each_part_of_the_usage_while_receiving():
    stored = {field.name for field in FIELDS if field.stored}
    assert set(COUNTS) <= stored


def test_summaries_have_each_part_of_the_usage():
    assert set(USAGE_PART_NAMES) <= set(rollup.SummaryRow._fields)
    assert set(SUMMARY_COLUMNS) == {item.name for item in fields(TraceSummary)} - {"counted"}
    for name in SUMMARY_COLUMNS:
        Trace._meta.get_field(name)
    for name in USAGE_PART_NAMES:
        assert hasattr(TraceGroup, name)


def test_the_api_shows_each_part_of_the_usage_behind_the_output():
    for serializer in (TraceSerializer, SpanSummarySerializer, SessionSerializer, UsageSerializer, SpanUsageSerializer):
        names = list(serializer().fields)
        start = names.index("output_tokens") + 1
        assert names[start : start + len(USAGE_PARTS)] == list(USAGE_PART_NAMES)
