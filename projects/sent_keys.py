"""What a request's headers say its API key is: as it was meant, and what is wrong with one that finds no key.

Clients split `OTEL_EXPORTER_OTLP_HEADERS` themselves, some without decoding percent signs, quotes and plus signs, and
some send the key in headers of their own. Nothing here quotes what was sent.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import unquote

KEY_HEADER = "x-bee-authorization"
# Read where that one is not sent. The last is LangSmith's.
OTHER_HEADERS = ("authorization", "x-api-key")

HOW_TO_SEND = f"send the header {KEY_HEADER}: KEY or Authorization: Bearer KEY"

KEY_START = "llmt_"
KEY_LENGTH = len(KEY_START) + 43  # as `secrets.token_urlsafe(32)` makes it

MAX_READINGS = 6
# Longer ones are compared as they came, and not looked into.
MAX_CHARACTERS = 1_000
# What percent-encoding, quotes and a scheme can hide in one another: `"Bearer%20KEY"` has three layers.
MAX_LAYERS = 5

_PLAIN = re.compile(r"(?:bearer +)?([a-z0-9._~-]+)", re.IGNORECASE)
_SCHEME = re.compile(r"(bearer|basic|token(?=[\s+:=])|api-?key(?=[\s+:=]))(?:[\s+:=]+|$)", re.IGNORECASE)
# Where one of these stands apart, what follows is the key and nothing else can be.
_HTTP_SCHEME = re.compile(r"(?:bearer|basic)(?:\s|$)", re.IGNORECASE)
_QUOTES = "\"'`“”‘’"
_PLACEHOLDER = re.compile(
    r"<.*>|\[.*\]|(?:(?:put|the|your|my)[-_ ])*(?:(?:api|auth|bee)[-_ ]?)?(?:key|token)(?:[-_ ]here)?|x{3,}|change-?me",
    re.I,
)
_NO_VALUE = re.compile(r"undefined|null|none|nil", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?\w+\}?|%\w+%|\$?\{\{.*\}\}|\$\(.*\)")
_MASKED = re.compile(r"\*{3}|…|\.\.\.|•")
# The first letters of other services' keys, best first.
_OTHER_KINDS = (
    ("sk-ant-", "an Anthropic key"),
    ("sk-lf-", "a Langfuse key"),
    ("pk-lf-", "a Langfuse key"),
    ("sk-or-", "an OpenRouter key"),
    ("sk-", "an OpenAI or LiteLLM key"),
    ("lsv2_", "a LangSmith key"),
    ("AIza", "a Google key"),
    ("hf_", "a Hugging Face key"),
    ("gsk_", "a Groq key"),
    ("xai-", "an xAI key"),
    ("pylf_", "a Logfire token"),
    ("ghp_", "a GitHub token"),
    ("github_pat_", "a GitHub token"),
    ("tl_", "a Traceloop key"),
    ("eyJ", "a JSON web token"),
)


def sent_values(headers: Mapping[str, str]) -> list[str]:
    """What stands in the headers for keys: all of KEY_HEADER, or else what the others hold.

    The mapping finds lower-case names.
    """
    if text := (headers.get(KEY_HEADER) or "").strip():
        return [text]
    return [text for name in OTHER_HEADERS if (text := (headers.get(name) or "").strip())]


def readings(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Every text that the headers may mean as the key, likeliest first; at most MAX_READINGS, none without a key."""
    values = sent_values(headers)
    if len(values) == 1:
        plain = _PLAIN.fullmatch(values[0])
        if plain is not None and not _SCHEME.fullmatch(plain[1]):
            return (plain[1],)
    found = [text for value in values for text in _read(value)]
    return tuple(dict.fromkeys(text for text in found if text))[:MAX_READINGS]


def is_basic_only(headers: Mapping[str, str]) -> bool:
    """Whether all that was sent is HTTP Basic, which a proxy in front of the site may have asked for."""
    values = sent_values(headers)
    return bool(values) and all(value.lower().startswith("basic ") for value in values)


