"""What calls cost, as MLflow keeps it: a total, and what of it is the input's and what the output's.

A span's parts are there where prices tell them apart, and then they make up its total; else its total stands alone,
which MLflow's lists and sums take, while its page of the trace draws nothing.
"""

from collections.abc import Iterable
from decimal import Decimal
from types import SimpleNamespace
from typing import NamedTuple

from spans.models import Span
from spans.semconv import ProjectTables
from spans.semconv.normalize import listed_price

PRICED_FACTS = ("span_type", "provider_name", "response_model", "request_model", "input_tokens", "cached_input_tokens")


class Cost(NamedTuple):
    """US dollars. `input` is the input's part of the total, None where it is not known."""

    total: Decimal
    input: Decimal | None = None

    @property
    def in_mlflow(self) -> dict[str, float]:
        total = {"total_cost": float(self.total)}
        if self.input is None:
            return total
        return {"input_cost": float(self.input), "output_cost": float(self.total - self.input)} | total


def span_cost(row: Span, tables: ProjectTables) -> Cost | None:
    """The cost of a stored span with its payload, None where it has none.

    A total that the SDK reported is divided as the prices of that model are.
    """
    total = row.cost_usd
    if total is None:
        return None
    written = tables.columns.first_values(row)[0].get("cache_creation_input_tokens")
    by_list = listed_price(row, row.start_time_unix_nano, written, tables.prices)[0]
    if not by_list:
        return Cost(total)
    facts = SimpleNamespace(**{name: getattr(row, name) for name in PRICED_FACTS}, output_tokens=0)
    input_by_list = listed_price(facts, row.start_time_unix_nano, written, tables.prices)[0] or Decimal(0)
    return Cost(total, input_by_list if total == by_list else total * input_by_list / by_list)


def trace_cost(total: Decimal, calls: Iterable[Cost]) -> dict[str, float]:
    """The cost of a trace: the total, and the known parts of the calls that make it up, as MLflow itself sums them."""
    parts = [(call.input, call.total - call.input) for call in calls if call.input is not None]
    return {
        "input_cost": float(sum(input_part for input_part, _ in parts)),
        "output_cost": float(sum(output_part for _, output_part in parts)),
        "total_cost": float(total),
    }
