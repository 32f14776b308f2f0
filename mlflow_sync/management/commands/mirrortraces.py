"""Mirroring on demand."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from tqdm import tqdm

from mlflow_sync.client import MlflowClient, MlflowError, is_enabled
from mlflow_sync.mirror import mirror
from mlflow_sync.models import MlflowTrace
from mlflow_sync.pull import mirror_again
from projects.project_option import find_project
from spans.batches import batches
from traces.models import Trace

KEYS_A_ROUND = 20


class Command(BaseCommand):
    help = (
        "Mirror traces to MLflow again: the given ones, the failed ones or all, whatever their project's mirror "
        "policy. The worker does the work, or, with --now, this command."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trace_ids", nargs="*", metavar="TRACE_ID", help="OTel trace id, 32 hex digits")
        parser.add_argument("--failed", action="store_true", help="every trace whose mirror gave up")
        parser.add_argument("--all", action="store_true", help="every trace")
        parser.add_argument("--project", metavar="SLUG", help="only traces of this project")
        parser.add_argument("--now", action="store_true", help="mirror them here, with a progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        if sum([bool(options["trace_ids"]), options["failed"], options["all"]]) != 1:
            raise CommandError("Say which traces: trace ids, --failed or --all.")
        if not is_enabled():
            raise CommandError("There is no mirror: MLFLOW_TRACKING_URI is off.")
        keys = list(self._keys(options))
        if options["trace_ids"] and not keys:
            raise CommandError("No such trace.")
        due = mirror_again(keys)
        if not options["now"]:
            self.stdout.write(f"{due} traces are due; the worker mirrors them.")
            return
        done = self._mirror(keys)
        self.stdout.write(f"{done} of {len(keys)} traces mirrored.")
        if done < len(keys):
            raise CommandError("The mirror states in the admin say what went wrong with the others.")

    def _keys(self, options: dict[str, Any]) -> Iterator[UUID]:
        """Keys of trace rows, in their order."""
        rows: QuerySet[Any] = MlflowTrace.objects.failed() if options["failed"] else Trace.objects.all()
        if options["project"]:
            rows = rows.filter(project=find_project(options["project"]))
        if options["trace_ids"]:
            rows = rows.filter(trace_id__in=[trace_id.lower() for trace_id in options["trace_ids"]])
        yield from rows.order_by("pk").values_list("pk", flat=True).iterator()

    def _mirror(self, keys: list[UUID]) -> int:
        done = 0
        with MlflowClient() as client, tqdm(total=len(keys), unit="trace", disable=None) as bar:
            for batch in batches(keys, KEYS_A_ROUND):
                try:
                    done += mirror(batch, client)
                except MlflowError as error:
                    raise CommandError(str(error)) from error
                bar.update(len(batch))
        return done
