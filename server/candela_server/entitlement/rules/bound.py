"""How far the use of a metered feature may go in its window, once it is known what was used when (ENT-4, CRD-8).

| the window                                | the limit                                                             |
|-------------------------------------------|-----------------------------------------------------------------------|
| is one part                               | what the feature's terms say: a number, or the credits                |
| was cut where credits began or ended in it| what was covered before the last cut, what was used beyond that, and  |
|                                           | what the credits that count now had left there                        |

So limit less used is what is left in both cases, and it is what the window's end will find left if no more is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from candela_server.credit.rules.parts_over import Spent
from candela_server.entitlement.model import Metered
from candela_server.kernel.money import exact

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bound:
    """How far use may go: `limit` is None when nothing bounds it, and `of_credits` is up to where credits pay.

    `spent` is what became of the parts of the window that are over, where the terms name such parts, and `paused` what
    the window measured while the subscription was paused: nothing of that counts as used.
    """

    limit: Decimal | None
    of_credits: Decimal
    spent: Spent | None = None
    paused: Decimal = _ZERO

    def counted(self, measured: Decimal) -> Decimal:
        """How much was used, of what was measured in the window."""
        if not self.paused:
            return measured
        with exact():
            return measured - self.paused

    def overage(self, used: Decimal) -> Decimal:
        """How much of what was used nothing covered: beyond the limit, and in the parts that are over.

        What corrections take from the part that runs is taken off the latter, as at the window's end.
        """
        if self.limit is None:
            return _ZERO
        with exact():
            over = max(used - self.limit, _ZERO)
            if self.spent is None:
                return over
            running = used - self.spent.covered - self.spent.beyond
            return over + max(self.spent.beyond + min(running, _ZERO), _ZERO)


def bound_of(metered: Metered, past: Sequence[Decimal]) -> Bound:
    """The bound, when the parts of the window that are over used so much, each in its place; none given: nothing."""
    if metered.past is None:
        limit = metered.limit
        if limit is not None:
            return Bound(limit, limit)
        return Bound(None, metered.credits.allowance if metered.credits else _ZERO)
    over = past or [_ZERO] * len(metered.past.parts)
    spent = metered.past.spent(over)
    return Bound(
        limit=None if metered.limit is None else spent.limit,
        of_credits=spent.limit,
        spent=spent,
        paused=metered.past.paused(over),
    )
