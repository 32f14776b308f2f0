"""Finding what is to be mirrored: changed traces become due rows. Ingest knows nothing of it and never waits.

The status row remembers up to which change the traces were looked at. A transaction may commit a change that is older
than that, so a pull that is up to date looks back a minute, and once an hour a day; rows that know of a change already
are left out by the database.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count, islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Count, Exists, F, Min, OuterRef, PositiveIntegerField, Q, Subquery, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from mlflow_sync.models import MirrorStatus, MlflowTrace
from projects.models import Project
from traces.models import Trace, TraceStatus
from traces.reading.lists import COUNT_LIMIT, count_up_to_limit

# A trace is left alone until nothing came for so long: most exporters send every five seconds or sooner.
QUIET = datetime.timedelta(seconds=3)
OVERLAP = datetime.timedelta(minutes=1)
NO_OVERLAP = datetime.timedelta(0)
SWEEP_EVERY = datetime.timedelta(hours=1)
SWEEP_OVERLAP = datetime.timedelta(days=1)
PAGE = 1_000
MAX_PAGES = 20  # a pull that is no look-back; the next one goes on


def is_sampled(trace_id: str, percent: int) -> bool:
    """Whether a trace is in the share. The same trace always is or never is, on every machine."""
    return int.from_bytes(blake2b(trace_id.encode(), digest_size=8).digest()) % 100 < percent


def pull(now: datetime.datetime | None = None) -> int:
    """Make rows of traces that changed and are quiet and wanted. Returns how many. Safe to run at the same time twice.

    Per 1,000 traces: one query and one or two statements. A trace that is mirrored already stays up to date whatever
    its project's policy has become, unless that is "none".
    """
    now = now or timezone.now()
    status = MirrorStatus.load()
    projects = {project.pk: project for project in Project.objects.exclude(mirror_policy=Project.MirrorPolicy.NONE)}
    is_behind = now - status.pulled_until > 2 * OVERLAP
    is_sweep = now - status.swept_at > SWEEP_EVERY
    look_back = NO_OVERLAP if is_behind else SWEEP_OVERLAP if is_sweep else OVERLAP
    position = (status.pulled_until - look_back, UUID(int=0))
    until = now - QUIET
    found = 0
    if is_sweep:
        _ask_for_forgotten_deletions(now)
    # A look-back goes to its end at once: broken off, it would begin anew each time and never reach what is new.
    for _page in count() if look_back == SWEEP_OVERLAP else range(MAX_PAGES):
        changed = _changed_traces(projects, position, until)
        wanted = [
            trace
            for trace in changed
            if trace["has_row"]
            or is_wanted(projects[trace["project_id"]], trace["trace_id"], trace["status"], trace["error_count"])
        ]
        found += _take_up(wanted, now)
        if len(changed) < PAGE:
            _move(status, until, swept_at=now if is_sweep else None)
            break
        position = (changed[-1]["refreshed_at"], changed[-1]["pk"])
        _move(status, position[0])
    return found


def _ask_for_forgotten_deletions(now: datetime.datetime) -> None:
    """Rows whose trace was deleted in the moment in which they were made. One statement over all rows."""
    forgotten = MlflowTrace.objects.filter(delete_requested_at=None).exclude(
        Exists(Trace.objects.filter(pk=OuterRef("pk")))
    )
    forgotten.update(delete_requested_at=now)


def _changed_traces(
    projects: Iterable[int], position: tuple[datetime.datetime, UUID], until: datetime.datetime
) -> list[dict[str, Any]]:
    """A page of traces whose row does not know of their last change, oldest change first."""
    after, key = position
    rows = MlflowTrace.objects.filter(trace_row=OuterRef("pk"))
    traces: Iterable[Any] = (
        Trace.objects.filter(project__in=list(projects), refreshed_at__gte=after, refreshed_at__lte=until)
        .filter(Q(refreshed_at__gt=after) | Q(pk__gt=key))
        .annotate(has_row=Exists(rows))
        .exclude(Exists(rows.filter(changed_at__gte=OuterRef("refreshed_at"))))
        .order_by("refreshed_at", "pk")
        .values("pk", "project_id", "trace_id", "refreshed_at", "status", "error_count", "has_row")[:PAGE]
    )
    return list(traces)


def is_wanted(project: Project, trace_id: str, status: str, error_count: int) -> bool:
    """Whether the project's policy takes such a trace."""
    match project.mirror_policy:
        case Project.MirrorPolicy.NONE:
            return False
        case Project.MirrorPolicy.SAMPLED:
            return is_sampled(trace_id, project.mirror_sample_percent)
        case Project.MirrorPolicy.ERRORS:
            return status == TraceStatus.ERROR or error_count > 0
    return True


