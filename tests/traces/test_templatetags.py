"""How numbers look on the admin's pages."""

from decimal import Decimal

import pytest

from traces.templatetags.tracing import cost, number_up_to


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
