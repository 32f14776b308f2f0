"""What used to be answered with 500 or in a wrong way: odd methods, huge numbers, extreme times, a locked database."""

import base64
import contextlib
import re
import sqlite3

import orjson
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from projects.models import ApiKey
from spans.models import Span
from tests.builders import export_request, span
from traces.ingest import database_faults
from traces.models import Trace
from traces.otlp.receiver import export
from tracing_site import health
from tracing_site.visible_marks import visible, visible_page

METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "POST")
ODD = ("9223372036854775808", "-1", "NaN", "", "x", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
ADMIN_PARAMETERS = (
    "project",
    "range",
    "from",
    "to",
    "before",
    "after",
    "older",
    "newer",
    "min_ms",
    "min_usd",
    "p",
    "q",
)
API_PARAMETERS = ("cursor", "limit", "offset", "from", "to", "min_duration_ms", "min_tokens", "min_cost_usd", "q")


def routes(patterns=None, prefix: str = ""):
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern)


@pytest.fixture
def urls(project) -> list[str]:
    """An address of every route, with ids that are there."""
    export(export_request(span(attrs={"session.id": "s", "user.id": "u"})), project)
    trace, one = Trace.objects.get(), Span.objects.get()
    ids = {"key": trace.pk, "object_id": trace.pk, "span_id": one.span_id, "trace_id": trace.trace_id}
    ids |= {"id": trace.trace_id, "identifier": trace.trace_id}

    def address(route: str) -> str:
        named = re.sub(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>", lambda m: str(ids.get(m[1] or m[2], "1")), route)
        return "/" + named.replace("^", "").replace("$", "").replace("\\Z", "").replace("\\.", ".")

    return sorted({address(route) for route in routes()})


@pytest.fixture
def actors(project, db) -> list[Client]:
    anonymous = Client(raise_request_exception=False)
    key = ApiKey.objects.issue(project, "k")[1]
    program = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}"})
    person = Client(raise_request_exception=False)
    person.force_login(User.objects.create_superuser("root"))
    return [anonymous, program, person]


def test_no_method_of_any_route_is_answered_with_a_failure(urls, actors):
    wrong = [
        (method, url, answer.status_code)
        for url in urls
        if "logout" not in url
        for method in METHODS
        for client in actors
        if (answer := client.generic(method, url)).status_code >= 500
    ]
    assert wrong == []


