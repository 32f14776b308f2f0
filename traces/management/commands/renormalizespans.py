"""The conventions run again over stored spans."""

from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from projects.project_option import find_project
from traces.models import Trace
from traces.reading.queries import batches_by_key
from traces.summaries.rollup import KEYS_A_TRANSACTION
from traces.upkeep.renormalize import Renormalized, renormalize

SECONDS_BETWEEN_NOTES = 30


class Command(BaseCommand):
    help = (
        "Run the semantic conventions again over stored spans and refresh their traces: of all, of one project's or of "
        "the given ones. Only what differs is written; safe while spans arrive, and safe to stop and run again. It "
        "notes twice a minute how far it is, so that even a killed run can be gone on with."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trace_ids", nargs="*", metavar="TRACE_ID", help="OTel trace id, 32 hex digits")
        parser.add_argument("--project", metavar="SLUG", help="only traces of this project")
        parser.add_argument("--since", metavar="TIME", help="only traces that arrived since this ISO 8601 date or time")
        parser.add_argument("--dry-run", action="store_true", help="count what would change, by column; write nothing")
        parser.add_argument(
            "--after", type=UUID, metavar="KEY", help="go on after this key, which a stopped run has printed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # What comes from now on is normalized by the present tables already.
        traces = Trace.objects.filter(created_at__lt=timezone.now())
        if options["project"]:
            traces = traces.filter(project=find_project(options["project"]))
        if options["since"]:
            traces = traces.filter(created_at__gte=read_time(options["since"]))
        if options["trace_ids"]:
            traces = traces.filter(trace_id__in=[trace_id.lower() for trace_id in options["trace_ids"]])
            if not traces.exists():
                raise CommandError("No such trace.")
        last: UUID | None = options["after"]
        if last:
            traces = traces.filter(pk__gt=last)
        total = Renormalized()
        looked_at = 0
        noted = monotonic()
        try:
            # The bar is for people; it is silent where standard error is no terminal.
            with tqdm(total=traces.count(), unit="trace", disable=None) as bar:
                for keys in batches_by_key(traces, KEYS_A_TRANSACTION):
                    total.add(renormalize(keys, options["dry_run"]))
                    last = keys[-1]
                    looked_at += len(keys)
                    bar.update(len(keys))
                    if monotonic() - noted > SECONDS_BETWEEN_NOTES:
                        noted = monotonic()
                        self.stdout.write(f"{looked_at} traces so far; to go on from here: --after {last}")
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. Go on with --after {last}." if last else "Stopped.") from None
        verb = "would change" if options["dry_run"] else "changed"
        self.stdout.write(f"{total.spans} spans of {looked_at} traces looked at, {total.changed} {verb}.")
        for column, count in total.columns.most_common():
            self.stdout.write(f"  {column}: {count}")


def read_time(text: str) -> datetime:
    """An ISO 8601 date or time, UTC where it names no zone. Raises CommandError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text} is no ISO 8601 date or time.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
