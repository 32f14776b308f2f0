"""The audit log: what goes into it, who reads it, and that nobody changes it."""

import json
import logging
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from mlflow_sync.erasure import Subject, erase
from mlflow_sync.models import Erasure
from projects.audit import delete_expired_events
from projects.audit_models import AppendOnly
from projects.models import ApiKey, AuditEvent, Project, ProjectMembership, RetentionRule
from projects.throttle import throttle
from spans.models import MappingRule, ModelPrice
from tests.projects.test_admin import KEYS, PROJECTS, key_form, member, member_rows, project_form

LOG = "/admin/projects/auditevent/"
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    throttle.clear()


def entries(**conditions) -> list[tuple[str, str, str, dict]]:
    """The latest last: action, what, its name, and the changes."""
    found = AuditEvent.objects.filter(**conditions).order_by("created_at", "id")
    return [
        (
            event.action,
            event.object_type,
            event.object_name,
            {name: (change["before"], change["after"]) for name, change in event.changes.items()},
        )
        for event in found
    ]


def latest() -> AuditEvent:
    return AuditEvent.objects.order_by("-created_at").first()


def test_a_change_tells_who_what_before_after_where_and_when(project):
    owner = member(project, "owner")
    owner.post(f"{PROJECTS}{project.pk}/change/", project_form(project, name="Renamed"), REMOTE_ADDR="192.0.2.9")
    event = AuditEvent.objects.get(action="changed")
    assert (event.actor, event.address, event.project, event.project_slug) == (
        "owner-of-first",
        "192.0.2.9",
        project,
        "first",
    )
    assert (event.object_type, event.object_id) == ("project", str(project.pk))
    assert event.changes == {"name": {"before": "First project", "after": "Renamed"}}
    assert timezone.now() - event.created_at < timedelta(minutes=1)


def test_members_and_roles(project):
    User.objects.create_user("ana")
    owner = member(project, "owner")
    url = f"{PROJECTS}{project.pk}/change/"
    owner.post(url, project_form(project, **member_rows(user="ana")))
    row = ProjectMembership.objects.get(user__username="ana")
    row.role = "editor"
    row.save()
    row.delete()
    assert entries(object_type="project membership", object_name="ana") == [
        ("created", "project membership", "ana", {"user": (None, "ana"), "role": (None, "viewer")}),
        ("changed", "project membership", "ana", {"role": ("viewer", "editor")}),
        ("deleted", "project membership", "ana", {"user": ("ana", None), "role": ("editor", None)}),
    ]
    assert ("changed", "account", "ana", {"is_staff": (False, True)}) in entries()


def test_keys_and_their_revocation_without_their_text(project, settings):
    owner = member(project, "owner")
    owner.post(f"{KEYS}add/", key_form(project))
    key = ApiKey.objects.get()
    owner.post(KEYS, {"action": "revoke", "_selected_action": [key.pk]})
    made, revoked = entries(object_type="API key")
    assert (made[0], made[2], made[3]["can_read"]) == ("created", "ci", (None, False))
    assert revoked[3]["revoked_at"][0] is None
    assert key.key_hash not in json.dumps([event.as_json() for event in AuditEvent.objects.all()])


def test_rules_prices_retention_and_erasures(project):
    MappingRule.objects.create(project=project, name="mine", pattern="a.b", field="user_id").delete()
    price = ModelPrice.objects.create(project=project, model="m", input_usd=1, output_usd=2)
    price.input_usd = 3
    price.save()
    RetentionRule.objects.create(project=project, keep_days=90, user_id="jana@example.com")
    erase(Subject(project, Erasure.Kind.USER, "jana@example.com"), "ana")
    assert [(entry[0], entry[1]) for entry in entries()] == [
        ("created", "project"),
        ("created", "mapping rule"),
        ("deleted", "mapping rule"),
        ("created", "model price"),
        ("changed", "model price"),
        ("created", "retention rule"),
        ("created", "erasure"),
    ]
    assert AuditEvent.objects.filter(project=project).count() == 7
    assert "jana" not in json.dumps([event.as_json() for event in AuditEvent.objects.all()])


def test_accounts_and_their_passwords_without_the_hash(admin_client):
    form = {"username": "ana", "password1": PASSWORD, "password2": PASSWORD}
    admin_client.post("/admin/auth/user/add/", form)
    user = User.objects.get(username="ana")
    form = {"usable_password": "true", "password1": "another horse", "password2": "another horse"}
    admin_client.post(f"/admin/auth/user/{user.pk}/password/", form)
    user.refresh_from_db()
    user.delete()
    told = [entry for entry in entries(object_name="ana") if entry[1] == "account"]
    assert [entry[0] for entry in told] == ["created", "changed", "deleted"]
    assert [entry[3]["password"] for entry in told] == [
        (None, "(hidden)"),
        ("(hidden)", "(hidden, another one)"),
        ("(hidden)", None),
    ]
    text = json.dumps([event.as_json() for event in AuditEvent.objects.all()])
    assert "horse" not in text
    assert "md5$" not in text


