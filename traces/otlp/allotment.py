"""What many share while requests arrive, so that nobody's slow ones keep others out."""

from collections import Counter
from collections.abc import Hashable

from traces.otlp.errors import UNAVAILABLE, OtlpError


class Allotment:
    """An amount that all holders share. One may have as much as it leaves free for the others: half, if it is alone."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self.by_holder: Counter[Hashable] = Counter()

    def take(self, holder: Hashable, amount: int) -> None:
        """Raises OtlpError (503) if it is too much."""
        if self.by_holder[holder] + amount > self.limit - self.taken - amount:
            raise OtlpError(UNAVAILABLE, "too much is being received at the same time; send again")
        self.taken += amount
        self.by_holder[holder] += amount

    def give_back(self, holder: Hashable, amount: int) -> None:
        self.taken -= amount
        self.by_holder[holder] -= amount
        if not self.by_holder[holder]:
            del self.by_holder[holder]
