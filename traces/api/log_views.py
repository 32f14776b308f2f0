"""The log records of a trace: a list for people and programs, and all of them as OTLP."""

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from spans.logs import LOG_BYTES, is_full, logs_of
from spans.payload import fitting
from traces.api import log_openapi
from traces.api import parameters as p
from traces.api.api_view import ApiView, find_trace, otlp_answer
from traces.api.errors import too_large
from traces.api.log_serializers import LogSerializer
from traces.otlp.encode_logs import logs_data
from traces.reading.queries import total_bytes


class TraceLogsView(ApiView):
    @log_openapi.list_trace_logs
    def get(self, request: Request, trace_id: str) -> Response:
        values = p.read(request.query_params, log_openapi.TRACE_LOGS)
        trace = find_trace(request, trace_id)
        logs = logs_of(trace.pk, values["span_id"].lower() or None)
        count = logs.count()
        shown = logs.filter(severity_number__gte=values["min_severity"])[values["offset"] :]
        sizes = list(shown.values_list(LOG_BYTES, flat=True)[: values["limit"] + 1])
        found = list(shown[: fitting(sizes[: values["limit"]])])
        return Response(
            {
                "results": LogSerializer(found, many=True).data,
                "total_count": count,
                "next_offset": values["offset"] + len(found) if len(sizes) > len(found) else None,
                "is_full": is_full(count, of_span=bool(values["span_id"])),
            }
        )


class TraceOtlpLogsView(ApiView):
    @log_openapi.get_trace_otlp_logs
    def get(self, request: Request, trace_id: str) -> HttpResponse:
        trace = find_trace(request, trace_id)
        logs = logs_of(trace.pk)
        if (held := total_bytes(logs, LOG_BYTES)) > settings.MAX_ANSWER_BYTES:
            raise too_large("an export in one piece", held, "Read GET /v1/traces/{trace_id}/logs page by page.")
        return otlp_answer(request, logs_data(trace.trace_id, logs))
