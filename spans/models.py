"""The span table."""

import datetime
from collections.abc import Sequence
from typing import Any

import orjson
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from spans.rule_models import MappingRule as MappingRule
from spans.rule_models import ModelPrice as ModelPrice
from spans.semconv.evaluation import EVALUATION_EVENT
from spans.semconv.failures import control_flow
from spans.span_types import SpanKind as SpanKind
from spans.span_types import SpanType as SpanType


class JSONTextField(models.TextField):  # type: ignore[type-arg]
    """JSON kept as the text that was written, because jsonb would change numbers and refuse U+0000.

    Python sees the parsed value with the tags of `spans.values`; a string given to it is taken for JSON text.
    """

    def from_db_value(self, value: str | None, expression: object, connection: BaseDatabaseWrapper) -> Any:
        return None if value is None else orjson.loads(value)

    def to_python(self, value: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""


class ShortTextField(models.TextField):  # type: ignore[type-arg]
    """A text of which queries read the beginning only, however long it was stored: lists hold hundreds of them.

    What arrives is cut to bytes by `spans.field_limits`; older rows were not. Conditions see the whole text.
    """

    read_characters = settings.MAX_FIELD_BYTES

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        return f"SUBSTR({sql}, 1, {self.read_characters})", params

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


class IdentifierField(ShortTextField):
    """An id that people's programs chose, which tells rows apart: of older rows some more is read."""

    read_characters = 4 * settings.MAX_FIELD_BYTES


def utc_today() -> datetime.date:
    """The current day, UTC."""
    return datetime.datetime.now(datetime.UTC).date()


class StatusCode(models.IntegerChoices):
    """OpenTelemetry's Status.StatusCode; other numbers are stored as they came."""

    UNSET = 0
    OK = 1
    ERROR = 2


class Span(models.Model):
    """One span: what OTLP carried, untouched, and beside it what the conventions made of it.

    The key is derived (`spans.keys`). No foreign key has a constraint in the database: writers insert whole traces at
    once, and the constraint's check of every row would cost more than the insert.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    trace_row = models.ForeignKey(
        "traces.Trace", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="spans"
    )
    project = models.ForeignKey(
        "projects.Project", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    day = models.DateField(
        default=utc_today, editable=False, help_text="Day of the trace's first arrival (UTC): PostgreSQL's partition."
    )

    # As received
    span_id = models.CharField(max_length=16)
    parent_span_id = ShortTextField(blank=True)
    name = ShortTextField(blank=True)
    kind = models.IntegerField(default=0)
    start_time_unix_nano = models.BigIntegerField()
    end_time_unix_nano = models.BigIntegerField()
    status_code = models.IntegerField(default=0)
    status_message = ShortTextField(blank=True)
    trace_state = ShortTextField(blank=True)
    flags = models.BigIntegerField(default=0)
    attributes = JSONTextField(default=dict)
    dropped_attributes_count = models.BigIntegerField(default=0)
    events = JSONTextField(default=list)
    dropped_events_count = models.BigIntegerField(default=0)
    links = JSONTextField(default=list)
    dropped_links_count = models.BigIntegerField(default=0)
    resource = JSONTextField(default=dict)
    scope = JSONTextField(default=dict)

    # What the platform noticed while storing it
    warnings = JSONTextField(default=list)

    # Normalized
    service_name = ShortTextField(blank=True)
    scope_name = ShortTextField(blank=True)
    span_type = models.CharField(max_length=16, choices=SpanType, default=SpanType.UNKNOWN)
    operation_name = models.TextField(blank=True)
    provider_name = models.TextField(blank=True)
    request_model = models.TextField(blank=True)
    response_model = models.TextField(blank=True)
    tool_name = models.TextField(blank=True)
    input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    cached_input_tokens = models.BigIntegerField(null=True)
    cache_creation_input_tokens = models.BigIntegerField(null=True)
    cache_creation_1h_input_tokens = models.BigIntegerField(null=True)
    audio_input_tokens = models.BigIntegerField(null=True)
    image_input_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    audio_output_tokens = models.BigIntegerField(null=True)
    cost_usd = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    unpriced_reason = models.TextField(
        blank=True, default="", db_default="", help_text="Why usage has no price; empty where it has one."
    )
    counted = models.BooleanField(default=False)
    session_id = IdentifierField(blank=True)
    user_id = IdentifierField(blank=True)
    input_preview = models.TextField(blank=True)
    output_preview = models.TextField(blank=True)
    is_error = models.BooleanField(default=False)
    error_type = models.TextField(blank=True)
    framework_trace_id = models.TextField(blank=True)
    labels = JSONTextField(
        default=None,
        null=True,
        help_text="What the program calls the span (title) and its trace (trace_name, and previews of trace_input and "
        "trace_output), where it does.",
    )

    # No column: its events that came as log records, where `spans.logs` has put them
    logs: Sequence[dict[str, Any]] = ()

    class Meta:
        ordering = ["-start_time_unix_nano", "-id"]
        indexes = [
            models.Index(fields=["trace_row", "id"], name="span_of_trace"),
            models.Index(fields=["project", "-start_time_unix_nano", "-id"], name="span_newest"),
            models.Index(
                fields=["project", "framework_trace_id"],
                name="span_of_framework_run",
                condition=~models.Q(framework_trace_id=""),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.span_id

    @property
    def control_flow(self) -> str:
        """How it ended where it did not fail but stopped on purpose: "waits for a person"; else ""."""
        return "" if self.is_error else control_flow(self.error_type)

    @property
    def title(self) -> str:
        """What people call the span: its message where its name is a template, else its name."""
        return str((self.labels or {}).get("title") or self.name)

    @property
    def duration_ns(self) -> int:
        """End minus start, never below 0."""
        return max(0, self.end_time_unix_nano - self.start_time_unix_nano)


class SpanLog(models.Model):
    """A log record of a span, as received, maybe before its span; `span_id` is empty where it is of the trace.

    The id is derived (`spans.keys.log_row_key`), so a record that is sent again meets itself. Rows are deleted with
    their trace; those whose trace never came expire by `received_at`.
    """

    pk = models.CompositePrimaryKey("trace_row_id", "id")
    trace_row = models.ForeignKey(
        "traces.Trace", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="logs"
    )
    id = models.UUIDField(editable=False)
    project = models.ForeignKey(
        "projects.Project", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    trace_id = models.CharField("OTel trace id", max_length=32, blank=True, default="", db_default="")
    span_id = models.CharField(max_length=16, blank=True)
    name = models.TextField(help_text="Of the event; empty for a plain line.")
    severity_number = models.IntegerField(default=0, db_default=0, help_text="9: INFO, 13: WARN, 17: ERROR, 21: FATAL.")
    severity_text = models.TextField(blank=True, default="", db_default="")
    time_unix_nano = models.BigIntegerField(help_text="When it happened, or where unknown, when it was observed.")
    position = models.PositiveIntegerField(default=0, help_text="Its place in its request, among equal times.")
    attributes = JSONTextField(default=dict)
    body = JSONTextField(default=None, null=True)
    dropped_attributes_count = models.BigIntegerField(default=0)
    observed_time_unix_nano = models.BigIntegerField(default=0, db_default=0)
    flags = models.BigIntegerField(default=0, db_default=0)
    resource = JSONTextField(default=dict, db_default="{}")
    scope = JSONTextField(default=dict, db_default="{}")
    warnings = JSONTextField(default=list, db_default="[]")
    received_at = models.DateTimeField(default=timezone.now)
    pending = models.BooleanField(
        default=False, help_text="Its trace was not there when it came; a job looks once more."
    )

    class Meta:
        indexes = [
            models.Index(fields=["trace_row", "span_id"], name="span_log_of_span"),
            models.Index(
                fields=["trace_row"],
                name="span_log_events",
                condition=models.Q(name__gt="") | models.Q(severity_number__gte=17),
            ),
            models.Index(fields=["project", "received_at"], name="span_log_received"),
            models.Index(fields=["received_at"], name="span_log_pending", condition=models.Q(pending=True)),
            models.Index(
                fields=["received_at", "id"], name="span_log_evaluations", condition=models.Q(name=EVALUATION_EVENT)
            ),
        ]

    def __str__(self) -> str:
        return self.name
