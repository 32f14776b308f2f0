"""Summaries computed again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from projects.models import Project
from traces import rollup
from traces.models import Trace


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
            project = Project.objects.filter(slug=options["project"]).first()
            if project is None:
                raise CommandError(f"There is no project {options['project']}.")
            traces = traces.filter(project=project)
        if options["trace_ids"]:
            traces = traces.filter(trace_id__in=[trace_id.lower() for trace_id in options["trace_ids"]])
        keys = list(traces.order_by("pk").values_list("pk", flat=True))
        if options["trace_ids"] and not keys:
            raise CommandError("No such trace.")
        with tqdm(total=len(keys), unit="trace", disable=None) as bar:
            for start in range(0, len(keys), rollup.KEYS_A_TRANSACTION):
                batch = keys[start : start + rollup.KEYS_A_TRANSACTION]
                rollup.refresh(batch)
                bar.update(len(batch))
        self.stdout.write(f"{len(keys)} traces refreshed.")
