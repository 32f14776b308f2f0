"""Mirror states in the admin, and mirroring again."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from mlflow_sync.models import MlflowTrace
from projects.models import ProjectMembership
from tests.builders import export_request, new_trace_id, span
from traces.models import Trace
from traces.otlp.receiver import export

STATES = "/admin/mlflow_sync/mlflowtrace/"
TRACES = "/admin/traces/trace/"


def member(project, role):
    user = User.objects.create_user(f"{role}-of-{project.slug}", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def _mirror(settings):
    settings.MLFLOW_TRACKING_URI = "http://127.0.0.1:5000"


@pytest.fixture
def trace(project):
    trace_id = new_trace_id()
    export(export_request(span(trace_id=trace_id)), project)
    return Trace.objects.get(trace_id=trace_id)


@pytest.fixture
def state(trace):
    return MlflowTrace.objects.create(
        trace_row=trace,
        project=trace.project,
        trace_id=trace.trace_id,
        changed_at=timezone.now(),
        error_code="INVALID",
        error_message="<b>refused</b>",
    )


def test_members_see_the_states_of_their_project_only(project, other_project, state):
    html = member(project, "viewer").get(STATES).content.decode()
    assert state.trace_id in html
    assert "failed" in html
    assert "<b>refused" not in html
    assert state.trace_id not in member(other_project, "owner").get(STATES).content.decode()


def test_no_page_shows_the_credentials_of_mlflow(project, state, settings):
    settings.MLFLOW_TRACKING_URI = "https://user:secret@mlflow.internal/base/"
    MlflowTrace.objects.update(mlflow_trace_id="tr-1", experiment_id="7")
    viewer = member(project, "viewer")
    for url in ("/admin/", STATES, f"{TRACES}{state.pk}/change/"):
        html = viewer.get(url).content.decode()
        assert "https://mlflow.internal/base" in html
        assert "secret" not in html


def test_the_trace_page_and_list_show_the_state(project, state):
    viewer = member(project, "viewer")
    for url in (TRACES, f"{TRACES}{state.pk}/change/"):
        assert "state-failed" in viewer.get(url).content.decode()


@pytest.mark.parametrize(("url", "action"), [(STATES, "mirror_selected"), (TRACES, "mirror_selected_traces")])
def test_an_editor_mirrors_again_and_a_viewer_does_not(project, other_project, state, url, action):
    data = {"action": action, "_selected_action": [state.pk]}
    for client in (member(project, "viewer"), member(other_project, "owner")):
        client.post(url, data)
        state.refresh_from_db()
        assert state.next_try_at is None
    member(project, "editor").post(url, data)
    state.refresh_from_db()
    assert state.next_try_at is not None


@pytest.mark.parametrize(("wanted", "shown"), [("failed", True), ("pending", False), ("mirrored", False)])
def test_states_can_be_filtered(project, state, wanted, shown):
    html = member(project, "viewer").get(STATES, {"state": wanted}).content.decode()
    assert (f"{TRACES}{state.pk}/change/" in html) == shown


@pytest.mark.parametrize("wanted", ["tr-{trace_id}", "{trace_id}", "tr-{pk.hex}", " {trace_id} "])
def test_states_are_found_by_the_id_of_the_trace_or_of_mlflow(project, state, wanted):
    viewer = member(project, "viewer")
    page = f"{TRACES}{state.pk}/change/"
    assert page in viewer.get(STATES, {"q": wanted.format(trace_id=state.trace_id, pk=state.pk)}).content.decode()
    for other in ("tr-" + "0" * 32, "no id", "tr-"[:2]):
        assert page not in viewer.get(STATES, {"q": other}).content.decode()


def test_without_a_mirror_the_trace_list_does_not_mention_it(project, state, settings):
    settings.MLFLOW_TRACKING_URI = "off"
    html = member(project, "editor").get(TRACES).content.decode()
    assert "state-failed" not in html
    assert "mirror_selected_traces" not in html
