"""Reading traces and spans, for the API, the admin and the mirror. Each function has a fixed number of queries."""

import re
from collections.abc import Collection, Iterator
from uuid import UUID

import orjson
from django.db.models import Case, Q, QuerySet, Sum, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Length

from projects.models import Project
from spans.keys import span_row_key
from spans.logs import attach_logs, bytes_of_events
from spans.models import Span, SpanLog
from spans.payload import fitting, stored_bytes
from traces.models import Trace

# More spans of a trace are never in memory together: a trace has no limit, and a process has.
MAX_SPANS = 10_000
# Attributes of a span that a list of traces shows a part of.
MAX_LISTED_CHARACTERS = 250_000
SPANS_A_PAGE = 500
# The columns that hold a span's payload; without them a row is a few hundred bytes.
PAYLOAD_FIELDS = ("attributes", "events", "links", "resource", "scope", "warnings")
PAYLOAD_BYTES = stored_bytes(*PAYLOAD_FIELDS)
# With the log records that `attach_logs` reads
CONTENT_BYTES = PAYLOAD_BYTES + bytes_of_events()
# Of trees no more is read.
TREE_BYTES = stored_bytes("attributes")

_OTEL_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")


def is_storable(text: str) -> bool:
    """Whether a database can hold, and be asked for, this text: no U+0000, no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def get_trace(projects: QuerySet[Project], identifier: str) -> Trace | None:
    """The trace with this OTel trace id (32 hex digits, any case) or framework id; the latest where several have it.

    Only from the given projects. One query for an OTel id that is there; at most three for any other.
    """
    if not identifier or not is_storable(identifier):
        return None
    traces = Trace.objects.filter(project__in=projects).select_related("project").order_by("-created_at", "-id")
    if _OTEL_TRACE_ID.fullmatch(identifier):
        trace = traces.filter(trace_id=identifier.lower()).first()
        if trace is not None:
            return trace
    by_framework_id = ~Q(framework_trace_id="") & Q(framework_trace_id=identifier)
    trace = traces.filter(by_framework_id).first()
    if trace is not None:
        return trace
    # One OTel trace may hold several runs of a framework, and its row names only one of them.
    main_spans = Span.objects.filter(by_framework_id, project__in=projects).order_by()
    return traces.filter(pk__in=main_spans.values("trace_row")).first()


def get_traces(projects: QuerySet[Project], identifiers: Collection[str]) -> dict[str, Trace]:
    """The traces with these ids, by the id that was given, each as `get_trace` would find it. Four queries."""
    wanted = {identifier for identifier in identifiers if identifier and is_storable(identifier)}
    traces = Trace.objects.filter(project__in=projects).order_by("created_at", "id")
    otel_ids = {identifier.lower() for identifier in wanted if _OTEL_TRACE_ID.fullmatch(identifier)}
    by_otel_id = {trace.trace_id: trace for trace in traces.filter(trace_id__in=otel_ids)}
    by_framework_id: dict[str, Trace] = {}
    named = ~Q(framework_trace_id="") & Q(framework_trace_id__in=wanted)
    main_spans = Span.objects.filter(named, project__in=projects).order_by()
    rows = traces.filter(pk__in=main_spans.values("trace_row")).in_bulk()
    for trace_row_id, framework_id in main_spans.values_list("trace_row", "framework_trace_id"):
        if trace_row_id in rows:
            by_framework_id[framework_id] = rows[trace_row_id]
    by_framework_id |= {trace.framework_trace_id: trace for trace in traces.filter(named)}
    return {
        identifier: trace
        for identifier in wanted
        if (trace := by_otel_id.get(identifier.lower()) or by_framework_id.get(identifier)) is not None
    }


def main_spans(traces: Collection[Trace]) -> dict[UUID, Span]:
    """The main span, with its attributes, of the run that each trace is named after, by trace; not for others, and not
    where it has more than MAX_LISTED_CHARACTERS, so that a list stays bounded. One query.
    """
    runs = {trace.pk: trace.framework_trace_id for trace in traces if trace.framework_trace_id}
    spans = spans_of(*(trace for trace in traces if trace.pk in runs)).filter(
        ~Q(framework_trace_id=""), framework_trace_id__in=set(runs.values())
    )
    spans = spans.alias(size=Length("attributes")).filter(size__lte=MAX_LISTED_CHARACTERS)
    spans = spans.defer("events", "links", "resource", "scope", "warnings")
    # The earliest comes last and stays.
    return {
        span.trace_row_id: span
        for span in spans.order_by("-start_time_unix_nano", "-id")
        if span.framework_trace_id == runs[span.trace_row_id]
    }


def main_span(trace: Trace, framework_trace_id: str) -> Span | None:
    """The main span, with payload, of the run with this id, else of the one the trace is named after. One query."""
    spans = spans_of(trace).filter(~Q(framework_trace_id=""), project=trace.project_id)
    runs = [run for run in (framework_trace_id, trace.framework_trace_id) if run and is_storable(run)]
    wanted_first = Case(When(framework_trace_id=framework_trace_id, then=0), default=1)
    found = spans.filter(framework_trace_id__in=runs)
    return found.order_by(wanted_first, "start_time_unix_nano", "id").first()


def io_span(trace: Trace, field: str) -> Span | None:
    """The span that the trace's preview of this field ("input" or "output") was taken from, with payload.

    A span that says it of its trace comes first, then the root. Two queries, with its log records.
    """
    preview = getattr(trace, f"{field}_preview")
    if not preview:
        return None
    told = Q(labels__contains=f'"trace_{field}":{orjson.dumps(preview).decode()}')
    rank = Case(When(told, then=0), When(span_id=trace.root_span_id, then=1), default=2)
    spans = spans_of(trace).filter(told | Q(**{f"{field}_preview": preview}))
    return _with_logs(spans.order_by(rank, "start_time_unix_nano", "id").first())


def load_spans(trace: Trace, payload: bool) -> list[Span]:
    """The trace's spans by start and key, at most its first 10,000.

    One query; without the payload the JSON columns are deferred. Who wants it has asked for `total_bytes`.
    """
    spans = spans_of(trace).order_by("start_time_unix_nano", "id")
    return list((spans if payload else spans.defer(*PAYLOAD_FIELDS))[:MAX_SPANS])


def span_pages(trace: Trace) -> Iterator[list[Span]]:
    """All of the trace's spans with their payload, in the order of their keys: 500 a page, or as many as an answer has
    room for with their log records. Two queries a page and one, none left open.
    """
    rest = spans = spans_of(trace).order_by("pk")
    while sizes := list(rest.values_list(CONTENT_BYTES, flat=True)[:SPANS_A_PAGE]):
        page = list(rest[: fitting(sizes)])
        if not page:  # deleted meanwhile
            return
        yield page
        rest = spans.filter(pk__gt=page[-1].pk)


def load_trees(traces: Collection[Trace], runs: Collection[UUID]) -> dict[UUID, list[Span]]:
    """The spans of several traces without their payload, by trace, each by start and key; of the traces in `runs`,
    which are seen as runs of a framework, with their attributes. At most two queries.
    """
    found: dict[UUID, list[Span]] = {trace.pk: [] for trace in traces}
    for is_run in (False, True):
        part = [trace for trace in traces if (trace.pk in runs) == is_run]
        unread = [name for name in PAYLOAD_FIELDS if not is_run or name != "attributes"]
        for span in spans_of(*part).defer(*unread).order_by("start_time_unix_nano", "id") if part else ():
            found[span.trace_row_id].append(span)
    return found


def total_bytes(rows: QuerySet[Span] | QuerySet[SpanLog], size: Combinable) -> int:
    """How many bytes the rows hold, each measured by `size`. One query."""
    return rows.order_by().annotate(size=size).aggregate(total=Sum("size"))["total"] or 0


def spans_of(*traces: Trace) -> QuerySet[Span]:
    """The spans of these traces; the days tell PostgreSQL which partitions to read."""
    if len(traces) == 1:
        return Span.objects.filter(trace_row=traces[0], day=traces[0].day)
    return Span.objects.filter(trace_row__in=traces, day__in={trace.day for trace in traces})


def get_span(trace: Trace, span_id: str) -> Span | None:
    """One span of the trace with its payload and log records. Two queries."""
    if not re.fullmatch("[0-9a-fA-F]{16}", span_id):
        return None
    return _with_logs(spans_of(trace).filter(pk=span_row_key(trace.pk, span_id)).first())


def _with_logs(span: Span | None) -> Span | None:
    attach_logs([span] if span else [])
    return span


def batches_by_key(traces: QuerySet[Trace], size: int) -> Iterator[list[UUID]]:
    """The keys of these traces in order, so many at a time. Each batch is a query of its own; nothing is held open."""
    rest = traces = traces.order_by("pk")
    while keys := list(rest.values_list("pk", flat=True)[:size]):
        yield keys
        rest = traces.filter(pk__gt=keys[-1])
