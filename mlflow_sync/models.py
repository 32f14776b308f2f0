"""Where every trace stands on its way to MLflow, and on its way out of it."""

import datetime
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.deletion import Collector
from django.utils import timezone

from projects.models import Project
from spans.models import Span


def request_deletion(collector: Collector, field: Any, sub_objs: QuerySet[Any], using: str) -> None:
    """`on_delete` of a mirrored trace: its row stays and asks for the deletion in MLflow, in the same transaction."""
    collector.add_field_update(MlflowTrace._meta.get_field("delete_requested_at"), timezone.now(), sub_objs)


request_deletion.lazy_sub_objs = True  # type: ignore[attr-defined]  # Django then doesn't load the rows


class MlflowTraceQuerySet(models.QuerySet["MlflowTrace"]):
    """The states, each backed by a partial index; `due` and `failed` are disjoint."""

    def due(self, now: datetime.datetime) -> "MlflowTraceQuerySet":
        """Rows that a worker may take: their time has come, or their trace was deleted while they rested."""
        return self.filter(Q(next_try_at__lte=now) | Q(next_try_at=None, delete_requested_at__isnull=False))

    def pending(self) -> "MlflowTraceQuerySet":
        """Rows with something still to do, now or later."""
        return self.filter(Q(next_try_at__isnull=False) | Q(delete_requested_at__isnull=False))

    def failed(self) -> "MlflowTraceQuerySet":
        """Rows that gave up: nothing happens before somebody mirrors them again."""
        return self.filter(next_try_at=None, delete_requested_at=None).exclude(error_code="")

    def mirrored(self) -> "MlflowTraceQuerySet":
        """Rows whose trace stands in MLflow as it stood here when it was last looked at."""
        return self.filter(next_try_at=None, delete_requested_at=None, error_code="", mirrored_at__isnull=False)


