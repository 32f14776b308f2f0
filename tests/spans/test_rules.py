"""Operators' rules and prices: what they take, in which order, within which bounds, and who may change them."""

import datetime
import time
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from projects.models import Project, ProjectMembership
from spans.models import MappingRule, ModelPrice, Span
from spans.project_tables import load_tables, tables_for
from spans.records import SpanRecord
from spans.semconv import BUILT_IN, content, normalize
from spans.semconv.operator_rules import check_pattern, matches, parse_path
from tests.builders import export_request, new_trace_id, span
from traces.models import Trace
from traces.otlp.receiver import export

RULES = "/admin/spans/mappingrule/"
PRICES = "/admin/spans/modelprice/"


def rule(project: Project, pattern: str, field: str, **fields) -> MappingRule:
    made = MappingRule(project=project, name=fields.pop("name", pattern), pattern=pattern, field=field, **fields)
    made.full_clean()
    made.save()
    return made


def read(project: Project, **attributes):
    project.refresh_from_db()
    record = SpanRecord("t" * 32, "s" * 16, attributes=attributes)
    normalize(record, tables_for(project))
    found = content(record, tables=tables_for(project))
    return record, found


def test_a_rule_fills_a_field_and_names_itself(project):
    rule(project, "acme.chat", "session_id", name="Chat id")
    record, found = read(project, **{"acme.chat": "c-1"})
    assert (record.session_id, found.session_id) == ("c-1", "c-1")
    assert found.normalization["session_id"] == {"rule": 'rule "Chat id"', "attribute": "acme.chat"}


def test_rules_stand_before_or_behind_the_conventions_by_their_priority(project):
    attributes = {"session.id": "built-in", "acme.first": "first", "acme.second": "second", "acme.last": "last"}
    rule(project, "acme.last", "session_id", priority=-1)
    assert read(project, **attributes)[0].session_id == "built-in"
    assert read(project, **{"acme.last": "last"})[0].session_id == "last"
    rule(project, "acme.second", "session_id", priority=1)
    rule(project, "acme.first", "session_id", priority=2)
    assert read(project, **attributes)[0].session_id == "first"


def test_a_disabled_rule_does_nothing(project):
    rule(project, "acme.chat", "session_id", enabled=False)
    assert read(project, **{"acme.chat": "c-1"})[0].session_id == ""


def test_a_pattern_takes_the_first_matching_key_that_has_a_value(project):
    rule(project, "acme.*.model", "request_model", value_map={"big": "gpt-4o"})
    record, _ = read(project, **{"acme.b.model": "big", "acme.a.model": "unknown", "acme.model": "big"})
    assert record.request_model == "gpt-4o"


def test_a_path_leads_into_json_and_falsy_values_survive(project):
    rule(project, "acme.usage", "input_tokens", json_path='$.calls[-1]["prompt.tokens"]')
    assert read(project, **{"acme.usage": '{"calls": [{}, {"prompt.tokens": 0}]}'})[0].input_tokens == 0
    assert read(project, **{"acme.usage": '{"calls": []}'})[0].input_tokens is None
    assert read(project, **{"acme.usage": "no json"})[0].input_tokens is None


def test_a_value_map_leaves_unnamed_values_to_others(project):
    rule(project, "acme.kind", "span_type", value_map={"bot": "agent", "true": "TOOL"})
    assert read(project, **{"acme.kind": "bot"})[0].span_type == "AGENT"
    assert read(project, **{"acme.kind": True})[0].span_type == "TOOL"
    assert read(project, **{"acme.kind": "x", "openinference.span.kind": "LLM"})[0].span_type == "LLM"
    rule(project, "acme.kind", "span_type", name="others", value_map={"*": "CHAIN"}, priority=-1)
    assert read(project, **{"acme.kind": "x"})[0].span_type == "CHAIN"


def test_a_span_type_that_does_not_exist_is_never_stored(project):
    rule(project, "acme.kind", "span_type")
    assert read(project, **{"acme.kind": "nonsense"})[0].span_type == "UNKNOWN"
    assert read(project, **{"acme.kind": "retriever"})[0].span_type == "RETRIEVER"


def test_content_can_be_mapped_too(project):
    rule(project, "acme.question", "input")
    record, found = read(project, **{"acme.question": "How are you?"})
    assert (record.input_preview, found.input) == ("How are you?", "How are you?")


