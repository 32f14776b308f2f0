"""Summaries computed again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from projects.project_option import find_project
from traces.models import Trace
from traces.reading.queries import batches_by_key
from traces.summaries import rollup


class Command(BaseCommand):
    help = (
        "Compute the summaries of traces from their spans again: of all, of one project's or of the given ones. Safe "
        "while spans arrive; where nothing differs, nothing changes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trace_ids", nargs="*", metavar="TRACE_ID", help="OTel trace id, 32 hex digits")
        parser.add_argument("--project", metavar="SLUG", help="only traces of this project")

    def handle(self, *args: Any, **options: Any) -> None:
        traces = Trace.objects.all()
        if options["project"]:
            traces = traces.filter(project=find_project(options["project"]))
        if options["trace_ids"]:
            traces = traces.filter(trace_id__in=[trace_id.lower() for trace_id in options["trace_ids"]])
            if not traces.exists():
                raise CommandError("No such trace.")
        refreshed = 0
        with tqdm(total=traces.count(), unit="trace", disable=None) as bar:
            for keys in batches_by_key(traces, rollup.KEYS_A_TRANSACTION):
                rollup.refresh(keys)
                refreshed += len(keys)
                bar.update(len(keys))
        self.stdout.write(f"{refreshed} traces refreshed.")
