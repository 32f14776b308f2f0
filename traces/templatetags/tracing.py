"""How times, durations, tokens, cost and span types look on the admin's pages."""

import json
import secrets
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Protocol

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from spans.columns import USAGE_PARTS, UsagePart
from spans.timestamps import NS_PER_SECOND, ahead_ns, format_duration, from_unix_nano, iso_utc

register = template.Library()

_AHEAD = '{} <span class="state state-waiting" title="In the future: the sender’s clock is ahead">in {}</span>'

TYPE_LABELS = {
    "CHAT_MODEL": "CHAT",
    "RETRIEVER": "RETRIEVE",
    "EMBEDDING": "EMBED",
    "RERANKER": "RERANK",
    "EVALUATOR": "EVAL",
    "GUARDRAIL": "GUARD",
    "UNKNOWN": "SPAN",
}


@register.filter
def duration(duration_ns: int | None) -> str:
    return "" if duration_ns is None else format_duration(duration_ns)


@register.filter
def seconds(value: float) -> str:
    return format_duration(int(value) * NS_PER_SECOND)


@register.filter
def moment(unix_nano: int) -> SafeString:
    """A <time> in the server's zone, which the page's script turns to the reader's. The title has every digit."""
    local = timezone.localtime(from_unix_nano(unix_nano))
    exact = iso_utc(unix_nano)
    return format_html(
        '<time datetime="{}" data-unix-nano="{}" title="{} · {} ns">{}</time>',
        exact,
        unix_nano,
        exact,
        unix_nano,
        local.strftime("%Y-%m-%d %H:%M:%S"),
    )


@register.filter
def sent_moment(unix_nano: int) -> SafeString:
    """A time that a sender gave: as `moment`, and marked where it lies in the future."""
    shown = moment(unix_nano)
    ahead = ahead_ns(unix_nano)
    return format_html(_AHEAD, shown, format_duration(ahead)) if ahead else shown


@register.filter
def number(value: int | None) -> str:
    """1234567 as 1,234,567; nothing for None."""
    return "" if value is None else f"{value:,}"


@register.filter
def number_up_to(value: int, limit: int) -> str:
    """For what is counted up to a limit only: 10,000+ beyond it."""
    return number(value) if value <= limit else f"{number(limit)}+"


@register.filter
def short_number(value: int | None) -> str:
    """Exact below 10,000, then 12.3k, 4.5M."""
    if value is None or abs(value) < 10_000:
        return number(value)
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if abs(value) >= size:
            return f"{value / size:.1f}{unit}"
    return number(value)


@register.filter
def cost(cost_usd: Decimal | None) -> str:
    """US dollars: cents from one dollar on, four places below, two digits below a cent. Unknown is empty, never 0."""
    if cost_usd is None:
        return ""
    if cost_usd == 0 or cost_usd >= 1:
        return f"${cost_usd:,.2f}"
    return f"${cost_usd:.4f}" if cost_usd >= Decimal("0.01") else f"${Decimal(f'{cost_usd:.2g}'):f}"


@register.filter
def span_type(value: str) -> SafeString:
    """The chip of a span type."""
    return format_html('<span class="type type-{}" title="{}">{}</span>', value, value, TYPE_LABELS.get(value, value))


@register.simple_tag
def status_dot(status: str, error_count: int = 0) -> SafeString:
    """Green, red, or amber for what ended well although spans in it failed."""
    shown, says = status, status
    if error_count and status != "ERROR":
        shown, says = "PARTLY", f"{status}, {failed(error_count)}"
    return format_html('<span class="dot dot-{}" role="img" aria-label="{}" title="{}"></span>', shown, says, says)


@register.filter
def failed(error_count: int | None) -> str:
    """How many spans failed, in words; nothing for none."""
    return f"{number(error_count)} span{'' if error_count == 1 else 's'} failed" if error_count else ""


@register.simple_tag
def sample_request() -> str:
    """OTLP/JSON of one span that ends now, with ids of its own."""
    now = time.time_ns()
    texts = {"openinference.span.kind": "CHAIN", "input.value": "Hello?", "output.value": "Hello, world!"}
    span = {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "first trace",
        "startTimeUnixNano": str(now - NS_PER_SECOND),
        "endTimeUnixNano": str(now),
        "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in texts.items()],
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


class Counted(Protocol):
    """A span, a trace, or a session: whatever has tokens with their parts and a cost."""

    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None


@register.simple_tag
def tokens(row: Counted) -> SafeString | str:
    """Tokens in and out, their parts in the title; empty where neither is known."""
    given, got = row.input_tokens, row.output_tokens
    if given is None and got is None:
        return ""
    return format_html(
        '<span class="tokens" title="{}, {}">{}<i>→</i>{}</span>',
        _with_parts(row, given, "input_tokens"),
        _with_parts(row, got, "output_tokens"),
        "–" if given is None else short_number(given),
        "–" if got is None else short_number(got),
    )


def _with_parts(row: Counted, count: int | None, whole: str) -> str:
    """1,200 input tokens (512 cached, 64 audio in)"""
    parts = ", ".join(f"{number(found)} {part.label}" for part, found in parts_of(row) if part.whole == whole)
    words = f"{'unknown' if count is None else number(count)} {whole.replace('_', ' ')}"
    return f"{words} ({parts})" if parts else words


def parts_of(row: Counted) -> Iterator[tuple[UsagePart, int]]:
    """The parts of the tokens that there are."""
    for part in USAGE_PARTS:
        found: int | None = getattr(row, part.name)
        if found:
            yield part, found


@register.simple_tag
def token_parts(row: Counted) -> str:
    """The parts of the tokens in words: 512 cached, 64 reasoning."""
    return ", ".join(f"{number(found)} {part.label}" for part, found in parts_of(row))


@register.simple_tag
def spent(row: Counted) -> SafeString | str:
    """The cost, marked where calls are not in it, with the reason or their number in the title; empty where nothing
    was to be paid for.
    """
    missing = getattr(row, "unpriced_reason", "")
    if calls := getattr(row, "unpriced_calls", 0):
        one = calls == 1
        missing = f"{number(calls)} call{'' if one else 's'} whose cost is not known {'is' if one else 'are'} not in it"
    if not missing:
        return cost(row.cost_usd)
    if row.cost_usd is None:
        return format_html('<span class="quiet unpriced" title="{}">unknown</span>', missing)
    return format_html('<span class="unpriced" title="{}">{}<i>+</i></span>', missing, cost(row.cost_usd))
