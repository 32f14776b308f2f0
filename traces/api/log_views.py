"""The log records of a trace: a list for people and programs, and all of them as OTLP."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from spans.logs import is_full, logs_of
from traces.api import log_openapi
from traces.api import parameters as p
from traces.api.log_serializers import LogSerializer
from traces.api.views import ApiView, find_trace, otlp_answer
from traces.otlp.encode_logs import logs_data


class TraceLogsView(ApiView):
    @log_openapi.list_trace_logs
    def get(self, request: Request, trace_id: str) -> Response:
        values = p.read(request.query_params, log_openapi.TRACE_LOGS)
        trace = find_trace(request, trace_id)
        logs = logs_of(trace.pk, values["span_id"].lower() or None)
        count = logs.count()
        shown = logs.filter(severity_number__gte=values["min_severity"])
        found = shown[values["offset"] : values["offset"] + values["limit"]]
        return Response(
            {
                "results": LogSerializer(list(found), many=True).data,
                "total_count": count,
                "is_full": is_full(count, of_span=bool(values["span_id"])),
            }
        )


class TraceOtlpLogsView(ApiView):
    @log_openapi.get_trace_otlp_logs
    def get(self, request: Request, trace_id: str) -> HttpResponse:
        trace = find_trace(request, trace_id)
        return otlp_answer(request, logs_data(trace.trace_id, logs_of(trace.pk)))
