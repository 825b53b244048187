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

from candela_server.entitlement.model import Metered

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bound:
    """How far use may go: `limit` is None when nothing bounds it.

    `of_credits` is up to where credits pay, and `beyond` what nothing covered in the time at which it was used.
    """

    limit: Decimal | None
    of_credits: Decimal
    beyond: Decimal


def bound_of(metered: Metered, past: Sequence[Decimal]) -> Bound:
    """The bound, when the parts of the window that are over used so much, each in its place."""
    if metered.past is None:
        limit = metered.limit
        if limit is not None:
            return Bound(limit, limit, _ZERO)
        return Bound(None, metered.credits.allowance if metered.credits else _ZERO, _ZERO)
    spent = metered.past.spent(past)
    return Bound(None if metered.limit is None else spent.limit, spent.limit, spent.beyond)
