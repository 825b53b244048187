"""What was used of other periods counts against a new allowance for as long as those would have run (ENT-4, CRD-5).

| used before the allowance came                   | takes off as much                                    |
|--------------------------------------------------|------------------------------------------------------|
| in the same period, under another plan           | for all of the period                                |
| in a period that an end cut off, and would run on| until that period would have ended; then it is there |
|                                                  | again, for what is used from then on                 |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from candela_server.credit.model import CreditGrant
from candela_server.kernel.money import exact

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CountedBefore:
    """How much was used before, by the instant until which it counts; None: as long as the allowance."""

    amounts: Mapping[datetime | None, Decimal] = field(default_factory=dict)

    def __add__(self, other: CountedBefore) -> CountedBefore:
        """Both together."""
        together = dict(self.amounts)
        with exact():
            for until, amount in other.amounts.items():
                together[until] = together.get(until, _ZERO) + amount
        return CountedBefore(together)

    @property
    def ends(self) -> list[datetime]:
        """The instants at which some of it counts no more, in order."""
        return sorted(until for until in self.amounts if until is not None)

    def counted(self, after: datetime | None = None) -> Decimal:
        """How much counts: at first, or from an instant on."""
        with exact():
            return sum(
                (
                    amount
                    for until, amount in self.amounts.items()
                    if after is None or until is None or after < until
                ),
                _ZERO,
            )


@dataclass(frozen=True, slots=True)
class Share:
    """What one allowance bears of it at first, and how much of that it has again from which instants on."""

    taken: Decimal
    again: Mapping[datetime, Decimal]


def share_out(allowances: Sequence[CreditGrant], before: CountedBefore) -> list[Share]:
    """What each of these allowances bears, of which the first bears first; what comes again after its end does not."""
    shares, above = [], _ZERO
    with exact():
        for one in allowances:
            taken = standing = _between(above, before.counted(), one.amount)
            again = {}
            for end in before.ends:
                borne = _between(above, before.counted(end), one.amount)
                if borne < standing and (one.expires_at is None or end < one.expires_at):
                    again[end] = standing - borne
                standing = borne
            shares.append(Share(taken, again))
            above += one.amount
    return shares


def _between(above: Decimal, counted: Decimal, amount: Decimal) -> Decimal:
    """What an allowance of that amount bears, when others before it bear all that they can."""
    return min(max(counted - above, _ZERO), amount)