def _read(value: str) -> list[str]:
    """The text as it came, without a scheme, decoded, and with every layer taken off; of Basic, password and user."""
    if len(value) > MAX_CHARACTERS:
        return [_SCHEME.sub("", value, count=1) if _SCHEME.match(value) else value]
    scheme, inner = _unwrap(value)
    if scheme == "basic":
        return _user_and_password(inner)[::-1]
    outer = _SCHEME.sub("", value, count=1) if _SCHEME.match(value) else value
    layers = [outer, unquote(outer), inner]
    return layers if _HTTP_SCHEME.match(value) else [value, *layers]


def _unwrap(value: str) -> tuple[str, str]:
    """The first scheme of the value in lower case, "" without one, and the text with every layer taken off."""
    first = ""
    text = value
    for _ in range(MAX_LAYERS):
        match = _SCHEME.match(text)
        inner = _decoded(text if match is None else text[match.end() :])
        if match is not None:
            first = first or match[1].lower()
        if inner == text:
            break
        text = inner
    return first, text


def _decoded(text: str) -> str:
    """The text without quotes and percent-encoding, and as UTF-8 where its bytes were read as Latin-1."""
    text = unquote(text).strip().strip(_QUOTES).strip()
    try:
        return text if text.isascii() else text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _user_and_password(text: str) -> list[str]:
    """Both parts of HTTP Basic's credentials, in either alphabet of base64; none if they are not such."""
    try:
        padded = text.rstrip("=").translate(str.maketrans("-_", "+/"))
        decoded = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return []
    user, colon, password = decoded.partition(":")
    return [user.strip(), password.strip()] if colon else []


def describe_flaw(headers: Mapping[str, str]) -> str:
    """Why what was sent is no key of this server, for who sent it. Quotes nothing of it. The headers hold something."""
    value = sent_values(headers)[0]
    if len(value) > MAX_CHARACTERS:
        return f"what was sent has more than {MAX_CHARACTERS} characters; a key has {KEY_LENGTH}"
    scheme, text = _unwrap(value)
    if scheme and not text:
        return f"the scheme {scheme.capitalize()} came without a key"
    texts = [text]
    if scheme == "basic":
        texts = [part for part in _user_and_password(text)[::-1] if part]
        if not texts:
            return f"Basic came without user:password in base64, one of which is the key; {HOW_TO_SEND}"
    flaw = next((found for part in texts if (found := _flaw_of(part))), "no key of this server has this text")
    how = _how_it_came(value)
    return f"{flaw} ({how})" if how else flaw


def _flaw_of(text: str) -> str:
    """What a key's text itself tells, "" if nothing."""
    if not text:
        return "an empty value was sent"
    if _NO_VALUE.fullmatch(text):
        return "a program's word for no value was sent; is its variable set?"
    if _PLACEHOLDER.fullmatch(text):
        return "an example's placeholder was sent; put an API key in its place"
    if _VARIABLE.fullmatch(text):
        return "the name of a variable was sent, not its value"
    if _MASKED.search(text):
        return "the key was sent with parts of it masked"
    for start, kind in _OTHER_KINDS:
        if text.startswith(start):
            return f"it looks like {kind}; keys of this server begin with {KEY_START}"
    if text.startswith(KEY_START):
        if len(text) == KEY_LENGTH:
            return "no key of this server has this text; was it made on another one, or deleted?"
        if "," in text or "=" in text:
            return "something follows the key; does the client send several headers as one?"
        end = "its end is missing" if len(text) < KEY_LENGTH else "something follows it"
        return f"the key has {len(text)} characters in place of {KEY_LENGTH}: {end}"
    if KEY_START in text:
        return f"something stands before {KEY_START}, where a key begins"
    return ""


def _how_it_came(value: str) -> str:
    """What had to be taken off to read the key, "" if nothing."""
    if unquote(value) != value:
        return "it came percent-encoded, and was decoded"
    if any(quote in value for quote in _QUOTES):
        return "it came in quotes, which were taken off"
    return ""