class MlflowTrace(models.Model):
    """The mirror state of one trace. The rows are the queue: losing Redis loses nothing.

    A row outlives its trace until MLflow has deleted it too, and its project likewise. Steps carry bee-observe's names,
    which are part of its wire contract; `step` is the last one reached, whatever became of later changes.
    """

    class Step(models.TextChoices):
        START_TRACE = "START_TRACE", "nothing sent yet"
        ADD_TREE = "ADD_TREE", "spans sent"
        CHECK_TREE = "CHECK_TREE", "trace info sent, not verified"
        CLOSE_TRACE = "CLOSE_TRACE", "mirrored"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RETRYING = "retrying", "retrying"
        FAILED = "failed", "failed"
        MIRRORED = "mirrored", "mirrored"
        DELETING = "deleting", "deleting in MLflow"

    trace_row = models.OneToOneField(
        "traces.Trace", on_delete=request_deletion, db_constraint=False, primary_key=True, related_name="mlflow"
    )
    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    trace_id = models.CharField("OTel trace id", max_length=32)
    mlflow_trace_id = models.CharField(
        "MLflow trace id", max_length=50, blank=True, help_text="Set before the first request that could create it."
    )
    experiment_id = models.CharField("MLflow experiment id", max_length=32, blank=True)
    step = models.CharField(max_length=12, choices=Step, default=Step.START_TRACE)
    span_count = models.PositiveIntegerField(default=0, help_text="Spans sent when it was last mirrored.")

    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(help_text="The trace's latest change that the mirror knows of.")
    mirrored_change_at = models.DateTimeField(null=True, help_text="The trace's change that MLflow has.")
    mirrored_at = models.DateTimeField(null=True)
    delete_requested_at = models.DateTimeField(null=True, help_text="When the trace was deleted here.")

    erasure = models.ForeignKey(
        "Erasure",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="mlflow_traces",
        help_text="The erasure that asked for the deletion.",
    )

    attempts = models.PositiveIntegerField(default=0, help_text="Failed attempts since the last success.")
    next_try_at = models.DateTimeField(null=True, help_text="When a worker may take it. Empty: nothing to do.")
    claimed_at = models.DateTimeField(null=True, help_text="Since when a worker has it; the claim ends at next_try_at.")
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    error_reason = models.TextField(blank=True, help_text="What MLflow answered.")

    objects = MlflowTraceQuerySet.as_manager()

    class Meta:
        verbose_name = "MLflow mirror state"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"], name="mlflow_newest"),
            models.Index(fields=["project", "-created_at"], name="mlflow_newest_of_project"),
            models.Index(fields=["trace_id"], name="mlflow_by_otel_id"),
            models.Index(
                fields=["project", "next_try_at"], name="mlflow_due_of_project", condition=Q(next_try_at__isnull=False)
            ),
            models.Index(
                fields=["project", "delete_requested_at"],
                name="mlflow_deleting_of_project",
                condition=Q(delete_requested_at__isnull=False),
            ),
            models.Index(
                fields=["project", "-created_at"],
                name="mlflow_failed",
                condition=Q(next_try_at=None, delete_requested_at=None) & ~Q(error_code=""),
            ),
            models.Index(fields=["erasure"], name="mlflow_of_erasure", condition=Q(erasure__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.mlflow_trace_id or self.trace_id

    @property
    def state(self) -> "MlflowTrace.State":
        if self.delete_requested_at is not None:
            return self.State.DELETING
        if self.next_try_at is not None:
            return self.State.RETRYING if self.error_code else self.State.WAITING
        return self.State.FAILED if self.error_code else self.State.MIRRORED

    @property
    def error(self) -> dict[str, str] | None:
        """bee-observe's error object: code, message and, where MLflow said something, reason."""
        if not self.error_code:
            return None
        error = {"code": self.error_code, "message": self.error_message}
        return error | {"reason": self.error_reason} if self.error_reason else error

    def contract(self, include_tree: bool) -> dict[str, Any]:
        """bee-observe's `mlflow` object of a trace, times as "2026-01-01T00:00:00.000Z". One query, if with the tree.

        `request_id` is absent before MLflow could know the trace, `error` where there is none.
        """
        values: dict[str, Any] = {
            "id": self.trace_row_id.hex[:24],
            "created_at": self.created_at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "step": self.step,
        }
        if self.mlflow_trace_id:
            values["request_id"] = self.mlflow_trace_id
        if self.error:
            values["error"] = self.error
        return values | {"tree": self._contract_tree() if include_tree else []}

    def _contract_tree(self) -> list[dict[str, Any]]:
        """The spans as bee-observe wrote them for MLflow: a flat list, roots first, times in milliseconds."""
        columns = ("span_id", "parent_span_id", "name", "start_time_unix_nano", "end_time_unix_nano", "span_type")
        rows = Span.objects.filter(trace_row=self.trace_row_id).order_by("start_time_unix_nano", "span_id")
        tree: list[dict[str, Any]] = [
            {
                "name": span.name,
                "context": {"trace_id": self.mlflow_trace_id, "span_id": span.span_id},
                "parent_id": span.parent_span_id or None,
                "attributes": {"mlflow.traceRequestId": self.mlflow_trace_id, "mlflow.spanType": span.span_type},
                "start_time": span.start_time_unix_nano // 1_000_000,
                "end_time": span.end_time_unix_nano // 1_000_000,
                "status_code": "ERROR" if span.is_error else "OK",
                "status_message": span.status_message,
                "events": [],
            }
            for span in rows.only(*columns, "is_error", "status_message")
        ]
        return sorted(tree, key=lambda span: span["parent_id"] is not None)


class MirrorStatus(models.Model):
    """One row: how far the mirror has looked, and what keeps it from MLflow altogether."""

    pulled_until = models.DateTimeField(default=datetime.datetime.fromtimestamp(86_400, datetime.UTC))
    swept_at = models.DateTimeField(default=datetime.datetime.fromtimestamp(0, datetime.UTC))
    problem = models.TextField(blank=True, help_text="Why no trace can be mirrored now, and what to do about it.")
    problem_since = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "mirror status"

    def __str__(self) -> str:
        return self.problem or f"looked at changes until {self.pulled_until:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def load(cls) -> "MirrorStatus":
        return cls.objects.get_or_create(pk=1)[0]

    def note_problem(self, problem: str) -> None:
        """Keep the problem and since when it is there; "" where there is none."""
        if problem != self.problem:
            self.problem_since = (self.problem_since or timezone.now()) if problem else None
            self.problem = problem
            self.save(update_fields=["problem", "problem_since"])


class Erasure(models.Model):
    """The receipt of an erasure: who had the traces of which user or session deleted, when, and how far it has come.

    It does not hold the identifier, only its keyed hash (`erasure.subject_hash`), and it outlives the project.
    """

    class Kind(models.TextChoices):
        USER = "user", "user id"
        SESSION = "session", "session id"

    project = models.ForeignKey(
        Project, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    project_slug = models.CharField(max_length=100)
    kind = models.CharField(max_length=7, choices=Kind)
    subject_hash = models.CharField(max_length=64, db_index=True)
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, help_text="When nothing of it was left here.")
    trace_count = models.PositiveIntegerField(default=0, help_text="Traces deleted here.")
    span_count = models.PositiveIntegerField(default=0, help_text="Spans deleted here.")
    rejected_span_count = models.PositiveIntegerField(
        default=0, help_text="Rejected spans deleted here: all of a request in which the identifier stands."
    )
    mlflow_trace_count = models.PositiveIntegerField(default=0, help_text="Traces to be deleted in MLflow.")
    mlflow_confirmed_at = models.DateTimeField(null=True, help_text="When MLflow had none of them.")

    class Meta:
        ordering = ["-requested_at", "-pk"]
        indexes = [
            models.Index(
                fields=["requested_at"], name="erasure_unconfirmed", condition=Q(mlflow_confirmed_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject_hash[:12]}… in {self.project_slug}"
