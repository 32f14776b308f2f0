"""How long a key that was looked up stays known."""

import datetime

import pytest
from django.utils import timezone

from projects import known_keys as module
from projects.authentication import InvalidKey, find_key, known_key
from projects.known_keys import known_keys
from projects.models import ApiKey, hash_key


@pytest.fixture
def key(project) -> ApiKey:
    made, text = ApiKey.objects.issue(project, "k")
    made.text = text
    return made


def known(key: ApiKey) -> bool:
    return known_keys.get(hash_key(key.text)) is not None


def test_a_key_is_known_for_a_second(key, monkeypatch):
    known_keys.remember(key, known_keys.changes)
    assert known(key)
    monkeypatch.setattr(module, "REMEMBERED_SECONDS", 0)
    assert not known(key)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key.save(),
        lambda key: key.delete(),
        lambda key: ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now()),
        lambda key: key.project.save(),
        lambda key: type(key.project).objects.filter(pk=key.project_id).update(rate_limit_spans=1),
    ],
)
def test_what_this_process_changes_is_noticed_at_once(key, change):
    known_keys.remember(key, known_keys.changes)
    change(key)
    assert not known(key)


def test_a_key_that_expires_is_not_known_any_more(key):
    key.expires_at = timezone.now() + datetime.timedelta(seconds=60)
    known_keys.remember(key, known_keys.changes)
    assert known(key)
    key.expires_at = timezone.now()
    assert not known(key)


def test_the_number_of_known_keys_is_bounded(key, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED_KEYS", 3)
    for number in range(10):
        key.key_hash = str(number)
        known_keys.remember(key, known_keys.changes)
    assert len(known_keys._keys) <= 3


def test_what_was_read_before_a_change_is_not_remembered(key):
    changes = known_keys.changes
    key.save()
    known_keys.remember(key, changes)
    assert not known(key)


def test_a_key_that_is_not_there_is_looked_up_once_a_second(project, django_assert_num_queries, monkeypatch):
    headers = {"x-bee-authorization": "wrong"}
    assert known_key(headers) is None
    with django_assert_num_queries(1), pytest.raises(InvalidKey):
        find_key(headers)
    with django_assert_num_queries(0), pytest.raises(InvalidKey, match="invalid api key"):
        known_key(headers)
    monkeypatch.setattr(module, "REMEMBERED_SECONDS", 0)
    assert known_key(headers) is None


def test_a_key_that_is_made_is_not_refused_any_more(project):
    with pytest.raises(InvalidKey):
        find_key({"x-bee-authorization": "soon"})
    ApiKey.objects.issue(project, "k", "soon")
    assert known_key({"x-bee-authorization": "soon"}) is None
    assert find_key({"x-bee-authorization": "soon"}).project == project


def test_a_flood_of_wrong_keys_is_bounded_and_known_ones_stay(key, monkeypatch):
    known_keys.remember(key, known_keys.changes)
    monkeypatch.setattr(module, "REMEMBERED_KEYS", 3)
    for number in range(10):
        known_keys.refuse(str(number), known_keys.changes, "unknown")
    assert len(known_keys._refused) <= 3
    assert known(key)