def cursors() -> list[str]:
    """Cursors that decode to something, but to no place in a list."""
    key = "0" * 32
    contents = [
        ["-created_at", "0001-01-01T00:00:00+14:00", key],
        ["-created_at", "9999-12-31T23:59:59-14:00", key],
        ["-created_at", "2026-01-01", key],
        ["-start_time", "9" * 5000, key],
        ["-created_at"],
        {"a": 1},
        None,
    ]
    return [base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=") for content in contents]


def test_no_odd_value_of_a_parameter_is_answered_with_a_failure(urls, actors):
    _, program, person = actors
    lists = [url for url in urls if url.startswith("/v1/")]
    asked = [(program, url, name, value) for url in lists for name in API_PARAMETERS for value in ODD]
    asked += [(program, url, "cursor", value) for url in lists for value in cursors()]
    pages = [url for url in urls if re.fullmatch(r"/admin/(\w+/){1,2}(page/)?", url) and "django_rq" not in url]
    asked += [(person, url, name, value) for url in pages for name in ADMIN_PARAMETERS for value in ODD]
    extreme = ("0001-01-01T00:00:00+14:00_" + "0" * 32, "9223372036854775808_" + "0" * 32)
    asked += [(person, url, name, value) for url in pages for name in ("older", "newer") for value in extreme]
    wrong = [
        (url, name, value, answer.status_code)
        for client, url, name, value in asked
        if (answer := client.get(url, {name: value})).status_code >= 500
    ]
    assert wrong == []


def test_a_cursor_at_the_beginning_of_time_is_answered(actors):
    for cursor in cursors()[:2]:
        assert actors[1].get("/v1/traces", {"cursor": cursor}).status_code == 400


@pytest.mark.parametrize("method", ["TRACE", "PUT", "PATCH", "DELETE"])
def test_health_takes_no_other_methods(client, method):
    answer = client.generic(method, "/health")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_there_is_no_redirect_to_another_site(admin_client):
    assert admin_client.get("/admin/r/1/1/").status_code == 404


def test_a_login_whose_way_back_is_refused_leads_home(client, db):
    User.objects.create_superuser("root", password="a long password")
    form = {"username": "root", "password": "a long password"}
    answer = client.post("/admin/login/?next=https://elsewhere.example/", form)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


def test_a_login_while_the_database_is_locked_is_503_with_a_page(db):
    User.objects.create_superuser("root", password="a long password")
    client = Client(raise_request_exception=False)

    def locked(execute, sql, params, many, context):
        if sql.startswith(("INSERT", "UPDATE")):
            raise OperationalError("database is locked")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(locked):
        answer = client.post("/admin/login/", {"username": "root", "password": "a long password"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Nothing was changed" in answer.content.decode()


def look() -> health.Finding:
    return health.look_at_database()["database"]


@pytest.fixture(autouse=True)
def _no_fault_seen(monkeypatch):
    monkeypatch.setattr(database_faults, "_last_seen", {})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("sqlstate", "name", "says"), [("53100", "SQLITE_FULL", "no space left"), ("25006", "SQLITE_READONLY", "read-only")]
)
def test_readiness_tells_what_a_write_met(sqlstate, name, says):
    assert look().state == health.OK
    error = OperationalError()
    error.__cause__ = Exception()
    error.__cause__.sqlstate, error.__cause__.sqlite_errorname = sqlstate, name
    database_faults.count_database_error(error)
    assert look().state == health.WARNING
    assert says in look().detail
    assert "503" in look().detail


@pytest.mark.skipif(not settings.ON_SQLITE, reason="PostgreSQL says itself that it is read-only")
def test_a_sqlite_file_that_cannot_be_written_is_noticed(tmp_path):
    path = tmp_path / "file.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE t (a)")
    for mode, expected in (("ro", True), ("rw", False)):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode={mode}", uri=True)) as opened:
            assert health.refuses_writes(opened) is expected
    with contextlib.closing(sqlite3.connect(path)) as other, contextlib.closing(sqlite3.connect(path)) as opened:
        other.execute("BEGIN IMMEDIATE")
        assert health.refuses_writes(opened) is False


def test_hidden_characters_are_marks():
    assert visible("a\u202eb\x1b[0m\x85\u2066c\tд\n") == "a‹U+202E›b‹U+001B›[0m‹U+0085›‹U+2066›c\tд\n"
    kept = "<pre class='a'>\u202e\n\u202e</pre><textarea>\u202e</textarea><input value='\u202e'>"
    assert visible_page(f"<p title='\u202e'>{kept}</p>") == f"<p title='‹U+202E›'>{kept}</p>"
    plain = "<p>Zwölf 👩‍🔬 שלום</p>"
    assert visible_page(plain) is plain


def test_names_with_hidden_characters_are_marked_on_every_page_and_unchanged_in_the_api(project, actors):
    evil = "safe\u202eexe.gpj\u2066\x1b[31m"
    attrs = {"session.id": evil, "user.id": evil, "gen_ai.tool.name": evil, "gen_ai.request.model": evil}
    export(export_request(span(evil, attrs=attrs), service=evil, scope=evil), project)
    trace, one = Trace.objects.get(), Span.objects.get()
    _, program, person = actors
    base = f"/admin/traces/trace/{trace.pk}"
    pages = [
        "/admin/",
        "/admin/traces/trace/",
        "/admin/spans/span/",
        "/admin/traces/session/",
        "/admin/traces/enduser/",
    ]
    pages += [f"{base}/change/", f"{base}/delete/", f"{base}/rows/", f"{base}/spans/{one.span_id}/"]
    pages += [f"/admin/traces/session/{trace.pk}/change/", f"/admin/traces/enduser/{trace.pk}/change/"]
    for page in pages:
        text = person.get(page, follow=True).content.decode()
        shown = re.sub(r"<pre\b.*?</pre>|<input\b[^>]*>", "", text, flags=re.DOTALL)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", shown), page
        assert "safe‹U+202E›exe.gpj‹U+2066›‹U+001B›[31m" in shown, page
    assert program.get("/v1/traces").json()["results"][0]["name"] == evil
