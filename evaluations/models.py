"""Scores: what people, code, judges or programs said of a trace, a span or a session."""

import datetime
from uuid import UUID

from django.db import models
from django.utils import timezone

from spans.keys import log_row_key
from spans.models import JSONTextField


class Score(models.Model):
    """One score. It needs no trace to exist: the key of its trace is derived, and they meet when the trace comes.

    The id is derived (`score_key`), so that a score that is sent again meets itself. Rows are deleted with their trace;
    those whose trace never came expire with their project's retention. A score of a session has the key of the session
    in both `trace_row_id` and `target_key`.
    """

    class TargetKind(models.TextChoices):
        TRACE = "trace", "trace"
        SPAN = "span", "span"
        SESSION = "session", "session"
        OUTPUT = "output", "output"

    class DataType(models.TextChoices):
        BOOLEAN = "boolean", "yes or no"
        NUMBER = "number", "number"
        CATEGORY = "category", "category"
        TEXT = "text", "text"
        CORRECTION = "correction", "correction"

    class Source(models.TextChoices):
        HUMAN = "human", "a person"
        CODE = "code", "code"
        JUDGE = "judge", "a judge"
        API = "api", "the API"
        OTLP = "otlp", "OTLP"

    pk = models.CompositePrimaryKey("trace_row_id", "id")
    trace_row = models.ForeignKey(
        "traces.Trace", on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="scores"
    )
    id = models.UUIDField(editable=False)
    project = models.ForeignKey(
        "projects.Project", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    target_key = models.UUIDField(help_text="Row key of what is scored: the trace's, the span's, the session's.")
    target_kind = models.CharField(max_length=8, choices=TargetKind)
    trace_id = models.CharField("OTel trace id", max_length=32, blank=True)
    span_id = models.CharField(max_length=16, blank=True)
    session_id = models.TextField(blank=True)

    name = models.TextField()
    data_type = models.CharField(max_length=10, choices=DataType)
    number = models.FloatField(null=True, help_text="The value; of yes or no 1 or 0.")
    label = models.TextField(blank=True)
    text = models.TextField(blank=True)
    explanation = models.TextField(blank=True)

    source = models.CharField(max_length=5, choices=Source)
    source_id = models.TextField(blank=True, help_text="Who of this source: of OTLP the instrumentation scope.")
    client_id = models.TextField(blank=True, help_text="What tells apart several of one source and name.")
    metadata = JSONTextField(default=dict)

    revision = models.PositiveIntegerField(default=1)
    valid = models.BooleanField(default=True)
    superseded_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["project", "-created_at", "-id"], name="score_newest"),
            models.Index(fields=["created_at"], name="score_arrival"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.shown}"

    @property
    def shown(self) -> str:
        """The value as people read it."""
        if self.data_type == self.DataType.BOOLEAN:
            return self.label or ("yes" if self.number else "no")
        number = "" if self.number is None else f"{self.number:.6g}"
        return " ".join(part for part in (number, self.label, self.text) if part)


def score_key(trace_row_id: UUID, target_key: UUID, source: str, source_id: str, name: str, client_id: str) -> UUID:
    """The id of a score: the first half of its trace's key, then a hash of what identifies it."""
    return log_row_key(trace_row_id, target_key.hex, [part.encode() for part in (source, source_id, name, client_id)])


class ScorePull(models.Model):
    """One row: how far log records and traces have been looked through for scores."""

    logs_until = models.DateTimeField(default=datetime.datetime.fromtimestamp(86_400, datetime.UTC))
    traces_until = models.DateTimeField(default=datetime.datetime.fromtimestamp(86_400, datetime.UTC))

    class Meta:
        verbose_name = "pull of scores"

    def __str__(self) -> str:
        return f"looked at traces until {self.traces_until:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def load(cls) -> "ScorePull":
        return cls.objects.get_or_create(pk=1)[0]
