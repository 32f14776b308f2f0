"""Coverage-guided fuzzing of what reads strangers' bytes: python -m tests.fuzz protobuf|json|gzip LIBFUZZER-OPTIONS.

`make fuzz` runs each for a minute. Any exception but OtlpError is a finding; the input stays in a file crash-…
It starts from spans of the captures, since from nothing it would never guess a gzip header or a span in JSON, and keeps
what led further in DATA_DIR/fuzz.
atheris (https://github.com/google/atheris) must be installed; it has wheels for Linux only.
"""

import gzip
import sys
from collections.abc import Iterator

import atheris

with atheris.instrument_imports(include=["traces", "spans"]):
    import django
    from django.conf import settings

    django.setup()
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from spans.copy_rows import copy_blocks
    from spans.limits import limits
    from spans.sanitizers import sanitize
    from spans.semconv import normalize
    from tests.corpus import FAMILIES, capture
    from traces.otlp import codec, split
    from traces.otlp.decode import decode
    from traces.otlp.errors import OtlpError
    from traces.summaries.summary import summarize

LIMIT_BYTES = 1024 * 1024
MAX_SEED_BYTES = 4096


def read(body: bytes, encoding: codec.Encoding) -> None:
    """All that happens to a body before the database has it."""
    try:
        decoded = decode(codec.parse_export(body, ExportTraceServiceRequest, encoding))
    except OtlpError:
        return
    for record in decoded.records:
        sanitize(record, limits())
        normalize(record)
        record.id = record.trace_row_id = record.trace_id
    if decoded.records:
        summarize(list({record.span_id: record for record in decoded.records}.values()))
        list(copy_blocks(decoded.records))


def read_protobuf(body: bytes) -> None:
    read(body, codec.Encoding.PROTOBUF)


def read_json(body: bytes) -> None:
    read(body, codec.Encoding.JSON)


def read_gzip(body: bytes) -> None:
    try:
        codec.decompress(body, "gzip", LIMIT_BYTES)
    except OtlpError:
        return


def single_spans() -> Iterator[ExportTraceServiceRequest]:
    """Requests of one span each: the first of each request and scope in the captures."""
    for family in FAMILIES:
        for request in capture(family).requests:
            for resource_spans in request.resource_spans:
                for scope_spans in resource_spans.scope_spans:
                    one = ExportTraceServiceRequest()
                    resource = one.resource_spans.add(resource=resource_spans.resource)
                    resource.scope_spans.add(scope=scope_spans.scope, spans=scope_spans.spans[:1])
                    yield one


TARGETS = {"protobuf": read_protobuf, "json": read_json, "gzip": read_gzip}
SEEDS = {
    "protobuf": lambda request: codec.serialize(request, codec.Encoding.PROTOBUF),
    "json": lambda request: codec.serialize(request, codec.Encoding.JSON),
    "gzip": lambda request: gzip.compress(codec.serialize(request, codec.Encoding.JSON)),
}


def main() -> None:
    name = sys.argv.pop(1)
    split.PART_BYTES = 64  # so that small inputs come in parts too
    corpus = settings.DATA_DIR / "fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, request in enumerate(single_spans()):
        seed = SEEDS[name](request)
        if len(seed) <= MAX_SEED_BYTES:
            (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
