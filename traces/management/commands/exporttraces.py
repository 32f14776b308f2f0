"""manage.py exporttraces: write traces with their log records as OTLP files, which importtraces reads back."""

import datetime
import gzip
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from projects.project_option import find_project
from spans.logs import logs_of
from spans.timestamps import to_unix_nano
from traces.models import Trace
from traces.otlp.codec import Encoding, serialize
from traces.otlp.encode import traces_data
from traces.otlp.encode_logs import logs_data
from traces.reading.queries import span_pages

CHUNK = 500
BY_START = attrgetter("start_time_unix_nano", "pk")


class Command(BaseCommand):
    help = (
        "Export traces as OTLP. To a name that ends in .jsonl or .jsonl.gz: JSON lines, a line for each 500 spans of "
        "a trace and one for its log records, in the form of the Collector's file exporter. To any other name: a "
        "folder with a protobuf file for each trace, and one for its log records."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("output", type=Path, help="a .jsonl or .jsonl.gz file, or a folder; made if missing")
        parser.add_argument("--project", help="slug of the project (default: every project)")
        parser.add_argument("--since", type=moment, help="traces that start at or after this ISO 8601 time")
        parser.add_argument("--until", type=moment, help="traces that start before this ISO 8601 time")
        parser.add_argument("--trace-id", action="append", dest="trace_ids", help="32 hex digits; may be repeated")

    def handle(self, *args: Any, output: Path, **options: Any) -> None:
        traces = Trace.objects.order_by("start_time_unix_nano", "id")
        if options["project"]:
            traces = traces.filter(project=find_project(options["project"]))
        if options["since"] is not None:
            traces = traces.filter(start_time_unix_nano__gte=options["since"])
        if options["until"] is not None:
            traces = traces.filter(start_time_unix_nano__lt=options["until"])
        if options["trace_ids"]:
            traces = traces.filter(trace_id__in=[trace_id.lower() for trace_id in options["trace_ids"]])
        progress = tqdm(traces.iterator(chunk_size=CHUNK), total=traces.count(), unit=" traces", disable=None)
        try:
            spans = write_lines(progress, output) if is_lines(output) else write_folder(progress, output)
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{spans} spans are in {output}.")


def moment(text: str) -> int:
    """Unix nanoseconds of an ISO 8601 time; without an offset it is UTC. Raises ArgumentTypeError."""
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no ISO 8601 time, such as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return to_unix_nano(time if time.tzinfo else time.replace(tzinfo=datetime.UTC))


def is_lines(output: Path) -> bool:
    return output.name.endswith((".jsonl", ".jsonl.gz"))


def write_lines(traces: Iterable[Trace], output: Path) -> int:
    """Raises OSError. Returns the number of spans; a query for each 500 spans of a trace."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with open_output(output) as file:
        spans = 0
        for trace in traces:
            spans += write(file, trace, Encoding.JSON, end=b"\n")
            if logs := encode_logs(trace, Encoding.JSON):
                file.write(logs + b"\n")
        return spans


def write_folder(traces: Iterable[Trace], output: Path) -> int:
    """As write_lines."""
    output.mkdir(parents=True, exist_ok=True)
    spans = 0
    for trace in traces:
        # Two projects may have a trace of the same id, so the row key is part of the name.
        name = f"{trace.trace_id}-{trace.pk.hex[:8]}"
        with (output / f"{name}.pb").open("wb") as file:
            spans += write(file, trace, Encoding.PROTOBUF)
        if logs := encode_logs(trace, Encoding.PROTOBUF):
            (output / f"{name}.logs.pb").write_bytes(logs)
    return spans


def write(file: IO[bytes], trace: Trace, encoding: Encoding, end: bytes = b"") -> int:
    """A message a page of spans; protobuf messages one after the other are one message."""
    spans = 0
    for page in span_pages(trace):
        file.write(serialize(traces_data(trace.trace_id, sorted(page, key=BY_START)), encoding) + end)
        spans += len(page)
    return spans


def encode_logs(trace: Trace, encoding: Encoding) -> bytes:
    """The trace's log records as one message; nothing where it has none. One query."""
    logs = list(logs_of(trace.pk))
    return serialize(logs_data(trace.trace_id, logs), encoding) if logs else b""


def open_output(output: Path) -> IO[bytes]:
    return gzip.open(output, "wb") if output.suffix == ".gz" else output.open("wb")  # type: ignore[return-value]
