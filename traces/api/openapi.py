"""What the OpenAPI document says of the read API: parameters, answers and examples of every operation."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from spans.models import SpanType
from traces.api import parameters as p
from traces.api import span_serializers as spans
from traces.api.examples import SPAN, SPAN_SUMMARY, TRACE, TRACE_IN_LIST
from traces.api.serializers import (
    DeletedSerializer,
    DeleteRequestSerializer,
    ErrorSerializer,
    TraceListSerializer,
    TraceResultSerializer,
)
from traces.models import TraceStatus
from traces.reading.lists import SPAN_ORDERINGS, TRACE_ORDERINGS

F = TypeVar("F", bound=Callable[..., Any])


class PersonScheme(SessionScheme):  # type: ignore[no-untyped-call]
    target_class = "projects.authentication.PersonAuthentication"


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "projects.authentication.KeyAuthentication"
    name = ["beeKeyAuth", "bearerAuth"]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        return [{name: []} for name in self.name]  # one of them is enough

    def get_security_definition(self, auto_schema: Any) -> Any:
        return [
            {
                "type": "apiKey",
                "in": "header",
                "name": "x-bee-authorization",
                "description": "An API key of a project.",
            },
            {"type": "http", "scheme": "bearer", "description": "The same key, as a bearer token."},
        ]


def _signed(names: Any) -> list[str]:
    return [sign + name for name in names for sign in ("-", "")]


# Parameters

_RETRY_AFTER = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, description="Seconds after which to ask again.", response=[404, 503]
)
CURSOR = p.string("cursor", "`next` of the page before: goes on after it, however many rows have arrived meanwhile.")
INCLUDE_TREE = p.boolean("include_tree", "Also give the spans as a tree.", default=False)
INCLUDE_MLFLOW = p.boolean("include_mlflow", "Also give the state of the MLflow mirror.", default=False)
INCLUDE_MLFLOW_TREE = p.boolean(
    "include_mlflow_tree", "With include_mlflow, of a single trace: also give the mirrored spans.", default=False
)
INCLUDE_CTX = p.boolean("include_attributes_ctx", "Also give BeeAI's `ctx` attribute.", default=False)

COMMON_FILTERS = (
    p.string("project", "Slug of the project; for users who see several."),
    p.moment("from", "Started at this time or later: ISO 8601 (UTC where it names no zone) or Unix nanoseconds."),
    p.moment("to", "Started before this time: ISO 8601 (UTC where it names no zone) or Unix nanoseconds."),
    p.string("service_name", "The resource's service.name, whole."),
    p.string("name", "Part of the name, case ignored."),
    p.string("model", "A model's name, whole, as requested or answered."),
    p.string("session_id", "Session, conversation or thread, whole.", maximum=p.MAX_ID),
    p.string("user_id", "The end user, whole.", maximum=p.MAX_ID),
    p.milliseconds("min_duration_ms", "Took at least so many milliseconds."),
    p.integer("min_tokens", "Input and output tokens together are at least so many."),
    p.amount("min_cost_usd", "Costs at least so many US dollars."),
    p.boolean("error", "true: with at least one failed span; false: without."),
    p.string("q", "Part of the name, the input or the output (their first 500 characters), case ignored."),
    p.string("log", "Part of a log record of the trace or span: its name, body or attributes, case ignored."),
)
# Where the query's name is not the filter's
FILTER_NAMES = {
    "from": "start_from_unix_nano",
    "to": "start_before_unix_nano",
    "min_duration_ms": "min_duration_ns",
    "error": "has_error",
    "q": "text",
}
TRACE_FILTERS = (*COMMON_FILTERS, p.choice("status", "Status of the trace.", TraceStatus.values))
SPAN_FILTERS = (*COMMON_FILTERS, p.choice("span_type", "MLflow's span type.", SpanType.values))
TRACE_INCLUDES = (INCLUDE_TREE, INCLUDE_MLFLOW, INCLUDE_MLFLOW_TREE)
TRACE_LIST = (
    p.integer("limit", "Traces a page.", minimum=1, maximum=100, default=100),
    p.integer("offset", "Traces to skip. Prefer `cursor`: offsets shift while traces arrive.", default=0),
    CURSOR,
    p.choice(
        "ordering",
        "Order, descending with a minus. Only created_at never changes while a trace grows.",
        _signed(TRACE_ORDERINGS),
        default="-created_at",
    ),
    *TRACE_INCLUDES,
    *TRACE_FILTERS,
)
SPAN_LIST = (
    p.integer("limit", "Spans a page.", minimum=1, maximum=100, default=100),
    CURSOR,
    p.choice("ordering", "Order, descending with a minus.", _signed(SPAN_ORDERINGS), default="-start_time"),
    p.string("trace_id", "Framework id or OpenTelemetry id of the trace."),
    *SPAN_FILTERS,
)
TRACE_SPANS = (
    INCLUDE_CTX,
    p.integer("limit", "Spans a page.", minimum=1, maximum=10_000, default=10_000),
    CURSOR,
)


def filter_values(values: dict[str, Any], filters: tuple[p.Parameter, ...]) -> dict[str, Any]:
    """The filters' values by the names that `traces.reading.lists` has for them; an absent choice is ""."""
    return {
        FILTER_NAMES.get(item.name, item.name): "" if "enum" in item.schema and value is None else value
        for item in filters
        for value in [values[item.name]]
    }


# Answers