def test_rules_of_one_project_leave_others_alone(project, other_project):
    rule(project, "acme.chat", "session_id")
    assert read(other_project, **{"acme.chat": "c-1"})[0].session_id == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pattern", "*"),
        ("pattern", "a*b*c*d*e"),
        ("pattern", " a"),
        ("pattern", "x" * 300),
        ("json_path", "a[b]"),
        ("json_path", "a..b"),
        ("json_path", ".a" * 20),
        ("field", "no_such_field"),
        ("value_map", ["a"]),
        ("value_map", {"a": {"b": 1}}),
        ("value_map", {str(number): "x" for number in range(300)}),
    ],
)
def test_a_wrong_rule_is_refused_where_it_is_wrong(project, field, value):
    fields = {"pattern": "acme.chat", "field": "session_id", "name": "n"} | {field: value}
    with pytest.raises(ValidationError) as error:
        MappingRule(project=project, **fields).full_clean()
    assert field in error.value.message_dict


def test_a_value_that_its_field_can_not_take_is_refused(project):
    for field, values in (("span_type", {"a": "ROBOT"}), ("input_tokens", {"a": "many"}), ("cost_usd", {"a": -1})):
        with pytest.raises(ValidationError):
            MappingRule(project=project, name="n", pattern="a", field=field, value_map=values).full_clean()


def test_paths_are_read_by_steps():
    assert parse_path('$.a.b[0]["c.d"][-1]') == ("a", "b", 0, "c.d", -1)
    assert parse_path("usage.prompt tokens") == ("usage", "prompt tokens")
    assert parse_path("") == parse_path("$") == ()


def test_patterns_match_the_whole_key():
    assert matches(["a.", ".c"], "a.b.c")
    assert matches(["a", "b", ""], "a.b.c")
    assert not matches(["a.", ".c"], "a.c")
    assert not matches(["ab", "b"], "ab")
    check_pattern("acme.*.id")


def test_hostile_patterns_and_keys_cost_little(project):
    rule(project, "a*a*a*b", "session_id")
    started = time.perf_counter()
    record, _ = read(project, **{"a" * 100_000 + str(number): "x" for number in range(20)})
    assert record.session_id == ""
    assert time.perf_counter() - started < 1


def test_a_change_is_seen_with_the_next_request_and_unchanged_tables_cost_no_query(project):
    assert tables_for(project) is BUILT_IN
    made = rule(project, "acme.chat", "session_id")
    project.refresh_from_db()
    first = tables_for(project)
    with CaptureQueriesContext(connection) as captured:
        assert tables_for(project) is first
    assert len(captured) == 0
    made.delete()
    assert read(project, **{"acme.chat": "c-1"})[0].session_id == ""


def test_received_spans_follow_the_rules_and_stored_ones_after_renormalizing(project):
    trace_id = new_trace_id()
    export(export_request(span(trace_id=trace_id, attrs={"acme.chat": "c-1"})), project)
    rule(project, "acme.chat", "session_id")
    project.refresh_from_db()
    export(export_request(span(attrs={"acme.chat": "c-2"})), project)
    assert sorted(Trace.objects.values_list("session_id", flat=True)) == ["", "c-2"]
    call_command("renormalizespans", verbosity=0)
    assert sorted(Trace.objects.values_list("session_id", flat=True)) == ["c-1", "c-2"]
    assert Span.objects.filter(session_id="c-1").count() == 1


CALL = {
    "openinference.span.kind": "LLM",
    "llm.provider": "openai",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 1_000_000,
    "llm.token_count.completion": 1_000_000,
}


def price(project: Project, model: str = "gpt-4o", **fields) -> ModelPrice:
    made = ModelPrice(project=project, model=model, **({"input_usd": 1, "output_usd": 2} | fields))
    made.full_clean()
    made.save()
    return made


def cost(project: Project, at: datetime.date = datetime.date(2026, 6, 15), **attributes) -> Decimal | None:
    project.refresh_from_db()
    moment = datetime.datetime.combine(at, datetime.time(), datetime.UTC)
    record = SpanRecord(
        "t" * 32, "s" * 16, attributes=CALL | attributes, start_time_unix_nano=int(moment.timestamp()) * 10**9
    )
    normalize(record, tables_for(project))
    found = content(record, tables=tables_for(project))
    assert found.cost_usd == record.cost_usd
    return record.cost_usd


def test_a_projects_price_comes_before_the_public_list_and_after_the_sdks_cost(project):
    public = cost(project)
    assert public not in (None, Decimal(3))
    price(project)
    assert cost(project) == 3
    assert cost(project, **{"llm.cost.total": 7.5}) == Decimal("7.5")
    project.refresh_from_db()
    record = SpanRecord("t" * 32, "s" * 16, attributes=CALL)
    assert content(record, tables=tables_for(project)).normalization["cost_usd"]["rule"] == "the project's prices"


