"""The ledger of export requests: a receipt for each, and the spans of it that were not stored."""

import secrets
import time
from uuid import UUID

from django.db import models
from django.utils import timezone

from spans.models import JSONTextField

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
