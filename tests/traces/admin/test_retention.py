"""The dry run of a project's retention in the admin."""

import re

import pytest

from projects.models import RetentionRule
from tests.traces.admin.test_pages import member
from tests.traces.upkeep.test_retention import trace_of_age
from traces.models import Trace

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(project):
    return member(project, "owner")


def dry_run(client, project, **parameters):
    answer = client.get(f"/admin/projects/project/{project.pk}/retention/", parameters)
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_an_owner_sees_what_would_go_with_the_saved_retention_and_with_another(owner, project, other_project, settings):
    settings.DATA_EXPIRATION_IN_DAYS = 7
    trace_of_age(project, 8, spans=3)
    trace_of_age(project, 4)
    trace_of_age(other_project, 8)
    assert "1 trace with 3 spans would be deleted" in dry_run(owner, project)
    assert "2 traces with 4 spans would be deleted" in dry_run(owner, project, days="3")
    assert "0 traces with 0 spans would be deleted" in dry_run(owner, project, days="30")
    assert Trace.objects.count() == 3


def test_what_is_kept_is_named_with_what_keeps_it(owner, project):
    RetentionRule.objects.create(project=project, keep_days=90, status="ERROR")
    Trace.objects.filter(pk=trace_of_age(project, 8).pk).update(pinned=True)
    Trace.objects.filter(pk=trace_of_age(project, 8).pk).update(status="ERROR")
    shown = dry_run(owner, project)
    assert "0 traces with 0 spans would be deleted" in shown
    assert "kept by Traces pinned 1 failed: 90 days 1 Rules" in shown


@pytest.mark.parametrize("days", ["0", "-1", "many", "99999999999"])
def test_days_that_make_no_sense_are_refused(owner, project, days):
    assert "would be deleted" not in dry_run(owner, project, days=days)


def test_it_is_for_owners_and_their_project_page_leads_to_it(owner, project, other_project):
    url = f"/admin/projects/project/{project.pk}/retention/"
    assert url in owner.get(f"/admin/projects/project/{project.pk}/change/").content.decode()
    assert url not in member(project, "viewer").get(f"/admin/projects/project/{project.pk}/change/").content.decode()
    clients = (member(project, "editor"), member(other_project, "owner"))
    assert [client.get(url).status_code for client in clients] == [403, 404]
