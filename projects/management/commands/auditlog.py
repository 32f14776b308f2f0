"""The audit log as JSON lines."""

import datetime
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_aware, make_aware

from projects.models import AuditEvent
from projects.project_option import find_project


def moment(text: str) -> datetime.datetime:
    """A day or an ISO 8601 time, UTC where it names no zone. Raises CommandError."""
    try:
        day = parse_date(text)
        parsed = datetime.datetime(day.year, day.month, day.day) if day else parse_datetime(text)
    except ValueError:
        parsed = None
    if parsed is None:
        raise CommandError(f"{text!r} is no time like 2026-01-31 or 2026-01-31T12:00:00Z.")
    return parsed if is_aware(parsed) else make_aware(parsed)


class Command(BaseCommand):
    help = "Print the audit log as JSON lines, oldest first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", metavar="TIME", help="only entries from then on: 2026-01-31 or with a time")
        parser.add_argument("--before", metavar="TIME", help="only entries before then")
        parser.add_argument("--project", metavar="SLUG", help="only entries of this project")

    def handle(self, *args: Any, **options: Any) -> None:
        events = AuditEvent.objects.order_by("created_at", "id")
        if options["since"]:
            events = events.filter(created_at__gte=moment(options["since"]))
        if options["before"]:
            events = events.filter(created_at__lt=moment(options["before"]))
        if options["project"]:
            events = events.filter(project=find_project(options["project"]))
        for event in events.iterator():
            self.stdout.write(json.dumps(event.as_json(), ensure_ascii=False))
