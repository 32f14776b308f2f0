"""How clients send a key, and what they are told of one that is none."""

import base64
import time
from urllib.parse import quote

import pytest
from django.utils import timezone

from projects.authentication import InvalidKey, find_key, known_key
from projects.models import ApiKey
from projects.sent_keys import KEY_LENGTH, MAX_READINGS, readings

pytestmark = pytest.mark.django_db

UNKNOWN = "llmt_" + "a" * 43


@pytest.fixture
def key(project):
    return ApiKey.objects.issue(project, "k")[1]


def basic(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


FORMS = {
    "as it is": "{key}",
    "bearer": "Bearer {key}",
    "lower case": "bearer {key}",
    "upper case": "BEARER {key}",
    "two spaces": "Bearer  {key}",
    "a tab": "Bearer\t{key}",
    "percent-encoded": "Bearer%20{key}",
    "percent-encoded twice": "Bearer%2520{key}",
    "plus": "Bearer+{key}",
    "colon": "Bearer: {key}",
    "twice": "Bearer Bearer {key}",
    "quoted": '"{key}"',
    "quoted with a scheme": '"Bearer {key}"',
    "single quotes": "'Bearer%20{key}'",
    "quotes inside": 'Bearer "{key}"',
    "encoded quotes": "%22Bearer%20{key}%22",
    "one quote left": '{key}"',
    "a line end": "Bearer%20{key}%0A",
    "token": "Token {key}",
    "api key": "Api-Key {key}",
}


@pytest.mark.parametrize("header", ["x-bee-authorization", "authorization", "x-api-key"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_key_is_read_however_clients_send_it(key, project, header, form, django_assert_num_queries):
    headers = {header: form.format(key=key)}
    assert known_key(headers) is None
    with django_assert_num_queries(1):
        assert find_key(headers).project == project
    assert known_key(headers) is not None


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "Basic%20", "Basic+"])
@pytest.mark.parametrize("pair", [("pk-lf-any", "{key}"), ("{key}", ""), ("{key}", "anything"), ("", "{key}")])
def test_langfuse_and_others_send_the_key_as_user_or_password(key, project, scheme, pair):
    credentials = basic(*(part.format(key=key) for part in pair))
    assert find_key({"authorization": scheme + credentials}).project == project
    assert find_key({"authorization": scheme + credentials.rstrip("=")}).project == project
    assert find_key({"authorization": scheme + quote(credentials, safe="")}).project == project


@pytest.mark.parametrize(
    "text", ["a%20b", "50%", "Token:x", '"quoted"', "with space", "schlüssel", "x=y,z", "ключ", "a+b"]
)
def test_a_key_of_the_operators_choice_is_compared_as_it_is_first(project, text):
    ApiKey.objects.issue(project, "k", text)
    ApiKey.objects.issue(project, "another", "x")
    as_http_reads_it = text.encode().decode("latin-1")
    for value in (text, as_http_reads_it, quote(text, safe=""), f"Bearer {quote(text, safe='')}"):
        assert find_key({"x-bee-authorization": value}).name == "k"


def test_a_very_long_key_is_compared_as_it_came(project):
    long = "k" * 3_000 + "%"
    ApiKey.objects.issue(project, "long", long)
    for value in (long, f"Bearer {long}"):
        assert find_key({"authorization": value}).name == "long"


@pytest.mark.parametrize("part", ["{{", "$(", "%", "%25", "Bearer ", "'", "my-", "<"])
def test_hostile_texts_are_read_in_time(db, part):
    headers = {"authorization": (part * 4_096)[:8_000]}
    begun = time.process_time()
    with pytest.raises(InvalidKey):
        find_key(headers)
    assert time.process_time() - begun < 0.25


def test_the_first_header_decides_and_the_others_are_read_where_it_is_empty(key, project):
    with pytest.raises(InvalidKey):
        find_key({"x-bee-authorization": UNKNOWN, "authorization": f"Bearer {key}"})
    proxy = {"authorization": f"Basic {basic('proxy', 'secret')}"}
    assert find_key({**proxy, "x-bee-authorization": key}).project == project
    assert find_key({**proxy, "x-bee-authorization": " ", "x-api-key": key}).project == project


def test_revoked_readings_do_not_hide_a_usable_one(key, project):
    ApiKey.objects.issue(project, "old", "old", revoked_at=timezone.now())
    assert find_key({"authorization": f"Basic {basic('old', key)}"}).name == "k"
    assert find_key({"authorization": f"Basic {basic(key, 'old')}"}).name == "k"


SAID = {
    "": "no API key: send the header x-bee-authorization",
    "Bearer": "scheme Bearer came without a key",
    "bearer ": "scheme Bearer came without a key",
    "Bearer%20": "scheme Bearer came without a key",
    '""': "empty value",
    "Basic": "scheme Basic came without a key",
    "Basic !!": "without user:password",
    f"Basic {base64.b64encode(b'no colon').decode()}": "without user:password",
    f"Basic {basic('pk-lf-1', 'sk-lf-2')}": "looks like a Langfuse key; keys of this server begin with llmt_",
    "YOUR-API-KEY": "placeholder",
    "Bearer YOUR_API_KEY": "placeholder",
    "<your key>": "placeholder",
    "api-key": "placeholder",
    "undefined": "no value",
    "Bearer None": "no value",
    "$TRACING_KEY": "name of a variable",
    "Bearer ${TRACING_KEY}": "name of a variable",
    "{{ key }}": "name of a variable",
    "%TRACING_KEY%": "name of a variable",
    "llmt_abc***": "masked",
    "llmt_abcdefg…": "masked",
    "sk-ant-api03-x": "looks like an Anthropic key",
    "Bearer sk-proj-x": "looks like an OpenAI",
    "lsv2_pt_x": "looks like a LangSmith key",
    "eyJhbGciOi.x.y": "looks like a JSON web token",
    UNKNOWN[:-1]: f"has 47 characters in place of {KEY_LENGTH}: its end is missing",
    UNKNOWN + "x": "something follows it",
    UNKNOWN + ",x-other=1": "several headers as one",
    "key=" + UNKNOWN: "something stands before llmt_",
    UNKNOWN: "made on another one",
    f"Bearer%20{UNKNOWN[:-1]}": "its end is missing (it came percent-encoded",
    f'"{UNKNOWN}"': "in quotes",
    "wrong": "no key of this server has this text",
    "a" * 5_000: "more than 1000 characters",
}


@pytest.mark.parametrize(("value", "said"), SAID.items(), ids=range(len(SAID)))
@pytest.mark.parametrize("header", ["x-bee-authorization", "authorization"])
def test_who_sends_no_key_is_told_what_is_wrong_without_an_echo(db, header, value, said):
    with pytest.raises(InvalidKey) as raised:
        find_key({header: value})
    message = str(raised.value)
    assert said in message
    assert message.startswith("invalid api key: " if value else "no API key: ")
    assert len(message) < 250
    for part in value.replace("%20", " ").replace("=", " ").split():
        assert len(part) < 8 or part not in message
    with pytest.raises(InvalidKey) as again:
        known_key({header: value})
    assert str(again.value) == message


def test_revoked_and_expired_keys_are_told_apart(key):
    ApiKey.objects.update(expires_at="2026-03-01T10:30Z")
    with pytest.raises(InvalidKey, match="expired on 2026-03-01 at 10:30 UTC"):
        find_key({"authorization": f"Bearer%20{key}"})
    ApiKey.objects.update(revoked_at="2026-02-01T00:00Z")
    with pytest.raises(InvalidKey, match="revoked on 2026-02-01"):
        find_key({"authorization": f"Bearer%20{key}"})


def test_what_one_header_may_mean_is_bounded():
    many = {"authorization": f"'Bearer%2520{basic('a b', 'c d')}'", "x-api-key": "%22Bearer%2520Token%20%27x%27%22"}
    assert 0 < len(readings(many)) <= MAX_READINGS
    assert readings({"authorization": "Bearer%20" * 400}) != ()
