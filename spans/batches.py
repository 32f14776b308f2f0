"""Long lists in parts: PostgreSQL binds at most 65,535 values to a statement, SQLite 32,766 or more."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

KEYS_A_STATEMENT = 5_000


def batches(items: Iterable[T], size: int = KEYS_A_STATEMENT) -> Iterator[list[T]]:
    """Lists of `size` items in their order, the last one shorter; none where there are no items."""
    ordered = list(items)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
