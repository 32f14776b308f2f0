"""The tables: traces with the summaries that people filter by, the ledger of export requests, totals, tombstones."""

import secrets
import time
from uuid import UUID

from django.db import models
from django.utils import timezone

from spans.models import IdentifierField, JSONTextField, ShortTextField, utc_today


class TraceStatus(models.TextChoices):
    """ERROR if any root failed (`traces.summaries.outcome`) or, without a root, any span, else OK."""

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
    """The summary of a trace, computed from its spans by `traces.summaries.rollup` and nowhere else.

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
    """The admin's place for sessions, which are traces that share a session id (`traces.reading.sessions`)."""

    class Meta:
        proxy = True


class EndUser(Trace):
    """The admin's place for the users of the traced programs."""

    class Meta:
        proxy = True
        verbose_name = "end user"


MAX_USER_AGENT = 200


def time_ordered_id(unix_ms: int | None = None) -> UUID:
    """A version 7 UUID (RFC 9562): rows go to the end of the index, and expire by a range of the primary key."""
    milliseconds = time.time_ns() // 1_000_000 if unix_ms is None else unix_ms
    entropy = secrets.randbits(74) if unix_ms is None else 0
    return UUID(int=milliseconds << 80 | 7 << 76 | (entropy >> 62) << 64 | 2 << 62 | entropy & (1 << 62) - 1)


class ReceiptStatus(models.TextChoices):
    STORED = "stored", "stored"
    PARTIAL = "partial", "partly stored"
    REFUSED = "refused", "refused"


class ExportReceipt(models.Model):
    """What became of one export request. Written in the transaction that stores what it brought, or after its refusal.

    Answers that ask the sender to come again (429, 503) leave none: they are there to spare the database.
    """

    class Signal(models.TextChoices):
        TRACES = "traces", "traces"
        LOGS = "logs", "logs"
        METRICS = "metrics", "metrics"

    class Transport(models.TextChoices):
        HTTP = "http", "OTLP/HTTP"
        GRPC = "grpc", "OTLP/gRPC"
        IMPORT = "import", "import"
        AGAIN = "again", "processed again"

    id = models.UUIDField(primary_key=True, default=time_ordered_id, editable=False)
    project = models.ForeignKey(
        "projects.Project", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="receipts"
    )
    api_key = models.ForeignKey(
        "projects.ApiKey", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, null=True, related_name="+"
    )
    signal = models.CharField(max_length=7, choices=Signal, default=Signal.TRACES)
    transport = models.CharField(max_length=6, choices=Transport, default=Transport.IMPORT)
    client_address = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=MAX_USER_AGENT, blank=True)
    wire_bytes = models.PositiveBigIntegerField(default=0, help_text="The body as received.")
    body_bytes = models.PositiveBigIntegerField(default=0, help_text="The body after decompression.")
    status = models.CharField(max_length=7, choices=ReceiptStatus, default=ReceiptStatus.STORED)
    message = models.TextField(blank=True, help_text="What the sender was told, if it was not a plain success.")
    spans_received = models.PositiveIntegerField(default=0)
    spans_added = models.PositiveIntegerField(default=0)
    spans_replaced = models.PositiveIntegerField(default=0, help_text="Later versions of stored spans.")
    spans_duplicate = models.PositiveIntegerField(default=0, help_text="Spans that were stored already.")
    spans_rejected = models.PositiveIntegerField(default=0)
    spans_cut = models.PositiveIntegerField(
        default=0, help_text="Stored spans that lost something to a limit; each says what in its warnings."
    )
    records = JSONTextField(
        null=True,
        help_text="Logs and metrics: how many were added, duplicate, rejected, over_limit or ignored.",
    )
    rejections = JSONTextField(default=list, help_text="Reasons with their counts.")
    duration_ms = models.FloatField(default=0, help_text="From the whole body to the writing of this row.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["project", "-created_at", "-id"], name="receipt_newest")]
        verbose_name = "export receipt"

    def __str__(self) -> str:
        return str(self.id)


class RejectedSpans(models.Model):
    """Spans of one request that were rejected for the same reason, as they came."""

    id = models.UUIDField(primary_key=True, default=time_ordered_id, editable=False)
    receipt = models.ForeignKey(
        ExportReceipt, on_delete=models.DO_NOTHING, db_constraint=False, related_name="rejected_spans"
    )
    project = models.ForeignKey(
        "projects.Project", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    reason = models.TextField()
    span_count = models.PositiveIntegerField(help_text="How many spans were rejected.")
    kept_count = models.PositiveIntegerField(help_text="How many of them are kept here.")
    request = models.BinaryField(help_text="The kept spans with their resources and scopes: an OTLP export request.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["project", "-created_at", "-id"], name="rejected_newest")]
        verbose_name_plural = "rejected spans"

    def __str__(self) -> str:
        return f"{self.span_count} span{'' if self.span_count == 1 else 's'}: {self.reason}"


class RunningTotal(models.Model):
    """A count kept by jobs, for the metrics: a worker counts in a process that ends with the job."""

    RETENTION_DELETED = "retention_deleted_traces"
    MEANINGS = {RETENTION_DELETED: "Traces deleted because they expired."}

    name = models.CharField(max_length=40, primary_key=True)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"

    @classmethod
    def add(cls, name: str, amount: int) -> None:
        """Two statements, three the first time."""
        cls.objects.get_or_create(name=name)
        cls.objects.filter(name=name).update(value=models.F("value") + amount)
