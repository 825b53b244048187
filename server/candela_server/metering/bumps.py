"""What a flush adds to live counters: made only for customers who have some, as most have none just then (ENT-4).

Data plane, within the budget of write_events.py: all callers of a flush wait for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from .rules.folding import Folded
from .rules.metric_reading import Readings

CustomerOf: TypeAlias = tuple[str, str]
"""A merchant and its customer."""


@dataclass(frozen=True, slots=True)
class Span:
    """What one flush adds to a scope between two instants, both inclusive, in microseconds."""

    first_us: int
    last_us: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bump:
    """What one flush adds to the counters of one customer, by (metric, user); user "" is the whole customer."""

    merchant_id: str
    customer_id: str
    scopes: dict[tuple[str, str], list[Span]]


@dataclass(frozen=True, slots=True)
class Bumps:
    """One flush's, by what its events add up to and the metrics by which they were folded, of each merchant."""

    folded: Mapping[str, Folded]
    readings: Mapping[str, Readings]

    def customers(self) -> list[CustomerOf]:
        """Whose usage has changed."""
        return [
            (merchant_id, customer_id)
            for merchant_id, one in self.folded.items()
            for customer_id in dict.fromkeys(key[0] for key in one.shares)
        ]

    def of(self, customers: Collection[CustomerOf]) -> list[Bump]:
        """What these gained."""
        bumps: dict[CustomerOf, Bump] = {who: Bump(*who, {}) for who in customers}
        for merchant_id, one in self.folded.items():
            metrics = self.readings[merchant_id].by_id
            for (customer_id, metric_id, user_id, _), share in one.shares.items():
                bump = bumps.get((merchant_id, customer_id))
                if bump is not None:
                    amount = metrics[metric_id].counted(share.count, share.sum)
                    bump.scopes.setdefault((metric_id, user_id), []).append(
                        Span(share.first_us, share.last_us, amount)
                    )
        return list(bumps.values())


NO_BUMPS = Bumps({}, {})
"""Of a flush that stored nothing."""
