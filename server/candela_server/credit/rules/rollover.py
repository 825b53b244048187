"""How much of what is left is carried over into the next period (CRD-3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.credit.model import CreditGrant, GrantId

from .waterfall import draw


def carried_over(ended: Sequence[CreditGrant], cap: Decimal) -> dict[GrantId, Decimal]:
    """What each grant gives for the next period; together the cap at most.

    `ended` are the grants of one definition that end together: a period's credit, and what was carried over into that
    period before. So credit can be carried along, but never piles up above the cap.
    """
    return {one.grant_id: one.amount for one in draw(ended, cap).draws}
