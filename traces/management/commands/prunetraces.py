"""Expiry on demand."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from projects.project_option import find_project
from traces.upkeep.retention import delete_expired, expiries


class Command(BaseCommand):
    help = (
        "Delete the traces that are past their project's retention (its own, or DATA_EXPIRATION_IN_DAYS) and that "
        "neither a pin nor a retention rule keeps, and those of deleted projects. The mirror deletes them in MLflow "
        "afterwards. The worker does the same every hour."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and delete nothing")
        parser.add_argument("--project", metavar="SLUG", help="only traces of this project")

    def handle(self, *args: Any, **options: Any) -> None:
        found = expiries()
        if options["project"]:
            project = find_project(options["project"])
            found = [expiry for expiry in found if expiry.project_id == project.pk]
        total = 0
        for expiry in found:
            traces, spans = expiry.count_expired()
            total += traces
            name = expiry.project_slug or f"deleted project {expiry.project_id}"
            since = f" from before {expiry.before:%Y-%m-%d %H:%M} UTC" if expiry.before else ""
            self.stdout.write(f"{name}: {traces} traces with {spans} spans{since}")
            for reason, count in expiry.count_kept():
                self.stdout.write(f"  {count} past that are kept: {reason}")
        if options["dry_run"]:
            self.stdout.write(f"{total} traces would be deleted.")
            return
        with tqdm(total=total, unit="trace", disable=None) as bar:
            deleted = delete_expired(found if options["project"] else None, bar.update)
        self.stdout.write(f"{deleted} traces deleted.")
