"""OTLP in files: what the import command reads and the export command writes.

Traces, and log records of spans. Read: protobuf (`.pb`, `.bin`, `.proto`), JSON (one message) and JSON lines
(one message a line, as the Collector's file exporter writes them), each also with gzip. ExportTraceServiceRequest and
TracesData have the same form in all of them.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traces.otlp.codec import Encoding, parse
from traces.otlp.errors import OtlpError

PROTOBUF_SUFFIXES = {".pb", ".bin", ".proto"}
JSON_SUFFIXES = {".json", ".jsonl", ".ndjson"}
GZIP_MAGIC = b"\x1f\x8b"


def find_files(path: Path) -> list[Path]:
    """The path itself, or the OTLP files in the folder and below it, in the order of their names.

    Raises FileNotFoundError.
    """
    if path.is_dir():
        return [file for file in sorted(path.rglob("*")) if file.is_file() and data_suffix(file) in KNOWN_SUFFIXES]
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    return [path]


KNOWN_SUFFIXES = PROTOBUF_SUFFIXES | JSON_SUFFIXES


def data_suffix(path: Path) -> str:
    """The suffix that tells the encoding: that before `.gz`, if there is one."""
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def read_requests(path: Path) -> Iterator[ExportTraceServiceRequest]:
    """The messages of one file of traces. Raises OtlpError for content that is none, OSError as `open_data`."""
    for body, encoding in read_messages(path):
        yield parse(body, ExportTraceServiceRequest, encoding)


def read_exports(path: Path) -> Iterator[ExportTraceServiceRequest | ExportLogsServiceRequest]:
    """The messages of one file of traces or log records. Raises as `read_requests`."""
    for body, encoding in read_messages(path):
        yield parse_either(body, encoding)


def parse_either(body: bytes, encoding: Encoding) -> ExportTraceServiceRequest | ExportLogsServiceRequest:
    """The export of traces or log records in a body. Raises OtlpError.

    In JSON they differ by the name of their only field. In protobuf they don't, but the times of a log record have the
    numbers of fields that in a span are no numbers, so that one is never taken for the other.
    """
    if encoding is Encoding.JSON:
        request = parse(body, ExportTraceServiceRequest, encoding)
        return request if request.resource_spans else parse(body, ExportLogsServiceRequest, encoding)
    try:
        return parse(body, ExportTraceServiceRequest, encoding)
    except OtlpError as error:
        try:
            return parse(body, ExportLogsServiceRequest, encoding)
        except OtlpError:
            raise error from None


def read_messages(path: Path) -> Iterator[tuple[bytes, Encoding]]:
    """The bodies in one file. JSON lines are read one at a time; everything else is held in memory once.

    Raises OSError for a file that can't be read.
    """
    with open_data(path) as file:
        if data_suffix(path) in PROTOBUF_SUFFIXES:
            yield file.read(), Encoding.PROTOBUF
            return
        first = file.readline()
        if is_whole(first):
            if first.strip():
                yield first, Encoding.JSON
            for line in file:
                if line.strip():
                    yield line, Encoding.JSON
        else:
            yield first + file.read(), Encoding.JSON


def is_whole(line: bytes) -> bool:
    """Whether a first line is a message of its own, and not the start of one that is spread over lines."""
    text = line.strip()
    return not text or (text.startswith(b"{") and text.endswith(b"}"))


def open_data(path: Path) -> IO[bytes]:
    """The file, unpacked if it is gzip, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]
