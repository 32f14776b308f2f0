"""The tables that hold for a project: the built-in conventions, with its operators' rules and prices, if any."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spans.pricing import OwnPrice
from spans.semconv.conventions import CONVENTIONS
from spans.semconv.fields import FIELDS
from spans.semconv.lookup import Tables
from spans.semconv.operator_rules import OperatorRule, as_conventions


@dataclass(frozen=True, slots=True)
class ProjectTables:
    """columns: the fields that receiving needs.  everything: all fields, for reading.  prices: the project's own."""

    columns: Tables
    everything: Tables
    prices: Sequence[OwnPrice] = ()


def compile_tables(rules: Iterable[OperatorRule] = (), prices: Sequence[OwnPrice] = ()) -> ProjectTables:
    """Tables of the built-in conventions, the rules before and behind them, and the prices. Some milliseconds."""
    before, after = as_conventions(rules)
    conventions = (*before, *CONVENTIONS, *after)
    stored = [field for field in FIELDS if field.stored]
    return ProjectTables(Tables(conventions, stored), Tables(conventions, FIELDS), tuple(prices))


BUILT_IN = compile_tables()