def test_prices_hold_on_their_days_only(project):
    public = cost(project)
    price(project, valid_from=datetime.date(2026, 6, 1), valid_to=datetime.date(2026, 6, 30))
    price(project, input_usd=10, valid_from=datetime.date(2026, 7, 1))
    assert cost(project, datetime.date(2026, 5, 31)) == public
    assert cost(project, datetime.date(2026, 6, 1)) == 3
    assert cost(project, datetime.date(2026, 6, 30)) == 3
    assert cost(project, datetime.date(2026, 7, 1)) == 12
    with pytest.raises(ValidationError):
        price(project, valid_from=datetime.date(2026, 6, 2), valid_to=datetime.date(2026, 6, 1))


def test_the_most_exact_price_holds_and_cached_tokens_have_their_own(project):
    price(project, "gpt-*", input_usd=5, output_usd=0)
    assert cost(project) == 5
    price(project, "gpt-4o", provider="anthropic", input_usd=6, output_usd=0)
    assert cost(project) == 5
    price(project, "gpt-4o", input_usd=4, output_usd=0, cached_input_usd=Decimal("0.4"))
    assert cost(project) == 4
    assert cost(project, **{"llm.token_count.prompt_details.cache_read": 500_000}) == Decimal("2.2")


def test_an_unknown_model_gets_a_price_and_0_is_a_price(project):
    unknown = {"llm.model_name": "in-house-7b", "llm.provider": "acme"}
    assert cost(project, **unknown) is None
    price(project, "in-house-*", input_usd=0, output_usd=0)
    assert cost(project, **unknown) == 0


def member(project: Project, role: str) -> Client:
    user = User.objects.create_user(f"{role}-of-{project.slug}", is_staff=True)
    ProjectMembership.objects.create(project=project, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def form(project: Project, **changes: str) -> dict[str, str]:
    fields = {"project": project.pk, "name": "Chat id", "pattern": "acme.chat", "json_path": "", "field": "session_id"}
    return fields | {"value_map": "{}", "priority": "0", "enabled": "on"} | changes


def test_an_editor_previews_a_rule_and_saves_it(project):
    editor = member(project, "editor")
    export(export_request(span("talk", attrs={"acme.chat": "c-1"}), span("other")), project)
    page = editor.post(f"{RULES}add/", form(project, _preview="1")).content.decode()
    assert "Of the latest 2 spans the rule finds a value in <b>1</b> and changes <b>1</b>" in page
    assert "<td>session_id</td><td>–</td><td>c-1</td>" in page
    assert not MappingRule.objects.exists()
    assert editor.post(f"{RULES}add/", form(project)).status_code == 302
    saved = MappingRule.objects.get()
    page = editor.post(f"{RULES}{saved.pk}/change/", form(project, pattern="acme.none", _preview="1")).content.decode()
    assert "finds a value in <b>0</b> and changes <b>1</b>" in page
    saved.refresh_from_db()
    assert saved.pattern == "acme.chat"


def test_a_wrong_rule_is_explained_in_the_form(project):
    page = (
        member(project, "editor").post(f"{RULES}add/", form(project, json_path="a[b]", _preview="1")).content.decode()
    )
    assert "Not a step:" in page
    assert "rule-preview" not in page


def test_the_preview_takes_a_fixed_number_of_queries(project):
    editor = member(project, "editor")
    editor.post(f"{RULES}add/", form(project, _preview="1"))  # the first one of a process fills its caches
    counts = []
    for _ in range(2):
        export(export_request(*(span(attrs={"acme.chat": "c-1"}) for _ in range(30))), project)
        with CaptureQueriesContext(connection) as captured:
            assert editor.post(f"{RULES}add/", form(project, _preview="1")).status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_only_editors_of_the_project_change_rules_and_prices(project, other_project):
    made = rule(project, "acme.chat", "session_id")
    own = price(project)
    viewer, stranger = member(project, "viewer"), member(other_project, "owner")
    for url, row in ((RULES, made), (PRICES, own)):
        assert viewer.get(f"{url}{row.pk}/change/").status_code == 200
        assert viewer.post(f"{url}{row.pk}/change/", {}).status_code == 403
        assert viewer.get(f"{url}add/").status_code == 403
        assert stranger.get(f"{url}{row.pk}/change/").status_code == 404
        assert "acme.chat" not in stranger.get(url).content.decode()
    page = stranger.post(f"{RULES}add/", form(project, _preview="1")).content.decode()
    assert "Select a valid choice" in page
    assert MappingRule.objects.count() == 1


def test_a_project_has_a_bounded_number_of_rules(project, monkeypatch):
    monkeypatch.setattr(MappingRule, "limit", 1)
    rule(project, "acme.chat", "session_id")
    with pytest.raises(ValidationError, match="at most 1"):
        rule(project, "acme.other", "session_id")


def test_compiled_tables_of_no_rules_are_the_built_in_ones(project):
    assert load_tables(project.pk) is BUILT_IN
