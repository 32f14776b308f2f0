"""What the first start makes, and that it makes it once."""

import pytest
from django.contrib.auth.models import User

from projects.models import ApiKey, Project
from tracing_site.first_start import prepare

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
    assert ApiKey.objects.lookup("given-by-the-operator").project.slug == "default"


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
