"""What the first start makes, and that it makes it once."""

import datetime

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.utils import timezone

from projects.audit_models import AuditEvent
from projects.models import ApiKey, Project
from tracing_site.serving.first_start import prepare

pytestmark = pytest.mark.django_db


def test_the_first_start_makes_an_account_a_project_and_a_key(settings):
    settings.AUTH_KEY = ""
    made = prepare()
    assert User.objects.get(username="admin").check_password(made.new_password)
    assert ApiKey.objects.lookup(made.new_key).project == Project.objects.get(slug="default")


def test_a_later_start_makes_nothing(settings):
    settings.AUTH_KEY = ""
    prepare()
    made = prepare()
    assert (made.new_password, made.new_key) == (None, None)
    assert (User.objects.count(), Project.objects.count(), ApiKey.objects.count()) == (1, 1, 1)


def test_auth_key_is_a_key_of_the_default_project(settings):
    settings.AUTH_KEY = "given-by-the-operator"
    assert prepare().new_key is None
    key = ApiKey.objects.lookup("given-by-the-operator")
    assert (key.project.slug, str(key)) == ("default", "AUTH_KEY (gi…)")


def test_the_earlier_auth_key_is_revoked_and_other_keys_stay(settings):
    settings.AUTH_KEY = "earlier"
    prepare()
    ApiKey.objects.issue(Project.objects.get(), "somebody's", key="theirs")
    settings.AUTH_KEY = "later"
    prepare()
    assert ApiKey.objects.lookup("earlier") is None
    assert ApiKey.objects.lookup("later") is not None
    assert ApiKey.objects.lookup("theirs") is not None


def test_an_auth_key_that_was_used_before_works_again(settings):
    for text in ("first", "second", "first"):
        settings.AUTH_KEY = text
        prepare()
    assert ApiKey.objects.lookup("first") is not None
    assert ApiKey.objects.lookup("second") is None


def test_a_key_that_was_made_before_can_become_the_auth_key(settings):
    settings.AUTH_KEY = ""
    text = prepare().new_key
    ApiKey.objects.update(can_ingest=False, expires_at=timezone.now() - datetime.timedelta(days=1))
    settings.AUTH_KEY = text
    prepare()
    key = ApiKey.objects.lookup(text)
    assert (key.name, key.can_ingest) == ("AUTH_KEY", True)
    settings.AUTH_KEY = "later"
    prepare()
    assert ApiKey.objects.lookup(text) is None


def test_the_key_of_another_project_can_not_be_the_auth_key(settings):
    other = Project.objects.create(slug="other", name="Other")
    ApiKey.objects.issue(other, "theirs", key="somebody-else's")
    settings.AUTH_KEY = "somebody-else's"
    with pytest.raises(CommandError, match="AUTH_KEY is a key of the project other"):
        prepare()


@pytest.mark.parametrize(("log_format", "lines"), [("text", 0), ("json", 3)])
@pytest.mark.django_db(transaction=True)
def test_a_terminal_is_told_of_the_first_start_by_its_banner_alone(settings, caplog, log_format, lines):
    settings.LOG_FORMAT = log_format
    caplog.set_level("INFO", "projects.audit")
    prepare()
    assert len([record for record in caplog.records if record.name == "projects.audit"]) == lines
    assert AuditEvent.objects.count() == 3
