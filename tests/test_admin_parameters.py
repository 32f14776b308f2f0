"""Every list of the admin takes the parameters that its filters declare, and answers 400 to all others."""

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import RequestFactory
from django.urls import reverse

from projects.models import ApiKey, Project
from spans.models import MappingRule, Span
from tests.builders import export_request, span
from traces.models import Trace
from traces.otlp.receiver import export

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
LOOKUPS = ("regex", "iregex", "icontains", "startswith", "gt", "in", "range", "isnull", "exact", "date__year")
# What would take ages to match with a backtracking engine
CRUEL = "(a|aa)+$"


def list_url(model) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.fixture
def superuser(db, client):
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def filled(project):
    export(export_request(span("a" * 60)), project)
    ApiKey.objects.issue(project, "a" * 60)
    MappingRule.objects.create(project=project, name="a" * 60, pattern="acme.id", field="session_id")


def declared(model) -> set[str]:
    request = RequestFactory().get("/")
    request.user = User.objects.get(username="root")
    return set(admin.site._registry[model].filter_parameters(request))


def test_every_list_is_one_of_those_that_declare_their_parameters():
    assert len(MODELS) >= 12
    assert [model for model in MODELS if not hasattr(admin.site._registry[model], "filter_parameters")] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_list_takes_a_lookup_that_no_filter_declares(superuser, filled, model):
    names = [field.name for field in model._meta.get_fields()]
    names += ["project__memberships__user__password", "project__api_keys__digest", "pk", "no_such_field"]
    asked = [name for name in names if name not in declared(model)]
    asked += [f"{name}__{lookup}" for name in names for lookup in LOOKUPS]
    asked = [name for name in asked if name not in declared(model)]
    answers = {name: superuser.get(list_url(model), {name: CRUEL}) for name in asked}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(asked, 400)
    assert [name for name, answer in answers.items() if f"no filter {name}." not in answer.content.decode()] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_admin_allows_a_lookup_that_no_filter_declares(superuser, model):
    model_admin = admin.site._registry[model]
    request = RequestFactory().get("/")
    request.user = User.objects.get(username="root")
    assert not model_admin.lookup_allowed("name__regex", CRUEL, request)
    assert not model_admin.lookup_allowed("pk", "1", request)
    assert all(model_admin.lookup_allowed(name, "x", request) for name in declared(model))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_values_that_no_filter_knows_are_told_not_passed_over(superuser, filled, model):
    for name in sorted(declared(model)):
        for value in ("9223372036854775808", "-1e400", "'", "0001-01-01T00:00:00+14:00", "\x00", "𝒳"):
            answer = superuser.get(list_url(model), {name: value})
            assert answer.status_code in (200, 302), (name, value)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
@pytest.mark.parametrize(
    "query",
    [
        {"q": "a" * 501},
        {"o": ".".join(["1"] * 3000)},
        {"p": "9" * 4000},
        {"p": "-1"},
        {"older": "9223372036854775808_x", "newer": "_"},
        {"before": "99999999999999999999-x"},
        {"q": " ".join("abcdefghijk")},
        {"_to_field": "name"},
    ],
    ids=lambda query: next(iter(query)),
)
def test_the_common_parameters_are_bounded(superuser, filled, model, query):
    assert superuser.get(list_url(model), query).status_code in (200, 302, 400, 404)


def test_a_search_of_many_words_is_not_made_where_each_is_looked_for(superuser, project):
    answer = superuser.get(list_url(Project), {"q": " ".join(f"w{number}" for number in range(11))}, follow=True)
    assert "at most 10 words" in answer.content.decode()


def test_the_page_names_what_it_does_not_know_and_what_it_does(superuser, project):
    answer = superuser.get(list_url(Trace), {"name__regex": "x", "foo": "1"})
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "This list has no filter foo, name__regex. It can be narrowed by errors, from, " in text
    assert f'href="{list_url(Trace)}"' in text
    assert "default-src" in answer.headers["Content-Security-Policy"]


def test_a_wrong_value_is_told_in_the_filters_words(superuser, project):
    answer = superuser.get(list_url(Trace), {"range": "5y"}, follow=True)
    assert "Not applied: no such range: &#x27;5y&#x27;" in answer.content.decode()


def test_rules_and_prices_are_narrowed_to_a_project(superuser, filled, other_project):
    rules = list_url(MappingRule)
    assert "a" * 60 in superuser.get(rules, {"project": Project.objects.get(slug="first").pk}).content.decode()
    assert "a" * 60 not in superuser.get(rules, {"project": other_project.pk}).content.decode()
    everything = superuser.get(rules, {"project": "9223372036854775808"}, follow=True).content.decode()
    assert "There is no project 9223372036854775808 that you may see." in everything


@pytest.mark.skipif(not settings.ON_SQLITE, reason="PostgreSQL matches in a process of its own, with a time limit")
def test_sqlite_has_no_regular_expressions_of_python(filled):
    with pytest.raises(OperationalError):
        list(Span.objects.filter(name__regex=CRUEL))
