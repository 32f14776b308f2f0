"""Coverage-guided fuzzing of what reads strangers' bytes: python -m tests.fuzz protobuf|json|gzip LIBFUZZER-OPTIONS.

`make fuzz` runs each for a minute. Any exception but OtlpError is a finding; the input stays in a file crash-…
atheris (https://github.com/google/atheris) must be installed; it has wheels for Linux only.
"""

import sys

import atheris

with atheris.instrument_imports(include=["traces", "spans"]):
    import django

    django.setup()
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from spans.limits import limits
    from spans.sanitizers import sanitize
    from spans.semconv import normalize
    from traces.otlp import codec, split
    from traces.otlp.decode import decode
    from traces.otlp.errors import OtlpError

LIMIT_BYTES = 1024 * 1024


def read(body: bytes, encoding: codec.Encoding) -> None:
    try:
        decoded = decode(codec.parse_export(body, ExportTraceServiceRequest, encoding))
    except OtlpError:
        return
    for record in decoded.records:
        sanitize(record, limits())
        normalize(record)


def read_protobuf(body: bytes) -> None:
    read(body, codec.Encoding.PROTOBUF)


def read_json(body: bytes) -> None:
    read(body, codec.Encoding.JSON)


def read_gzip(body: bytes) -> None:
    try:
        codec.decompress(body, "gzip", LIMIT_BYTES)
    except OtlpError:
        return


TARGETS = {"protobuf": read_protobuf, "json": read_json, "gzip": read_gzip}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]
    split.PART_BYTES = 64  # so that small inputs come in parts too
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
