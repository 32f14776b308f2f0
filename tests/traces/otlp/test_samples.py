"""The samples that come with the platform."""

import pytest

from spans import pricing
from traces.models import Trace
from traces.otlp.samples import load_samples, rehearse


def test_a_rehearsal_touches_no_database_and_loads_what_a_first_request_needs():
    pricing.rates.cache_clear()
    rehearse()
    assert pricing.rates.cache_info().currsize > 0


@pytest.mark.django_db
def test_samples_are_loaded_once(project):
    assert load_samples(project) == 89
    assert Trace.objects.filter(project=project).count() == 12
    assert load_samples(project) == 0
