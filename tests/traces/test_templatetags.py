"""How numbers look on the admin's pages."""

from decimal import Decimal

import pytest

from spans.models import Span
from traces.models import Trace
from traces.templatetags.tracing import cost, number_up_to, spent, token_parts, tokens


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (None, ""),
        ("0", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("0.5", "$0.5000"),
        ("0.00123", "$0.0012"),
        ("0.00000025", "$0.00000025"),
        ("0.0000000001", "$0.0000000001"),
    ],
)
def test_a_cost_is_never_shown_in_powers_of_ten(usd, shown):
    assert cost(None if usd is None else Decimal(usd)) == shown


def test_what_is_counted_up_to_a_limit_says_so():
    assert [number_up_to(value, 1_000) for value in (0, 1_000, 1_001)] == ["0", "1,000", "1,000+"]


def test_tokens_tell_their_parts_in_the_title():
    row = Span(input_tokens=15_000, output_tokens=400, cached_input_tokens=6_000, audio_input_tokens=0)
    row.reasoning_tokens = 64
    assert 'title="15,000 input tokens (6,000 cached), 400 output tokens (64 reasoning)"' in tokens(row)
    assert token_parts(row) == "6,000 cached, 64 reasoning"
    assert 'title="unknown input tokens, 7 output tokens"' in tokens(Span(output_tokens=7))
    assert tokens(Span()) == ""


def test_a_cost_says_what_is_not_in_it():
    assert spent(Span(cost_usd=Decimal("0.5"))) == "$0.5000"
    assert 'title="the span names no model">unknown<' in spent(Span(unpriced_reason="the span names no model"))
    assert 'title="1 call whose cost is not known is not in it">$0.5000<i>+</i><' in spent(
        Trace(cost_usd=Decimal("0.5"), unpriced_calls=1)
    )
    assert 'title="2 calls whose cost is not known are not in it">unknown<' in spent(Trace(unpriced_calls=2))
    assert spent(Trace()) == ""
