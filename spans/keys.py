"""Row keys, derived from what identifies a row, so that a writer never has to look one up.

All keys of a trace's rows start with the same 64 bits, which keeps them together in the primary keys' indexes.
"""

from collections.abc import Iterable
from hashlib import blake2b
from uuid import UUID

# OpenTelemetry's id of no span
INVALID_SPAN_ID = "0" * 16


def trace_row_key(project_id: int, trace_id: str) -> UUID:
    """The key of a project's trace: BLAKE2b-128 of the project's id and the trace id (hex)."""
    return UUID(bytes=blake2b(b"%d:%s" % (project_id, trace_id.encode()), digest_size=16).digest())


def span_row_key(trace_row_id: UUID, span_id: str) -> UUID:
    """The key of a trace's span: the first half of the trace's key, then the span id (16 hex digits)."""
    return UUID(trace_row_id.hex[:16] + span_id)


def log_row_key(trace_row_id: UUID, span_id: str, content: Iterable[bytes]) -> UUID:
    """The key of a log record of a span: the first half of the trace's key, then BLAKE2b-64 of span and content, whose
    parts a line end divides.
    """
    digest = blake2b(span_id.encode(), digest_size=8)
    for number, part in enumerate(content):
        if number:
            digest.update(b"\n")
        digest.update(part)
    return UUID(trace_row_id.hex[:16] + digest.hexdigest())
