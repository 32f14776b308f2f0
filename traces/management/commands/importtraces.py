"""manage.py importtraces: store OTLP files as if they had been sent."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from projects.project_option import find_project
from traces.otlp.file_import import Imported
from traces.otlp.files import find_files


class Command(BaseCommand):
    help = (
        "Import OTLP traces, and the messages that some SDKs send as log records, from files and folders: protobuf "
        "(.pb), JSON (.json), JSON lines (.jsonl, as the Collector's file exporter writes), each also gzipped. "
        "What is there already stays as it is, so an import can be repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, help="files or folders")
        parser.add_argument("--project", default="default", help="slug of the project (default: %(default)s)")

    def handle(self, *args: Any, paths: list[Path], project: str, **options: Any) -> None:
        target = find_project(project)
        try:
            files = [file for path in paths for file in find_files(path)]
        except FileNotFoundError as error:
            raise CommandError(str(error)) from error
        total = Imported()
        # The bar is for people; it is silent where standard error is no terminal.
        with tqdm(total=sum(file.stat().st_size for file in files), unit="B", unit_scale=True, disable=None) as bar:
            for file in files:
                total.add_file(file, target)
                bar.update(file.stat().st_size)
        for problem in total.problems:
            self.stderr.write(problem)
        logs = f" and {total.log_records} log records" if total.log_records else ""
        self.stdout.write(f"{total.spans} spans{logs} from {len(files)} files are in project {target.slug}.")
        if total.problems:
            raise CommandError(f"{len(total.problems)} problems; the spans they name are not stored.")
