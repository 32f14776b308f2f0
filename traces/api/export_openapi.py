"""What the OpenAPI document says of receiving OTLP: POST /v1/traces, /v1/logs and /v1/metrics."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

F = TypeVar("F", bound=Callable[..., Any])

_BINARY = {"type": "string", "format": "binary"}
_STATUS = {
    "type": "object",
    "description": "google.rpc.Status",
    "properties": {
        "code": {"type": "integer", "description": "google.rpc.Code"},
        "message": {"type": "string"},
    },
}
_ERRORS = {
    400: "The data can't be decoded. Don't send it again.",
    401: "No API key, or one that is unknown, expired or revoked. The message says what is wrong with the one sent.",
    403: "The API key may not send spans.",
    408: "The body did not arrive in time.",
    413: "The body, or what it inflates to, is over MAX_BODY_BYTES.",
    415: "Another Content-Type or Content-Encoding than the documented ones.",
    429: "Too many requests. Send again after Retry-After seconds.",
    503: "The server or its database can't take the request now. Send again after Retry-After seconds.",
}
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    description="Seconds after which to send the same again.",
    response=[429, 503],
)
_RECEIPT_ID = OpenApiParameter(
    "x-receipt-id",
    UUID,
    OpenApiParameter.HEADER,
    description="The receipt of this request, in the admin under Receipts.",
    response=[200, 400, 403, 408, 413, 415],
)
_EXAMPLE_REQUEST: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "support-agent"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "my.instrumentation", "version": "1.0"},
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": "chat gpt-4o",
                            "kind": 3,
                            "startTimeUnixNano": "1544712660000000000",
                            "endTimeUnixNano": "1544712661000000000",
                            "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}}],
                        }
                    ],
                }
            ],
        }
    ]
}
_EXAMPLE_LOGS: dict[str, Any] = {
    "resourceLogs": [
        {
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "timeUnixNano": "1544712660000000000",
                            "eventName": "gen_ai.user.message",
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "body": {
                                "kvlistValue": {
                                    "values": [{"key": "content", "value": {"stringValue": "Where is my order?"}}]
                                }
                            },
                        }
                    ]
                }
            ]
        }
    ]
}


def _request(message: str, field: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"opentelemetry.proto.collector.{message} as OTLP/JSON.",
        "properties": {field: {"type": "array", "items": {"type": "object"}}},
    }


def _response(message: str, counted: str, things: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"{message}. `partialSuccess` is there only if {things} were rejected.",
        "properties": {
            "partialSuccess": {
                "type": "object",
                "properties": {
                    counted: {"type": "string", "description": f"Number of {things} that are not stored."},
                    "errorMessage": {"type": "string", "description": "Why they are not."},
                },
            }
        },
    }


def _export_schema(
    operation_id: str,
    summary: str,
    description: str,
    request: dict[str, Any],
    response: dict[str, Any],
    success: str,
    examples: list[OpenApiExample],
) -> Callable[[F], F]:
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description,
        tags=["trace"],
        parameters=[
            OpenApiParameter(
                "Content-Encoding", str, OpenApiParameter.HEADER, enum=["identity", "gzip", "deflate"], required=False
            ),
            _RETRY_AFTER,
            _RECEIPT_ID,
        ],
        request={"application/x-protobuf": _BINARY, "application/json": request},
        responses={
            (200, "application/x-protobuf"): OpenApiResponse(_BINARY, success),
            (200, "application/json"): OpenApiResponse(response, success),
        }
        | {
            (status, media_type): OpenApiResponse(schema, text)
            for status, text in _ERRORS.items()
            for media_type, schema in (("application/x-protobuf", _BINARY), ("application/json", _STATUS))
        },
        examples=[
            *examples,
            OpenApiExample("All stored", {}, media_type="application/json", response_only=True, status_codes=["200"]),
        ],
    )


export_traces_schema = _export_schema(
    "export_traces",
    "Receive spans (OTLP/HTTP)",
    "OpenTelemetry's trace export, as protobuf or JSON, plain or compressed. The answer comes after the spans are "
    "committed and has the encoding of the request. Spans that were sent before are stored once.",
    _request("trace.v1.ExportTraceServiceRequest", "resourceSpans"),
    _response("ExportTraceServiceResponse", "rejectedSpans", "spans"),
    "Every span that is not counted as rejected is stored.",
    [OpenApiExample("One span", _EXAMPLE_REQUEST, media_type="application/json", request_only=True)],
)

export_logs_schema = _export_schema(
    "export_logs",
    "Receive log records (OTLP/HTTP)",
    "OpenTelemetry's log export. Log records with a trace id and a span id are stored and shown with their spans, "
    "whichever comes first; events among them give messages, errors and scores. Others are only acknowledged.",
    _request("logs.v1.ExportLogsServiceRequest", "resourceLogs"),
    _response("ExportLogsServiceResponse", "rejectedLogRecords", "log records"),
    "Every log record of a span that is not counted as rejected is stored, as far as its span and trace have room.",
    [OpenApiExample("One message", _EXAMPLE_LOGS, media_type="application/json", request_only=True)],
)

export_metrics_schema = _export_schema(
    "export_metrics",
    "Acknowledge metrics (OTLP/HTTP)",
    "OpenTelemetry's metric export, which SDKs send by default: acknowledged and counted, not stored.",
    _request("metrics.v1.ExportMetricsServiceRequest", "resourceMetrics"),
    _response("ExportMetricsServiceResponse", "rejectedDataPoints", "data points"),
    "The request could be read.",
    [OpenApiExample("No metrics", {"resourceMetrics": []}, media_type="application/json", request_only=True)],
)
