"""The trace table: one row a trace, the summary that people filter by."""

from django.db import models

from spans.models import IdentifierField, JSONTextField, ShortTextField, utc_today
from traces.receipt_models import ExportReceipt as ExportReceipt
from traces.receipt_models import RejectedSpans as RejectedSpans
from traces.totals import RunningTotal as RunningTotal


class TraceStatus(models.TextChoices):
    """ERROR if any root failed (`traces.failures`) or, without a root, any span, else OK."""

    OK = "OK"
    ERROR = "ERROR"


# Ids of sessions and users are indexed by their beginning: PostgreSQL refuses entries of more than some 2,700 bytes.
GROUP_PREFIX = 200


class Prefix(models.Func):
    """The beginning of an id. Its bounds stand in the SQL: with parameters SQLite does not find the index."""

    template = f"SUBSTR(%(expressions)s, 1, {GROUP_PREFIX})"
    arity = 1
    output_field = models.TextField()


class EmptyText(models.Func):
    """'' in the SQL: SQLite knows no partial index in a condition with parameters."""

    template = "''"
    arity = 0
    output_field = models.TextField()


def group_indexes(field: str, name: str) -> tuple[models.Index, models.Index]:
    """For the traces of one session or user by time, and for the latest traces that have one."""
    has_one = ~models.Q(**{field: ""})
    newest = (models.F("start_time_unix_nano").desc(), models.F("id").desc())
    return (
        models.Index("project", Prefix(field), *newest, name=f"trace_by_{name}", condition=has_one),
        models.Index("project", *newest, name=f"trace_with_{name}", condition=has_one),
    )


class Trace(models.Model):
    """The summary of a trace, computed from its spans by `traces.rollup` and nowhere else.

    The key is derived from project and trace id (`spans.keys.trace_row_key`), so two projects that send the same trace
    id stay apart. `refreshed_at` moves with every change of its spans.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(
        "projects.Project", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="traces"
    )
    trace_id = models.CharField(max_length=32)
    name = ShortTextField(blank=True)
    root_span_id = models.CharField(max_length=16, blank=True)
    service_name = ShortTextField(blank=True)
    start_time_unix_nano = models.BigIntegerField()
    end_time_unix_nano = models.BigIntegerField()
    duration_ns = models.BigIntegerField(default=0)
    span_count = models.PositiveIntegerField(default=0)
    error_count = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=5, choices=TraceStatus, default=TraceStatus.OK)
    model_names = JSONTextField(default=list)
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
    unpriced_calls = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Counted calls whose cost is not known, and not in the trace's cost."
    )
    session_id = IdentifierField(blank=True)
    user_id = IdentifierField(blank=True)
    input_preview = models.TextField(blank=True)
    output_preview = models.TextField(blank=True)
    framework_trace_id = models.TextField(blank=True)
    clock_skew_ns = models.BigIntegerField(
        default=0, db_default=0, help_text="How far the clocks of its services differ, where that shows; else 0."
    )
    refresh_due = models.BooleanField(
        default=False, help_text="Spans have come that the summary does not know yet; it follows soon."
    )
    day = models.DateField(
        default=utc_today, help_text="The partition of its spans: the day of its first arrival (UTC)."
    )
    pinned = models.BooleanField(db_default=False, default=False, help_text="Never expires.")
    created_at = models.DateTimeField()
    refreshed_at = models.DateTimeField()

    class Meta:
        ordering = ["-start_time_unix_nano", "-id"]
        indexes = [
            models.Index(fields=["project", "-start_time_unix_nano", "-id"], name="trace_newest"),
            models.Index(fields=["project", "-created_at", "-id"], name="trace_latest_arrival"),
            models.Index(fields=["trace_id"], name="trace_by_otel_id"),
            models.Index(
                fields=["project", "framework_trace_id"],
                name="trace_by_framework_id",
                condition=~models.Q(framework_trace_id=""),
            ),
            *group_indexes("session_id", "session"),
            *group_indexes("user_id", "user"),
            models.Index(fields=["refreshed_at", "id"], name="trace_refreshed"),
            models.Index(fields=["refreshed_at"], name="trace_refresh_due", condition=models.Q(refresh_due=True)),
        ]

    def __str__(self) -> str:
        return self.name or self.trace_id


class DeletedTrace(models.Model):
    """The tombstone of a trace that was deleted, not of one that expired: it has the trace's key, and nothing of it."""

    id = models.UUIDField(primary_key=True, editable=False)
    project = models.ForeignKey(
        "projects.Project", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    deleted_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["deleted_at"], name="deleted_trace_by_time")]

    def __str__(self) -> str:
        return self.id.hex


class Session(Trace):
    """The admin's place for sessions, which are traces that share a session id (`traces.sessions`)."""

    class Meta:
        proxy = True


class EndUser(Trace):
    """The admin's place for the users of the traced programs."""

    class Meta:
        proxy = True
        verbose_name = "end user"
