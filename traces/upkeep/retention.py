"""Retention: which traces have expired, and deleting them in batches.

The age of a trace counts from its arrival. It expires when the longest time that applies to it is over: its project's
own, or that of a rule whose conditions it meets. A pinned trace never expires.
"""

import datetime
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from projects.models import Project, RetentionRule
from spans.models import SpanLog
from spans.partitions import KEPT_DAY, drop_partition, keep_spans, partition_days
from spans.vacuum import give_back_space
from traces.models import RunningTotal, Trace
from traces.summaries import rollup
from traces.upkeep.deletion import delete_traces

logger = logging.getLogger(__name__)

TRACES_A_BATCH = 500


@dataclass(frozen=True)
class Expiry:
    """What has expired in a project: what arrived before `before` and no rule keeps, or all, if the project is gone."""

    project_id: int
    project_slug: str
    before: datetime.datetime | None
    rules: tuple[RetentionRule, ...] = ()
    now: datetime.datetime | None = None

    def traces(self) -> QuerySet[Trace]:
        """The expired traces, oldest first; an index gives them in this order."""
        traces = self._past()
        for _name, keeps in self._exceptions():
            traces = traces.exclude(keeps)
        return traces

    def _past(self) -> QuerySet[Trace]:
        """Everything past the project's own retention."""
        traces = Trace.objects.filter(project=self.project_id).order_by("created_at", "pk")
        return traces if self.before is None else traces.filter(created_at__lt=self.before)

    def _exceptions(self) -> list[tuple[str, Q]]:
        """What keeps a trace beyond the project's own retention, by name. Nothing does so in a deleted project."""
        if self.before is None or self.now is None:
            return []
        rules = [
            (str(rule), _condition(rule) & Q(created_at__gte=self.now - datetime.timedelta(days=rule.keep_days)))
            for rule in self.rules
        ]
        return [("pinned", Q(pinned=True)), *rules]

    def count_expired(self) -> tuple[int, int]:
        """Expired traces, and their spans. Reads every one of the traces' rows."""
        counted = self.traces().order_by().aggregate(traces=Count("pk"), spans=Sum("span_count"))
        return counted["traces"], counted["spans"] or 0

    def count_kept(self) -> list[tuple[str, int]]:
        """Traces past the project's own retention, by what keeps them; some may be kept twice. One query for each."""
        return [(name, self._past().filter(keeps).count()) for name, keeps in self._exceptions()]


def _condition(rule: RetentionRule) -> Q:
    """Which traces the rule is for."""
    texts = ("status", "service_name", "session_id", "user_id")
    condition = Q(**{name: getattr(rule, name) for name in texts if getattr(rule, name)})
    if rule.min_error_count is not None:
        condition &= Q(error_count__gte=rule.min_error_count)
    if rule.min_duration_ms is not None:
        condition &= Q(duration_ns__gte=rule.min_duration_ms * 1_000_000)
    if rule.min_cost_usd is not None:
        condition &= Q(cost_usd__gte=rule.min_cost_usd)
    return condition


def expiry_of(project: Project, now: datetime.datetime | None = None, days: int | None = None) -> Expiry:
    """With its saved rules, and with its saved retention unless `days` says another. One query, none if prefetched."""
    now = now or timezone.now()
    return Expiry(
        project.pk,
        project.slug,
        now - datetime.timedelta(days=project.effective_retention_days if days is None else days),
        tuple(rule for rule in project.retention_rules.all() if rule.conditions()),
        now,
    )


def expiries(now: datetime.datetime | None = None) -> list[Expiry]:
    """One for each project, and for each deleted one that still has traces. One query a project of the latter kind."""
    now = now or timezone.now()
    projects = {project.pk: project for project in Project.objects.prefetch_related("retention_rules")}
    found = [expiry_of(project, now) for project in projects.values()]
    return found + [Expiry(pk, "", None) for pk in _projects_with_traces() if pk not in projects]


