"""Usage that is billed elsewhere, and takes from the same credits in its turn: the earliest first (CRD-8).

Elsewhere is another invoice, or another price on the same one: a price is overridden and comes back within one period,
and each price is rated by itself.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from candela_server.credit.model import CreditGrant, GrantId
from candela_server.credit.rules.waterfall import UsedSpan, draw_in_spans
from candela_server.kernel.interval import Interval


@dataclass(frozen=True, slots=True)
class UsedBeside:
    """What was used in a part of a period, and the grants that can pay for it.

    `spans` are the parts of it where grants begin or end inside; none where it is one.
    """

    part: Interval
    grants: Sequence[CreditGrant]
    used: Decimal
    spans: Sequence[UsedSpan] = ()

    def take_from(self, left: MutableMapping[GrantId, Decimal]) -> None:
        """Takes from what its grants have left what it will be rated to take."""
        grants = [replace(one, balance=left[one.id]) for one in self.grants]
        spans = self.spans or (UsedSpan(self.part, self.used),)
        draws, _ = draw_in_spans(grants, spans, self.used)
        for draw in draws.draws:
            left[draw.grant_id] -= draw.amount
