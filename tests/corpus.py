"""The captures in tests/captures: what real instrumentations sent, and what is known to be in it."""

import functools
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traces.otlp.codec import Encoding, parse

FOLDER = Path(__file__).parent / "captures"
FAMILIES = sorted(path.name.removesuffix(".tar.gz") for path in FOLDER.glob("*.tar.gz"))


@dataclass(frozen=True)
class Capture:
    """`bodies`: file name → request body as it was sent (.pb protobuf, .json JSON). `expected`: expect.json.

    `log_bodies`: those that the same run sent to /v1/logs.
    """

    family: str
    bodies: dict[str, bytes]
    log_bodies: dict[str, bytes]
    expected: dict[str, Any]

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        """The bodies as messages, in the order of sending."""
        encodings = {".pb": Encoding.PROTOBUF, ".json": Encoding.JSON}
        return [
            parse(self.bodies[n], ExportTraceServiceRequest, encodings[Path(n).suffix]) for n in sorted(self.bodies)
        ]

    @property
    def log_requests(self) -> list[ExportLogsServiceRequest]:
        return [parse(self.log_bodies[n], ExportLogsServiceRequest, Encoding.PROTOBUF) for n in sorted(self.log_bodies)]


@functools.cache
def capture(family: str) -> Capture:
    files: dict[str, bytes] = {}
    with tarfile.open(FOLDER / f"{family}.tar.gz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None, member.name
            files[member.name] = content.read()
    expected = json.loads(files.pop("expect.json"))
    logs = {name: files.pop(name) for name in list(files) if name.startswith("logs/")}
    return Capture(family, files, logs, expected)
