"""What the OpenAPI document says of log records."""

from drf_spectacular.utils import OpenApiResponse

from traces.api import parameters as p
from traces.api.log_serializers import LogListSerializer
from traces.api.openapi import ANY_ID, SHORT_PAGE, answers, ok, operation

TRACE_LOGS = (
    p.string("span_id", "Only those of this span."),
    p.integer("min_severity", "Only of this severity or a higher one: 9 INFO, 13 WARN, 17 ERROR.", default=0),
    p.integer("limit", "Log records a page.", minimum=1, maximum=1_000, default=100),
    p.integer("offset", "Log records to skip.", default=0),
)
LOG = {
    "span_id": "00f067aa0ba902b7",
    "name": "exception",
    "time_unix_nano": "1793923201000000000",
    "severity_number": 17,
    "severity_text": "ERROR",
    "body": None,
    "attributes": {"exception.type": "TimeoutError", "exception.message": "no answer within 10 s"},
    "warnings": [],
}
list_trace_logs = operation(
    "list_trace_logs",
    "trace",
    "List the log records of a trace",
    ANY_ID
    + "By time: events, exceptions and plain lines that were sent to `/v1/logs` with the trace's id and a span's. "
    + SHORT_PAGE.format("next_offset"),
    answers(
        ok(LogListSerializer, "A page.", {"results": [LOG], "total_count": 1, "next_offset": None, "is_full": False}),
        400,
        404,
    ),
    TRACE_LOGS,
)
get_trace_otlp_logs = operation(
    "get_trace_otlp_logs",
    "trace",
    "Export the log records of a trace as OTLP",
    ANY_ID + "All that are kept, as opentelemetry.proto.logs.v1.LogsData. `/v1/logs` takes them back.",
    answers(
        {
            (200, "application/json"): OpenApiResponse(
                {
                    "type": "object",
                    "description": "LogsData as OTLP/JSON.",
                    "properties": {"resourceLogs": {"type": "array", "items": {"type": "object"}}},
                },
                "The log records.",
            ),
            (200, "application/x-protobuf"): OpenApiResponse(
                {"type": "string", "format": "binary"}, "The log records; ask for them by Accept."
            ),
        },
        400,
        404,
        413,
    ),
)
