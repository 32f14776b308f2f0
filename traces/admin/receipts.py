"""The ledger of export requests and the rejected spans, in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.db import Error as DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from projects.models import ApiKey
from projects.roles import Role, may
from spans.timestamps import from_unix_nano, to_unix_nano
from traces.admin import filters
from traces.admin.recorded import RecordedAdmin, preview
from traces.models import ExportReceipt, ReceiptStatus, RejectedSpans
from traces.otlp.errors import OtlpError
from traces.otlp.reprocessing import as_json, process_again
from traces.templatetags.tracing import duration, moment, number

MAX_SHOWN_CHARS = 100_000
NS_PER_MS = 1_000_000


class ArrivedFilter(filters.TimeRangeFilter):
    title = "Arrived"
    column = "created_at"
    bound = staticmethod(from_unix_nano)


class ReceiptStatusFilter(filters.ChoiceFilter):
    title = "Status"
    parameter_names = ("status",)
    options = tuple(ReceiptStatus.choices)


class TransportFilter(filters.ChoiceFilter):
    title = "Transport"
    parameter_names = ("transport",)
    options = tuple(ExportReceipt.Transport.choices)


class SignalFilter(filters.ChoiceFilter):
    title = "Signal"
    parameter_names = ("signal",)
    options = tuple(ExportReceipt.Signal.choices)


class LedgerAdmin(RecordedAdmin):
    """Written with the requests, expired by the hourly clean-up."""

    delete_role = None
    newest_first = "created_at"
    sortable_by = ()
    change_list_template = "admin/traces/ledger.html"
    list_display_links: Any = ("arrived",)

    @admin.display(description="Arrived")
    def arrived(self, row: Any) -> SafeString:
        return moment(to_unix_nano(row.created_at))


@admin.register(ExportReceipt)
class ExportReceiptAdmin(LedgerAdmin):
    list_display = ("arrived", "project", "state", "signal", "transport", "spans", "size", "took", "sender", "said")
    list_select_related = ("project",)
    list_filter = (ArrivedFilter, filters.ProjectFilter, ReceiptStatusFilter, SignalFilter, TransportFilter)
    search_fields = ("id",)
    search_help_text = "A receipt id (the answer's x-receipt-id)"
    fieldsets = (
        (None, {"fields": ("id", "project", "arrived", "state", "message", "duration_ms")}),
        (
            "Sender",
            {"fields": ("signal", "transport", "key", "client_address", "user_agent", "wire_bytes", "body_bytes")},
        ),
        (
            "Spans",
            {
                "fields": (
                    "spans_received",
                    "spans_added",
                    "spans_replaced",
                    "spans_duplicate",
                    "spans_cut",
                    "spans_rejected",
                    "reasons",
                    "kept",
                )
            },
        ),
    )
    record_fieldsets = (*fieldsets[:2], ("Log records or data points", {"fields": ("spans", "reasons")}))

    def get_fieldsets(self, request: HttpRequest, obj: ExportReceipt | None = None) -> Any:
        is_of_spans = obj is None or obj.signal == ExportReceipt.Signal.TRACES
        return self.fieldsets if is_of_spans else self.record_fieldsets

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().lower().replace("-", "")
        if not term:
            return queryset, False
        is_id = len(term) == 32 and all(digit in "0123456789abcdef" for digit in term)
        return (queryset.filter(pk=term) if is_id else queryset.none()), False

    @admin.display(description="Status")
    def state(self, receipt: ExportReceipt) -> SafeString:
        shown = {"stored": "active", "partial": "expired", "refused": "revoked"}[receipt.status]
        return format_html('<span class="state state-{}">{}</span>', shown, receipt.get_status_display())

    @admin.display(description="Content")
    def spans(self, receipt: ExportReceipt) -> str:
        counts = receipt.records or {
            "added": receipt.spans_added,
            "replaced": receipt.spans_replaced,
            "duplicate": receipt.spans_duplicate,
            "rejected": receipt.spans_rejected,
            "cut": receipt.spans_cut,
        }
        return ", ".join(f"{number(count)} {name}" for name, count in counts.items() if count)

    @admin.display(description="Size")
    def size(self, receipt: ExportReceipt) -> str:
        return filesizeformat(receipt.body_bytes)

    @admin.display(description="Took")
    def took(self, receipt: ExportReceipt) -> str:
        return duration(int(receipt.duration_ms * NS_PER_MS))

    @admin.display(description="Client")
    def sender(self, receipt: ExportReceipt) -> SafeString | str:
        return preview(f"{receipt.client_address} {receipt.user_agent}".strip())

    @admin.display(description="Answer")
    def said(self, receipt: ExportReceipt) -> SafeString | str:
        return preview(receipt.message)

    @admin.display(description="API key")
    def key(self, receipt: ExportReceipt) -> str:
        used = receipt.api_key_id
        return "" if used is None else str(ApiKey.objects.filter(pk=used).first() or "deleted")

    @admin.display(description="Reasons")
    def reasons(self, receipt: ExportReceipt) -> SafeString:
        rows = ((item["count"], item["reason"]) for item in receipt.rejections)
        return format_html_join("\n", "<div>{}: {}</div>", rows)

    @admin.display(description="Kept")
    def kept(self, receipt: ExportReceipt) -> SafeString:
        rows = receipt.rejected_spans.defer("request")
        links = ((reverse("admin:traces_rejectedspans_change", args=[row.pk]), str(row)) for row in rows)
        return format_html_join("\n", '<div><a href="{}">{}</a></div>', links)


@admin.register(RejectedSpans)
class RejectedSpansAdmin(LedgerAdmin):
    list_display = ("arrived", "project", "reason", "span_count", "kept_count", "receipt_link")
    list_select_related = ("project",)
    list_filter = (ArrivedFilter, filters.ProjectFilter)
    search_fields = ("reason",)
    search_help_text = "Part of a reason"
    actions = ("process_selected_again",)
    fields = ("reason", "project", "arrived", "span_count", "kept_count", "receipt_link", "spans")

    def list_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.defer("request")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        kept = self.get_object(request, object_id)
        may_process = kept is not None and may(request.user, Role.EDITOR, kept.project_id)
        return super().change_view(request, object_id, form_url, {"may_process": may_process, **(extra_context or {})})

    def has_process_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Role.EDITOR)

    @admin.action(description="Process again", permissions=["process"])
    def process_selected_again(self, request: HttpRequest, queryset: QuerySet[RejectedSpans]) -> None:
        """Each in a transaction of its own. Only where the user is an editor."""
        stored = rejected = 0
        for kept in queryset.order_by("pk").select_related("project"):
            if not may(request.user, Role.EDITOR, kept.project_id):
                messages.warning(request, f"Only editors and owners may process spans of {kept.project} again.")
                continue
            try:
                receipt = process_again(kept, kept.project)
            except (OtlpError, DatabaseError) as error:
                messages.error(request, f"{kept.span_count} spans stay as they were: {error}")
                continue
            stored += receipt.spans_received - receipt.spans_rejected
            rejected += receipt.spans_rejected
        messages.info(request, f"{stored} stored, {rejected} rejected again.")

    @admin.display(description="Receipt")
    def receipt_link(self, kept: RejectedSpans) -> SafeString:
        url = reverse("admin:traces_exportreceipt_change", args=[kept.receipt_id])
        return format_html('<a href="{}"><code>{}</code></a>', url, kept.receipt_id)

    @admin.display(description="Spans as OTLP/JSON")
    def spans(self, kept: RejectedSpans) -> SafeString:
        text = as_json(kept)
        cut = f"\n… {len(text) - MAX_SHOWN_CHARS} more characters" if len(text) > MAX_SHOWN_CHARS else ""
        return format_html("<pre>{}{}</pre>", text[:MAX_SHOWN_CHARS], cut)
