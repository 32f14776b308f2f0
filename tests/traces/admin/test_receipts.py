"""The ledger in the admin: rights, query counts, and processing rejected spans again."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from projects.models import ProjectMembership
from spans.models import Span
from tests.builders import export_request, log_record, logs_request, span
from tests.traces.admin.test_pages import member
from traces.models import ExportReceipt, RejectedSpans
from traces.otlp.logs import export_logs
from traces.otlp.receiver import export

RECEIPTS = "admin:traces_exportreceipt_changelist"
REJECTED = "admin:traces_rejectedspans_changelist"


@pytest.fixture
def viewer(project):
    return member(project, "viewer")


@pytest.fixture
def editor(project):
    return member(project, "editor")


@pytest.fixture
def stranger(other_project):
    return member(other_project, "owner")


@pytest.fixture
def rejected(project) -> RejectedSpans:
    bad = span("late span")
    bad.end_time_unix_nano = 2**63
    export(export_request(span(), bad), project)
    return RejectedSpans.objects.get()


def test_a_viewer_reads_receipts_and_rejected_spans(viewer, rejected):
    receipt = ExportReceipt.objects.get()
    assert "partly stored" in viewer.get(reverse(RECEIPTS)).content.decode()
    page = viewer.get(reverse("admin:traces_exportreceipt_change", args=[receipt.pk])).content.decode()
    assert "2**63" in page
    assert str(rejected.pk) in page
    page = viewer.get(reverse("admin:traces_rejectedspans_change", args=[rejected.pk])).content.decode()
    assert "late span" in page
    assert "9223372036854775808" in page


def test_a_stranger_finds_neither(stranger, rejected):
    receipt = ExportReceipt.objects.get()
    assert str(receipt.pk) not in stranger.get(reverse(RECEIPTS)).content.decode()
    assert stranger.get(reverse("admin:traces_exportreceipt_change", args=[receipt.pk])).status_code == 404
    assert stranger.get(reverse("admin:traces_rejectedspans_change", args=[rejected.pk])).status_code == 404


def process(client, *rows: RejectedSpans) -> str:
    data = {"action": "process_selected_again", "_selected_action": [str(row.pk) for row in rows]}
    return client.post(reverse(REJECTED), data, follow=True).content.decode()


def test_an_editor_processes_again_what_can_be_stored_now(editor, rejected):
    assert "0 stored, 1 rejected again" in process(editor, rejected)
    again = RejectedSpans.objects.get()
    assert again.pk != rejected.pk
    assert again.receipt.transport == "again"
    good = export_request(span("good"))
    RejectedSpans.objects.update(request=good.SerializeToString())
    assert "1 stored, 0 rejected again" in process(editor, again)
    assert not RejectedSpans.objects.exists()
    assert Span.objects.filter(name="good").exists()


def test_the_page_of_rejected_spans_lets_editors_process_them_again(editor, viewer, rejected):
    url = f"/admin/traces/rejectedspans/{rejected.pk}/change/"
    button = 'name="action" value="process_selected_again"'
    assert button in editor.get(url).content.decode()
    assert button not in viewer.get(url).content.decode()
    assert "/history/" not in editor.get(url).content.decode()


def test_a_viewer_processes_nothing(viewer, rejected):
    process(viewer, rejected)
    assert RejectedSpans.objects.get().pk == rejected.pk


def test_a_member_of_two_projects_processes_only_where_they_are_editor(editor, rejected, project, other_project):
    user = ProjectMembership.objects.get(project=project).user
    ProjectMembership.objects.create(project=other_project, user=user, role="viewer")
    RejectedSpans.objects.update(project=other_project)
    assert "Only editors" in process(editor, rejected)
    assert RejectedSpans.objects.get().pk == rejected.pk


@pytest.mark.parametrize("url", [RECEIPTS, REJECTED])
def test_a_list_costs_the_same_with_1_and_40_rows_and_counts_nothing(viewer, rejected, project, url):
    def queries() -> list[str]:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            viewer.get(reverse(url))
        return [query["sql"] for query in captured]

    queries()
    before = queries()
    bad = span()
    bad.span_id = b""
    for _ in range(40):
        export(export_request(bad), project)
    after = queries()
    assert len(after) == len(before)
    assert not [sql for sql in after if "COUNT(" in sql.upper()]


@pytest.mark.parametrize(("query", "found"), [("status=partial", 1), ("status=stored", 0), ("range=1h", 1)])
def test_receipts_are_filtered(viewer, rejected, query, found):
    page = viewer.get(f"{reverse(RECEIPTS)}?{query}").content.decode()
    assert page.count("partly stored</span>") == found


def test_receipts_of_other_signals_are_shown_and_filtered(viewer, rejected, project):
    export_logs([logs_request(log_record("", trace_id="", span_id="", body="a line"))], project)
    receipt = ExportReceipt.objects.get(signal="logs")
    logs, spans = (viewer.get(f"{reverse(RECEIPTS)}?signal={name}").content.decode() for name in ("logs", "traces"))
    assert ("1 ignored" in logs, "1 rejected" in logs) == (True, False)
    assert ("1 ignored" in spans, "1 rejected" in spans) == (False, True)
    page = viewer.get(reverse("admin:traces_exportreceipt_change", args=[receipt.pk])).content.decode()
    assert ("1 ignored" in page, "Spans received" in page) == (True, False)


@pytest.mark.parametrize("query", ["from=0001-01-01T00:00", "to=9999-12-31T23:59:59", "from=yesterday"])
@pytest.mark.parametrize("url", [RECEIPTS, REJECTED])
def test_any_time_will_do_as_the_end_of_a_range(viewer, rejected, settings, url, query):
    settings.TIME_ZONE = "Asia/Kolkata"
    assert str(rejected.pk)[:8] in viewer.get(f"{reverse(url)}?{query}", follow=True).content.decode()