ERRORS = {
    400: OpenApiResponse(
        ErrorSerializer,
        "The path, a parameter or the body is not valid; `message` names it.",
        examples=[
            OpenApiExample(
                "Limit too high",
                {"code": "INVALID_ARGUMENT", "message": "querystring/limit must be <= 100", "reason": "Traces a page."},
            )
        ],
    ),
    401: OpenApiResponse(
        ErrorSerializer,
        "No API key, or one that is unknown, expired or revoked; `reason` says what is wrong with the one sent.",
        examples=[
            OpenApiExample(
                "Expired key",
                {
                    "code": "AUTH_ERROR",
                    "message": "invalid api key",
                    "reason": "This API key expired on 2026-03-01 at 10:30 UTC",
                },
            )
        ],
    ),
    403: OpenApiResponse(ErrorSerializer, "The key lacks the scope, or the user the role."),
    404: OpenApiResponse(
        ErrorSerializer,
        "Not there (yet). `Retry-After` says after how many seconds to ask again, because a trace may be on its way.",
        examples=[
            OpenApiExample(
                "Not there yet",
                {"code": "NOT_FOUND", "message": "The trace entity with id d3f41ddf does not exist"},
            )
        ],
    ),
    413: OpenApiResponse(
        ErrorSerializer,
        "In one piece the answer would hold more payload than MAX_ANSWER_BYTES; `reason` says what to read instead.",
    ),
    415: OpenApiResponse(ErrorSerializer, "The body is not application/json."),
    500: OpenApiResponse(ErrorSerializer, "An error of the server."),
    503: OpenApiResponse(ErrorSerializer, "The database can't be reached. Try again after `Retry-After` seconds."),
}


def answers(success: dict[Any, Any], *errors: int) -> dict[Any, Any]:
    return success | {status: ERRORS[status] for status in (*errors, 401, 403, 500, 503)}


def operation(
    name: str, tag: str, summary: str, description: str, answers: dict[Any, Any], parameters: Any = (), **more: Any
) -> Callable[[F], F]:
    return extend_schema(
        operation_id=name,
        tags=[tag],
        summary=summary,
        description=description,
        parameters=[*(parameter.openapi for parameter in parameters), _RETRY_AFTER],
        responses=answers,
        **more,
    )


def ok(serializer: Any, description: str, example: Any) -> dict[int, OpenApiResponse]:
    return {200: OpenApiResponse(serializer, description, examples=[OpenApiExample("Success", example)])}


ANY_ID = "An id is the framework's own (BeeAI's 8 characters) or the OpenTelemetry trace id (32 hex digits, any case). "
SHORT_PAGE = "A page ends early where its rows are large (MAX_ANSWER_BYTES): go on by `{}`. "
_VIEWS = "By its framework id a trace shows that run of the framework only, by its OpenTelemetry id all spans."

list_traces = operation(
    "list_traces",
    "trace",
    "List traces",
    "Newest first. All filters must hold. Follow `next` to read everything exactly once.",
    answers(ok(TraceListSerializer, "A page.", {"results": [TRACE_IN_LIST], "total_count": 1, "next": None}), 400, 413),
    TRACE_LIST,
)
get_trace = operation(
    "get_trace",
    "trace",
    "Get a trace",
    ANY_ID + _VIEWS,
    answers(ok(TraceResultSerializer, "The trace.", {"result": TRACE}), 400, 404, 413),
    TRACE_INCLUDES,
)
delete_trace = operation(
    "delete_trace",
    "trace",
    "Delete a trace",
    ANY_ID + "Its spans go with it, and soon afterwards its copy in MLflow.",
    answers({204: OpenApiResponse(None, "Deleted.")}, 400, 404),
)
delete_traces = operation(
    "delete_traces",
    "trace",
    "Delete traces",
    "Up to 1,000 by their ids, with their spans and soon afterwards their copies in MLflow.",
    answers(
        ok(DeletedSerializer, "What was deleted.", {"deleted": 1, "not_found": ["d3f41ddf"]}),
        400,
        415,
    ),
    request={"application/json": DeleteRequestSerializer},
)
list_trace_spans = operation(
    "list_trace_spans",
    "span",
    "List the spans of a trace",
    ANY_ID + _VIEWS + " By start. An unknown id has no spans. " + SHORT_PAGE.format("next"),
    answers(ok(spans.TraceSpansSerializer, "A page.", {"results": [SPAN], "total_count": 1, "next": None}), 400, 413),
    TRACE_SPANS,
)
get_span = operation(
    "get_span",
    "span",
    "Get a span",
    "Everything OpenTelemetry carried, and everything the conventions made of it.",
    answers({200: OpenApiResponse(spans.SpanResultSerializer, "The span.")}, 400, 404),
)
list_spans = operation(
    "list_spans",
    "span",
    "List spans",
    "Newest first, over all traces. All filters must hold. Follow `next` to read everything exactly once.",
    answers(ok(spans.SpanListSerializer, "A page.", {"results": [SPAN_SUMMARY], "next": None}), 400),
    SPAN_LIST,
)
get_trace_otlp = operation(
    "get_trace_otlp",
    "trace",
    "Export a trace as OTLP",
    ANY_ID
    + "The whole trace as opentelemetry.proto.trace.v1.TracesData, every value, type and nanosecond as received.",
    answers(
        {
            (200, "application/json"): OpenApiResponse(
                {
                    "type": "object",
                    "description": "TracesData as OTLP/JSON.",
                    "properties": {"resourceSpans": {"type": "array", "items": {"type": "object"}}},
                },
                "The trace.",
            ),
            (200, "application/x-protobuf"): OpenApiResponse(
                {"type": "string", "format": "binary"}, "The trace; ask for it by Accept."
            ),
        },
        400,
        404,
        413,
    ),
)
