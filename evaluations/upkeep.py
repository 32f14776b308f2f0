"""Scores whose trace never came, or went: they expire."""

import datetime

from django.db.models import Exists, OuterRef
from django.utils import timezone

from evaluations.models import Score
from projects.models import Project
from spans.models import SpanLog
from traces.models import Trace
from traces.upkeep.retention import expiries

# A score may be stored in the moment in which its trace is deleted.
FRESH = datetime.timedelta(hours=3)


def delete_orphans() -> bool:
    """Delete expired scores without a trace, and those that came over OTLP of which nothing is left. Idempotent.

    One statement a project, and two more.
    """
    without_trace = Score.objects.filter(~Exists(Trace.objects.filter(pk=OuterRef("trace_row_id"))))
    for expiry in expiries():
        if expiry.before is not None:
            without_trace.filter(project=expiry.project_id, created_at__lt=expiry.before).delete()
    without_trace.filter(~Exists(Project.objects.filter(pk=OuterRef("project_id")))).delete()
    without_record = without_trace.filter(~Exists(SpanLog.objects.filter(trace_row=OuterRef("trace_row_id"))))
    without_record.filter(source=Score.Source.OTLP, created_at__gt=timezone.now() - FRESH).delete()
    return False
