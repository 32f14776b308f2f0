"""Erasing a user or session, here and in a real MLflow."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from mlflow_sync.erasure import Subject, confirm_erasures, erase, extent, subject_hash
from mlflow_sync.models import Erasure, MlflowTrace
from projects.models import Project, ProjectMembership
from spans.models import Span
from tests.builders import export_request, new_trace_id, span
from tests.mlflow_sync.conftest import MlflowApi, mirror_all
from traces.models import RejectedSpans, Trace
from traces.otlp.receiver import export

pytestmark = pytest.mark.django_db
Kind = Erasure.Kind
Ingest = Callable[..., Trace]
USER = "ana@example.org"


def of_user(user: str, **fields: Any) -> Any:
    return span(attrs={"user.id": user}, **fields)


@pytest.fixture
def client_of(project: Project, django_user_model: Any) -> Callable[[str], Client]:
    def log_in(role: str) -> Client:
        user = django_user_model.objects.create_user(f"the-{role}", is_staff=True)
        ProjectMembership.objects.create(project=project, user=user, role=role)
        client = Client()
        client.force_login(user)
        return client

    return log_in


def test_a_user_goes_here_at_once_and_in_mlflow_with_a_receipt(mlflow: MlflowApi, ingest: Ingest) -> None:
    project = ingest(of_user(USER)).project
    other = ingest(of_user("ben"))
    mirror_all()
    assert len(mlflow.traces()) == 2
    receipt = erase(Subject(project, Kind.USER, USER), "olga")
    assert Trace.objects.get() == other
    assert Span.objects.get().trace_row_id == other.pk
    assert (receipt.trace_count, receipt.span_count, receipt.mlflow_trace_count) == (1, 1, 1)
    assert receipt.completed_at is not None
    assert receipt.mlflow_confirmed_at is None
    confirm_erasures()
    receipt.refresh_from_db()
    assert receipt.mlflow_confirmed_at is None, "MLflow has not answered yet"
    mirror_all()
    assert list(mlflow.traces()) == [f"tr-{other.trace_id}"]
    confirm_erasures()
    receipt.refresh_from_db()
    assert receipt.mlflow_confirmed_at is not None


def test_a_trace_of_which_only_one_span_names_the_user_goes_whole(project: Project, ingest: Ingest) -> None:
    trace_id = new_trace_id()
    spans = [span("root", trace_id=trace_id, attrs={"user.id": "ben"}), of_user(USER, trace_id=trace_id)]
    assert ingest(*spans).user_id == "ben"
    receipt = erase(Subject(project, Kind.USER, USER), "olga")
    assert (receipt.trace_count, receipt.span_count) == (1, 2)
    assert not Span.objects.exists()


def test_an_erasure_by_session_leaves_users_and_projects_with_the_same_id_alone(
    project: Project, other_project: Project, ingest: Ingest
) -> None:
    ingest(span(attrs={"session.id": "x1"}))
    user = ingest(of_user("x1"))
    elsewhere = ingest(span(attrs={"session.id": "x1"}), into=other_project)
    erase(Subject(project, Kind.SESSION, "x1"), "olga")
    assert set(Trace.objects.all()) == {user, elsewhere}


def test_the_receipt_holds_a_hash_that_only_the_identifier_leads_to(project: Project, ingest: Ingest) -> None:
    ingest(of_user(USER))
    receipt = erase(Subject(project, Kind.USER, USER), "olga")
    assert receipt.subject_hash == subject_hash("user", USER)
    assert receipt.subject_hash != subject_hash("session", USER)
    values = Erasure.objects.filter(pk=receipt.pk).values().get()
    assert not any(USER in str(value) for value in values.values())


def test_without_a_copy_in_mlflow_there_is_nothing_to_wait_for(project: Project, ingest: Ingest) -> None:
    ingest(of_user(USER))
    receipt = erase(Subject(project, Kind.USER, USER), "olga")
    assert (receipt.mlflow_trace_count, receipt.mlflow_confirmed_at is None) == (0, False)


def test_rejected_spans_that_hold_the_identifier_go_too(project: Project, ingest: Ingest) -> None:
    wrong = of_user(USER)
    wrong.trace_id = b"short"
    harmless = span()
    harmless.trace_id = b"short"
    for request in (wrong, harmless):
        export(export_request(request), project)
    assert RejectedSpans.objects.count() == 2
    assert extent(Subject(project, Kind.USER, USER)).rejected_spans == 1
    receipt = erase(Subject(project, Kind.USER, USER), "olga")
    assert receipt.rejected_span_count == 1
    assert USER.encode() not in bytes(RejectedSpans.objects.get().request)


def test_a_trace_that_arrives_afterwards_takes_a_second_erasure(project: Project, ingest: Ingest) -> None:
    ingest(of_user(USER))
    subject = Subject(project, Kind.USER, USER)
    erase(subject, "olga")
    ingest(of_user(USER))
    assert erase(subject, "olga").trace_count == 1
    assert Erasure.objects.count() == 2


def test_an_erased_trace_that_came_back_is_no_longer_waited_for(
    mlflow: MlflowApi, ingest: Ingest, settings: Any
) -> None:
    settings.DELETED_TRACE_DAYS = 0
    trace = ingest(of_user(USER))
    mirror_all()
    receipt = erase(Subject(trace.project, Kind.USER, USER), "olga")
    ingest(of_user(USER, trace_id=trace.trace_id))
    mirror_all()
    confirm_erasures()
    receipt.refresh_from_db()
    assert receipt.mlflow_confirmed_at is not None
    assert MlflowTrace.objects.get().delete_requested_at is None


def test_the_command_says_what_would_go_and_then_deletes_it(project: Project, ingest: Ingest) -> None:
    ingest(of_user(USER))
    out = StringIO()
    call_command("erasetraces", "--project", project.slug, "--user", USER, "--dry-run", stdout=out)
    assert "1 traces with 1 spans and 0 rejected spans would be deleted here, 0 traces in MLflow" in out.getvalue()
    assert (Trace.objects.count(), Erasure.objects.count()) == (1, 0)
    call_command("erasetraces", "--project", project.slug, "--user", USER, "--by", "olga", stdout=out)
    assert Trace.objects.count() == 0
    assert Erasure.objects.get().requested_by == "olga"
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("erasetraces", "--project", "nowhere", "--session", "s")
    with pytest.raises(CommandError, match="id is empty"):
        call_command("erasetraces", "--project", project.slug, "--session", "")


def test_an_owner_erases_in_the_admin_after_seeing_what_would_go(
    project: Project, other_project: Project, ingest: Ingest, client_of: Callable[[str], Client]
) -> None:
    owner = client_of("owner")
    ingest(of_user(USER))
    ingest(of_user(USER), into=other_project)
    url = "/admin/mlflow_sync/erasure/add/"
    values = {"project": project.pk, "kind": "user", "identifier": USER}
    assert "Delete 1 trace with 1 span" in owner.post(url, values).content.decode()
    assert Trace.objects.count() == 2
    owner.post(url, values | {"confirmed": "yes", "project": other_project.pk})
    assert Trace.objects.count() == 2, "another project's traces are not this owner's to erase"
    owner.post(url, values | {"confirmed": "yes"})
    assert Trace.objects.get().project == other_project
    found = [owner.get("/admin/mlflow_sync/erasure/", {"q": name}).content.decode() for name in (USER, "ben")]
    assert [subject_hash("user", USER)[:12] in html for html in found] == [True, False]


def test_editors_neither_erase_nor_see_receipts(project: Project, client_of: Callable[[str], Client]) -> None:
    editor = client_of("editor")
    assert editor.get("/admin/mlflow_sync/erasure/").status_code == 403
    assert editor.get("/admin/mlflow_sync/erasure/add/").status_code == 403
