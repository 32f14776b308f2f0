"""Erasure on demand."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mlflow_sync.erasure import Subject, erase, extent
from mlflow_sync.models import Erasure
from projects.project_option import find_project


class Command(BaseCommand):
    help = (
        "Delete every trace in which a span names this user or session, here at once and in MLflow through the "
        "mirror, and rejected spans that hold the identifier. Leaves a receipt that does not name it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", metavar="SLUG", required=True)
        subject = parser.add_mutually_exclusive_group(required=True)
        subject.add_argument("--user", metavar="ID")
        subject.add_argument("--session", metavar="ID")
        parser.add_argument("--by", metavar="NAME", help="who asks, for the receipt; your login name if not given")
        parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_project(options["project"])
        kind = Erasure.Kind.SESSION if options["user"] is None else Erasure.Kind.USER
        identifier = options[kind.value]
        if not identifier:
            raise CommandError("The id is empty.")
        subject = Subject(project, kind, identifier)
        if options["dry_run"]:
            found = extent(subject)
            self.stdout.write(
                f"{found.traces} traces with {found.spans} spans and {found.rejected_spans} rejected spans would be "
                f"deleted here, {found.mlflow_traces} traces in MLflow."
            )
            return
        receipt = erase(subject, options["by"] or getpass.getuser())
        self.stdout.write(
            f"{receipt.trace_count} traces with {receipt.span_count} spans and {receipt.rejected_span_count} rejected "
            f"spans deleted here, {receipt.mlflow_trace_count} traces queued for deletion in MLflow. "
            f"Receipt {receipt.pk}: {receipt.subject_hash}"
        )
