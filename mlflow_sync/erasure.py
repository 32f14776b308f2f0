"""Erasing all that belongs to a user or a session, here and in MLflow, with a receipt that does not name them."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.crypto import salted_hmac

from mlflow_sync.models import Erasure, MlflowTrace
from projects.models import Project
from spans.batches import batches
from spans.models import Span
from spans.vacuum import empty_log, give_back_space
from traces.models import RejectedSpans, Trace
from traces.reading.lists import forms_of_id
from traces.upkeep.deletion import delete_traces

logger = logging.getLogger(__name__)

TRACES_A_BATCH = 100
# Whoever is still sending would otherwise keep an erasure busy for ever.
MAX_ROUNDS = 3
# How long an erasure waits for readers that began before it and keep SQLite's log
LOG_SECONDS = 10


def subject_hash(kind: str, identifier: str) -> str:
    """HMAC-SHA256 of the identifier with the secret key, 64 hex digits: it can be checked, not guessed from outside."""
    return salted_hmac("erasure", f"{kind}:{identifier}", algorithm="sha256").hexdigest()


@dataclass(frozen=True)
class Subject:
    """A user or session of a project: their traces, also those of which only some spans name them."""

    project: Project
    kind: Erasure.Kind
    identifier: str

    def traces(self) -> set[UUID]:
        """Keys of the traces. Two queries; the one for spans reads all of the project's, as no index knows them."""
        named = {"project": self.project, f"{self.kind.value}_id__in": forms_of_id(self.identifier)}
        keys = set(Trace.objects.filter(**named).order_by().values_list("pk", flat=True))
        spans = Span.objects.filter(**named).order_by().values_list("trace_row", flat=True)
        return keys | set(spans.distinct())

    def rejected(self) -> Iterator[RejectedSpans]:
        """Kept rejected spans in which the identifier stands anywhere. Reads all of the project's."""
        needle = self.identifier.encode()
        for rejected in RejectedSpans.objects.filter(project=self.project).order_by("pk").iterator(chunk_size=20):
            if needle in bytes(rejected.request):
                yield rejected


@dataclass(frozen=True)
class Extent:
    """What an erasure would delete: traces and spans here, rejected spans here, traces in MLflow."""

    traces: int
    spans: int
    rejected_spans: int
    mlflow_traces: int


def extent(subject: Subject) -> Extent:
    """What `erase` would delete now. Reads all of the project's spans once."""
    keys = subject.traces()
    spans = mlflow_traces = 0
    for batch in batches(sorted(keys), TRACES_A_BATCH):
        spans += Trace.objects.filter(pk__in=batch).aggregate(sum=Sum("span_count"))["sum"] or 0
        mlflow_traces += MlflowTrace.objects.filter(pk__in=batch).count()
    rejected = sum(rejected.kept_count for rejected in subject.rejected())
    return Extent(len(keys), spans, rejected, mlflow_traces)


def erase(subject: Subject, requested_by: str) -> Erasure:
    """Delete it all here, in transactions of 100 traces, and queue its deletion in MLflow. Returns the receipt.

    Safe beside ingest and to run again; broken off, it leaves a receipt without `completed_at`. New traces that
    arrive afterwards are stored.
    """
    receipt = Erasure.objects.create(
        project=subject.project,
        project_slug=subject.project.slug,
        kind=subject.kind,
        subject_hash=subject_hash(subject.kind, subject.identifier),
        requested_by=requested_by,
    )
    for _round in range(MAX_ROUNDS):
        keys = subject.traces()
        for batch in batches(sorted(keys), TRACES_A_BATCH):
            _erase_batch(receipt, batch)
        if not keys:
            break
    for rejected in list(subject.rejected()):
        RejectedSpans.objects.filter(pk=rejected.pk).delete()
        _add(receipt, rejected_span_count=rejected.kept_count)
    Erasure.objects.filter(pk=receipt.pk).update(completed_at=timezone.now())
    confirm_erasures()
    give_back_space()
    if not empty_log(LOG_SECONDS):
        logger.warning("SQLite's log still holds what was erased; it is emptied as soon as earlier reads have ended")
    receipt.refresh_from_db()
    return receipt


def _erase_batch(receipt: Erasure, keys: list[UUID]) -> None:
    with transaction.atomic():
        spans = Span.objects.filter(trace_row__in=keys).count()
        traces = delete_traces(keys)
        mirrored = MlflowTrace.objects.filter(pk__in=keys, delete_requested_at__isnull=False).update(erasure=receipt)
        _add(receipt, trace_count=traces, span_count=spans, mlflow_trace_count=mirrored)


def _add(receipt: Erasure, **counts: int) -> None:
    Erasure.objects.filter(pk=receipt.pk).update(**{name: F(name) + count for name, count in counts.items()})


def confirm_erasures() -> bool:
    """Note of which erasures MLflow has nothing left: the mirror forgets a row once it has looked.

    One query, two statements more where erasures wait. They are two because the two tables may lie on different
    machines; a row can't join an erasure that is complete.
    """
    waiting = set(
        Erasure.objects.filter(mlflow_confirmed_at=None, completed_at__isnull=False).values_list("pk", flat=True)
    )
    if waiting:
        left = MlflowTrace.objects.filter(erasure__in=waiting).order_by().values_list("erasure", flat=True).distinct()
        Erasure.objects.filter(pk__in=waiting - set(left)).update(mlflow_confirmed_at=timezone.now())
    return False
