"""What calls cost, as MLflow keeps it: a total, and what of it is the input's and what the output's.

A span's parts are there where prices tell them apart, and then they make up its total; else its total stands alone,
which MLflow's lists and sums take, while its page of the trace draws nothing.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from spans.models import Span
from spans.semconv import ProjectTables
from spans.semconv.span_usage import price_of, tokens_of


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
    get = tables.columns.first_values(row)[0].get
    tokens = tokens_of(row, get)
    by_list = price_of(row, tokens, get("service_tier"), tables.prices).usd
    if not by_list:
        return Cost(total)
    only_input = tokens._replace(output=0, audio_output=0, image_output=0, reasoning=0)
    input_by_list = price_of(row, only_input, get("service_tier"), tables.prices).usd or Decimal(0)
    return Cost(total, input_by_list if total == by_list else total * input_by_list / by_list)


def trace_cost(total: Decimal, calls: Iterable[Cost]) -> dict[str, float]:
    """The cost of a trace: the total, and the known parts of the calls that make it up, as MLflow itself sums them."""
    parts = [(call.input, call.total - call.input) for call in calls if call.input is not None]
    return {
        "input_cost": float(sum(input_part for input_part, _ in parts)),
        "output_cost": float(sum(output_part for _, output_part in parts)),
        "total_cost": float(total),
    }