def _projects_with_traces() -> Iterator[int]:
    """Ids of the projects that have traces. One look into the index for each."""
    ids = Trace.objects.order_by("project").values_list("project", flat=True)
    project_id = ids.first()
    while project_id is not None:
        yield project_id
        project_id = ids.filter(project__gt=project_id).first()


def delete_expired(found: list[Expiry] | None = None, progress: Callable[[int], object] = lambda deleted: None) -> int:
    """Delete what has expired, in transactions of at most 500 traces, and tell `progress` of each. Returns how many.

    May run beside ingest and beside itself, and be broken off at any point. On PostgreSQL a day that has expired in
    every project loses its spans by dropping its partition.
    """

    def note(count: int) -> None:
        RunningTotal.add(RunningTotal.RETENTION_DELETED, count)
        progress(count)

    everything = found is None
    found = expiries() if found is None else found
    deleted = 0
    if everything:
        for day in _days_expired_everywhere(found):
            deleted += _delete_day(day, found, note)
    for expiry in found:
        for keys in _batches(expiry.traces()):
            deleted += (count := delete_traces(expiry.traces().filter(pk__in=keys), stay_deleted=False))
            note(count)
    if everything:
        _delete_logs_without_trace(found)
    if deleted:
        give_back_space()
    return deleted


def _delete_logs_without_trace(found: list[Expiry]) -> None:
    """Delete expired log records whose trace never came. One statement a project, and one for those that are gone."""
    orphans = SpanLog.objects.filter(~Exists(Trace.objects.filter(pk=OuterRef("trace_row_id"))))
    for expiry in found:
        if expiry.before is not None:
            orphans.filter(project=expiry.project_id, received_at__lt=expiry.before).delete()
    orphans.filter(~Exists(Project.objects.filter(pk=OuterRef("project_id")))).delete()


def _batches(traces: QuerySet[Trace]) -> Iterator[list[UUID]]:
    """The keys of traces that leave the queryset as they are read."""
    while keys := list(traces.values_list("pk", flat=True)[:TRACES_A_BATCH]):
        yield keys


def _days_expired_everywhere(found: list[Expiry]) -> list[datetime.date]:
    """Days with a partition of their own that ended before any project's retention begins."""
    befores = [expiry.before for expiry in found if expiry.before is not None]
    if not befores:
        return []
    first_kept = min(befores).astimezone(datetime.UTC).date()
    return [day for day in partition_days() if day < first_kept]


def _delete_day(day: datetime.date, found: list[Expiry], progress: Callable[[int], object]) -> int:
    """Delete the day's expired traces without touching their spans, move what is kept, then drop all that is left.

    Spans are moved of kept traces only, so the work grows with these. Ingest can't bring a trace back into the
    partition: it holds the trace's lock while it adds spans, and makes a new trace, in today's partition, once the row
    is gone; a trace that was moved takes them along.
    """
    start = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    of_day = Q(created_at__gte=start, created_at__lt=start + datetime.timedelta(days=1))
    deleted = 0
    for expiry in found:
        expired = expiry.traces().filter(of_day)
        for keys in _batches(expired):
            with transaction.atomic():
                going = list(expired.filter(pk__in=rollup.lock(keys)).order_by().values_list("pk", flat=True))
                SpanLog.objects.filter(trace_row__in=going).delete()
                Trace.objects.filter(pk__in=going).delete()
            deleted += len(going)
            progress(len(going))
        for keys in _batches(Trace.objects.filter(of_day, project=expiry.project_id, day=day).order_by()):
            _keep(keys, day)
    try:
        drop_partition(day)
    except OperationalError as error:
        logger.warning("The spans of %s stay until the next run: %s", day, error)
    return deleted


def _keep(keys: list[UUID], day: datetime.date) -> None:
    """Move these traces out of the day's partition. Their rows are locked in key order, as everywhere."""
    with transaction.atomic():
        moved = [key for key in sorted(keys) if Trace.objects.filter(pk=key, day=day).update(day=KEPT_DAY)]
        keep_spans(moved, day)
