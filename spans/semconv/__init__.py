"""Semantic conventions: what attributes, events and names of a span mean, whichever SDK sent it."""

from spans.semconv.content import SpanContent, content
from spans.semconv.normalize import normalize
from spans.semconv.tables import BUILT_IN, ProjectTables

__all__ = ["BUILT_IN", "ProjectTables", "SpanContent", "content", "normalize"]
