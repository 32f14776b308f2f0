"""The tables that hold for a project: the built-in conventions, with its operators' rules and prices, if any."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spans.pricing import OwnPrice
from spans.semconv.conventions import CONVENTIONS
from spans.semconv.fields import FIELDS
from spans.semconv.lookup import Tables
from spans.semconv.operator_rules import OperatorRule, as_conventions

RESOURCE_FIELDS = frozenset(("session_id", "user_id"))


@dataclass(frozen=True, slots=True)
class ProjectTables:
    """columns: the fields that receiving needs.  everything: all fields, for reading.  resource: those that a resource
    may have for all its spans.  prices: the project's own.
    """

    columns: Tables
    everything: Tables
    resource: Tables
    prices: Sequence[OwnPrice] = ()


def compile_tables(rules: Iterable[OperatorRule] = (), prices: Sequence[OwnPrice] = ()) -> ProjectTables:
    """Tables of the built-in conventions, the rules before and behind them, and the prices. Some milliseconds."""
    before, after = as_conventions(rules)
    conventions = (*before, *CONVENTIONS, *after)
    stored = [field for field in FIELDS if field.stored]
    of_resource = [field for field in FIELDS if field.name in RESOURCE_FIELDS]
    return ProjectTables(
        Tables(conventions, stored), Tables(conventions, FIELDS), Tables(conventions, of_resource), tuple(prices)
    )


BUILT_IN = compile_tables()
