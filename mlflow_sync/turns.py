"""Whose turn it is: each project with something to do gets the same number of rows, however much another one has."""

import datetime
import random
from collections.abc import Iterator
from itertools import chain, zip_longest
from uuid import UUID

from django.utils import timezone

from mlflow_sync.models import MlflowTrace, MlflowTraceQuerySet


def due_in_turn(limit: int) -> list[UUID]:
    """Keys of at most `limit` due rows: one of each project in turn, of a project deletions first, then what waits
    longest.

    Where more projects wait than rows are wanted, chance decides whose turn it is. Two queries for each project that
    waits, and two for each that is chosen, all by an index.
    """
    now = timezone.now()
    projects = sorted(_projects(_deletions()) | _projects(_waiting(now)))
    random.shuffle(projects)
    projects = projects[:limit]
    share = -(-limit // max(1, len(projects)))
    columns = [_keys_of(project, now, share) for project in projects]
    return [key for key in chain.from_iterable(zip_longest(*columns)) if key is not None][:limit]


def _waiting(now: datetime.datetime) -> MlflowTraceQuerySet:
    return MlflowTrace.objects.filter(next_try_at__lte=now)


def _deletions() -> MlflowTraceQuerySet:
    """Deletions of rows at rest."""
    return MlflowTrace.objects.filter(next_try_at=None, delete_requested_at__isnull=False)


def _projects(rows: MlflowTraceQuerySet) -> set[int]:
    """Ids of their projects, deleted ones too. One look into the index for each."""

    def walk() -> Iterator[int]:
        ids = rows.order_by("project").values_list("project", flat=True)
        project_id = ids.first()
        while project_id is not None:
            yield project_id
            project_id = ids.filter(project__gt=project_id).first()

    return set(walk())


def _keys_of(project: int, now: datetime.datetime, share: int) -> list[UUID]:
    keys = list(
        _deletions().filter(project=project).order_by("delete_requested_at").values_list("pk", flat=True)[:share]
    )
    if len(keys) < share:
        waiting = _waiting(now).filter(project=project).order_by("next_try_at")
        keys += waiting.values_list("pk", flat=True)[: share - len(keys)]
    return keys