def _take_up(traces: list[dict[str, Any]], now: datetime.datetime) -> int:
    """Insert the rows that are new, and make due again those of traces that changed once more."""
    with transaction.atomic():
        MlflowTrace.objects.bulk_create(
            (
                MlflowTrace(
                    trace_row_id=trace["pk"],
                    project_id=trace["project_id"],
                    trace_id=trace["trace_id"],
                    changed_at=trace["refreshed_at"],
                    next_try_at=now,
                )
                for trace in traces
                if not trace["has_row"]
            ),
            ignore_conflicts=True,
        )
        make_due([trace["pk"] for trace in traces if trace["has_row"]], now)
    return len(traces)


def make_due(keys: list[UUID], now: datetime.datetime) -> int:
    """Note the last change of these rows' traces. Rows that rest become due; claims and waits for a retry stay."""
    if not keys:
        return 0
    last_change = Trace.objects.filter(pk=OuterRef("pk")).values("refreshed_at")
    return MlflowTrace.objects.filter(pk__in=keys).update(
        changed_at=Coalesce(Subquery(last_change), F("changed_at")),
        attempts=Case(When(next_try_at=None, then=0), default=F("attempts"), output_field=PositiveIntegerField()),
        next_try_at=Coalesce(F("next_try_at"), now),
    )


def _move(status: MirrorStatus, until: datetime.datetime, swept_at: datetime.datetime | None = None) -> None:
    """Move the cursor, never back; while little time has passed it stays, to spare an idle database the writes."""
    if until - status.pulled_until < OVERLAP / 4 and swept_at is None:
        return
    values = {"pulled_until": until} | ({"swept_at": swept_at} if swept_at else {})
    MirrorStatus.objects.filter(pk=status.pk, pulled_until__lte=until).update(**values)
    status.pulled_until = until


def mirror_again(keys: Iterable[UUID]) -> int:
    """Mirror these traces (keys of trace rows) now, whatever their project's policy; failed ones get a fresh start.

    Returns how many are due. Four statements for 1,000 traces. Deletions in MLflow that failed are tried again too.
    What a worker has right now stays with it.
    """
    now = timezone.now()
    due = 0
    remaining = iter(keys)
    while batch := list(islice(remaining, PAGE)):
        there = set(MlflowTrace.objects.filter(pk__in=batch).values_list("pk", flat=True))
        missing = Trace.objects.filter(pk__in=set(batch) - there).values("pk", "project_id", "trace_id", "refreshed_at")
        rows = [trace | {"has_row": False} for trace in missing]
        due += _take_up(rows, now)
        due += MlflowTrace.objects.filter(pk__in=there, claimed_at=None).update(attempts=0, next_try_at=now)
    return due


@dataclass(frozen=True)
class MirrorLag:
    """How far the mirror is behind: `waiting` traces (at most COUNT_LIMIT + 1 are counted), `failed` ones likewise,
    the age of the oldest change or deletion that MLflow does not have, in seconds, 0 where there is none, and the
    problem that keeps everything from MLflow, "" where there is none.
    """

    waiting: int
    failed: int
    oldest_seconds: float
    problem: str


def mirror_lag() -> MirrorLag:
    """Four small queries, which stop counting at the limit. Traces that no worker has looked at yet count as well."""
    now = timezone.now()
    pending = MlflowTrace.objects.pending().order_by()[: COUNT_LIMIT + 1]
    counted = MlflowTrace.objects.filter(pk__in=pending.values("pk")).aggregate(
        waiting=Count("pk"), oldest=Min(Coalesce("delete_requested_at", "changed_at"))
    )
    failed = count_up_to_limit(MlflowTrace.objects.failed())
    status = MirrorStatus.objects.filter(pk=1).first() or MirrorStatus()
    since = max(status.pulled_until, now - SWEEP_OVERLAP)
    mirrored_projects = Project.objects.exclude(mirror_policy=Project.MirrorPolicy.NONE).values("pk")
    unseen = (
        Trace.objects.filter(refreshed_at__gt=since, refreshed_at__lte=now - OVERLAP, project__in=mirrored_projects)
        .order_by("refreshed_at", "pk")
        .values_list("refreshed_at", flat=True)
        .first()
    )
    oldest = min((moment for moment in (counted["oldest"], unseen) if moment is not None), default=now)
    return MirrorLag(counted["waiting"], failed, max(0.0, (now - oldest).total_seconds()), status.problem)
