"""What the admin's home page shows: a handful of bounded queries, whatever the number of traces."""

import datetime
import heapq
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from mlflow_sync.client import is_enabled, server_url
from mlflow_sync.pull import mirror_lag
from projects.roles import project_ids
from spans.timestamps import CLOCK_AHEAD_NS, to_unix_nano
from traces.models import Trace
from traces.reading.lists import COUNT_LIMIT, count_up_to_limit

LATEST = 12
# Projects beyond these are left to the lists.
PROJECTS = 20


def summary(request: HttpRequest) -> dict[str, Any]:
    """Latest traces and the counts of the last day, of the user's projects. The mirror's lag is for superusers."""
    projects = project_ids(request.user)[:PROJECTS]
    is_superuser = bool(getattr(request.user, "is_superuser", False))
    day_ago = to_unix_nano(timezone.now() - datetime.timedelta(days=1))
    # What senders with a wrong clock date far ahead would stand here for ever.
    traces = Trace.objects.filter(start_time_unix_nano__lte=to_unix_nano(timezone.now()) + CLOCK_AHEAD_NS)
    latest = heapq.merge(
        *(traces.filter(project=project)[:LATEST] for project in projects),
        key=lambda trace: (trace.start_time_unix_nano, trace.pk),
        reverse=True,
    )
    of_last_day = traces.filter(project__in=projects, start_time_unix_nano__gte=day_ago)
    return {
        "latest": [trace for _, trace in zip(range(LATEST), latest, strict=False)],
        "traces_of_day": count_up_to_limit(of_last_day),
        "errors_of_day": count_up_to_limit(of_last_day.filter(error_count__gt=0)),
        "count_limit": COUNT_LIMIT,
        "mirror": mirror_lag() if is_superuser and is_enabled() else None,
        "mlflow_url": server_url() if is_enabled() else "",
    }