def test_signing_in_and_out(project):
    User.objects.create_user("ana", password=PASSWORD, is_staff=True)
    client = Client(REMOTE_ADDR="192.0.2.1")
    client.post("/admin/login/", {"username": "ana", "password": PASSWORD})
    client.post("/admin/logout/")
    told = AuditEvent.objects.filter(action__startswith="signed").order_by("created_at")
    assert [(event.action, event.actor, event.address) for event in told] == [
        ("signed_in", "ana", "192.0.2.1"),
        ("signed_out", "ana", "192.0.2.1"),
    ]


def test_failures_until_they_are_throttled_and_not_one_more(settings):
    User.objects.create_user("ana", password=PASSWORD, is_staff=True)
    for _ in range(settings.LOGIN_FAILURES + 5):
        Client().post("/admin/login/", {"username": "ana", "password": "my secret"}, REMOTE_ADDR="192.0.2.1")
    told = [event.action for event in AuditEvent.objects.exclude(action="created").order_by("created_at")]
    assert told == ["sign_in_failed"] * settings.LOGIN_FAILURES + ["sign_in_throttled"]
    assert "my secret" not in json.dumps([event.as_json() for event in AuditEvent.objects.all()])


def test_what_was_typed_as_a_user_name_is_told_only_if_it_is_one():
    Client().post("/admin/login/", {"username": "my secret password", "password": "x"})
    assert latest().object_name == "(no such account)"


def test_a_password_that_is_hashed_anew_at_a_sign_in_is_no_change(settings):
    User.objects.create_user("ana", password=PASSWORD, is_staff=True)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    Client().post("/admin/login/", {"username": "ana", "password": PASSWORD})
    assert User.objects.get().password.startswith("scrypt")
    assert entries(action="changed") == []


def test_a_command_is_told_with_its_user(project, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/srv/manage.py", "shell"])
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    Project.objects.get().delete()
    assert latest().actor == "root: manage.py shell"


def test_what_is_rolled_back_was_never_there(project):
    before = AuditEvent.objects.count()
    with transaction.atomic():
        project.delete()
        transaction.set_rollback(True)
    assert AuditEvent.objects.count() == before


def test_nothing_is_told_where_nothing_changed(project):
    before = AuditEvent.objects.count()
    project.save()
    ApiKey.objects.issue(project, "k")[0].touch()
    assert AuditEvent.objects.count() == before + 1


def test_nobody_changes_or_deletes_an_entry(admin_client, project):
    event = AuditEvent.objects.first()
    for act in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(actor="x"),
    ):
        with pytest.raises(AppendOnly):
            act()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE projects_auditevent SET actor = 'x'")
    page = f"{LOG}{event.pk}/"
    assert admin_client.post(f"{page}change/", {"actor": "x"}).status_code == 403
    assert [admin_client.get(url).status_code for url in (f"{page}delete/", f"{LOG}add/")] == [403, 403]
    assert "delete_selected" not in admin_client.get(LOG).content.decode()
    assert AuditEvent.objects.filter(actor="x").count() == 0


def test_entries_expire_after_their_days_only(project, settings):
    event = AuditEvent.objects.get()
    settings.AUDIT_DAYS = 30
    assert delete_expired_events() == 0
    settings.AUDIT_DAYS = 0
    assert delete_expired_events() == 1
    assert not AuditEvent.objects.filter(pk=event.pk).exists()


def test_who_sees_what_in_the_admin(admin_client, project, other_project):
    clients = {role: member(project, role) for role in ("viewer", "editor", "owner")}
    stranger = member(other_project, "owner")
    html = clients["owner"].get(LOG).content.decode()
    assert "First project" in html
    assert "Other project" not in html
    assert "account owner-of-first" not in html
    assert "First project" not in stranger.get(LOG).content.decode()
    assert [clients[role].get(LOG).status_code for role in ("viewer", "editor")] == [403, 403]
    assert Client().get(LOG).status_code == 302
    everything = admin_client.get(LOG).content.decode()
    assert "First project" in everything
    assert "account owner-of-first" in everything
    foreign = AuditEvent.objects.filter(project=other_project).first()
    assert clients["owner"].get(f"{LOG}{foreign.pk}/change/").status_code == 404
    assert clients["owner"].get(LOG, {"project": other_project.pk}).status_code in (302, 400)


def test_the_log_of_a_deleted_project_can_be_read(admin_client, project):
    project.delete()
    html = admin_client.get(LOG).content.decode()
    assert "deleted" in html
    assert admin_client.get(f"{LOG}{latest().pk}/change/").status_code == 200


def test_json_lines_by_command(project, other_project):
    out = StringIO()
    call_command("auditlog", "--project", "first", "--since", "2020-01-01", stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["project"], line["action"], line["object_type"]) for line in lines] == [
        ("first", "created", "project")
    ]
    out = StringIO()
    call_command("auditlog", "--before", "2020-01-01T00:00:00Z", stdout=out)
    assert out.getvalue() == ""


def test_the_log_stream_has_each_entry_once_it_is_committed(caplog, django_capture_on_commit_callbacks):
    with caplog.at_level(logging.INFO, "projects.audit"), django_capture_on_commit_callbacks(execute=True):
        Project.objects.create(slug="new", name="New")
        assert not caplog.records
    fields = caplog.records[0].fields
    assert (fields["action"], fields["object_type"], fields["project"]) == ("created", "project", "new")
