"""Spans in the admin: a list to find them; one is read on the page of its trace."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from projects.roles import Role
from spans.models import Span
from traces.admin import filters, trace_page
from traces.admin.recorded import RecordedAdmin, any_contains, preview, preview_pair, searched_for, trace_url
from traces.reading.queries import PAYLOAD_FIELDS
from traces.templatetags.tracing import duration, sent_moment, span_type, spent, status_dot, tokens


@admin.register(Span)
class SpanAdmin(RecordedAdmin):
    delete_role: Role | None = None
    list_display = ("started", "title", "kind_of", "said", "took", "subject", "tokens", "cost")
    list_filter = (
        filters.TimeRangeFilter,
        filters.ProjectFilter,
        filters.SpanTypeFilter,
        filters.SpanErrorFilter,
        filters.ServiceFilter,
        filters.SpanModelFilter,
        filters.SpanLogFilter,
        filters.SpanMinimumDurationFilter,
        filters.MinimumCostFilter,
        filters.TraceFilter,
        filters.SessionFilter,
        filters.UserFilter,
    )
    search_fields = ("name", "input_preview", "output_preview")
    search_help_text = "Name, input, output, tool, or a span id"
    sortable_by = ()

    def list_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.defer(*PAYLOAD_FIELDS)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = searched_for(search_term)
        if not term:
            return queryset, False
        if trace_page.SPAN_ID.fullmatch(term.lower()):
            return queryset.filter(span_id=term.lower()), False
        columns = ("name", "input_preview", "output_preview", "tool_name", "error_type")
        return queryset.filter(any_contains(columns, term)), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        span = trace_page.span_or_404(self.get_queryset(request), object_id)
        return HttpResponseRedirect(trace_url(span.trace_row_id, span.span_id))

    @admin.display(description="Started")
    def started(self, span: Span) -> SafeString:
        return sent_moment(span.start_time_unix_nano)

    @admin.display(description="Span")
    def title(self, span: Span) -> SafeString:
        return format_html(
            '<a class="title" href="{}">{}{}</a><div class="under">{}</div>',
            trace_url(span.trace_row_id, span.span_id),
            status_dot("ERROR" if span.is_error else "OK"),
            span.title[:200] or span.span_id,
            span.service_name[:100],
        )

    @admin.display(description="Type")
    def kind_of(self, span: Span) -> SafeString:
        return span_type(span.span_type)

    @admin.display(description="Input → output")
    def said(self, span: Span) -> SafeString | str:
        return preview_pair(span.input_preview, span.output_preview)

    @admin.display(description="Duration")
    def took(self, span: Span) -> str:
        return duration(span.duration_ns)

    @admin.display(description="Model or tool")
    def subject(self, span: Span) -> SafeString | str:
        return preview(span.tool_name or span.response_model or span.request_model)

    @admin.display(description="Tokens")
    def tokens(self, span: Span) -> SafeString | str:
        return tokens(span)

    @admin.display(description="Cost")
    def cost(self, span: Span) -> SafeString | str:
        return spent(span)
