"""The samples that come with the platform."""

import logging

import pytest

from spans import price_list
from traces.models import Trace
from traces.otlp.samples import load_samples, rehearse


def test_a_rehearsal_touches_no_database_and_loads_what_a_first_request_needs(caplog):
    price_list.listed.cache_clear()
    with caplog.at_level(logging.INFO, "traces.otlp.samples"):
        rehearse()
    assert price_list.listed.cache_info().currsize > 0
    assert caplog.messages == []


def test_samples_over_the_limits_keep_nobody_from_starting(settings, caplog):
    settings.MAX_SPANS_PER_REQUEST = 5
    with caplog.at_level(logging.INFO, "traces.otlp.samples"):
        rehearse()
    assert "The first requests will be slower" in caplog.text


@pytest.mark.django_db
def test_samples_are_loaded_once(project):
    assert load_samples(project) == 89
    assert Trace.objects.filter(project=project).count() == 12
    assert load_samples(project) == 0
