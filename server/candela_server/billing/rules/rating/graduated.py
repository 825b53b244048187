"""Each unit costs what its tier says (DSL-3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.billing.model import RatedPart
from candela_server.catalog.price import Tier

_ZERO = Decimal(0)


def graduated_parts(quantity: Decimal, tiers: Sequence[Tier]) -> tuple[RatedPart, ...]:
    """What each touched tier costs when its units cost its price. Not rounded.

    A tier's upper bound belongs to it, and its flat fee is due once something falls into it; with nothing used,
    nothing is due.
    """
    parts = []
    floor = _ZERO
    for tier in tiers:
        if quantity <= floor:
            break
        ceiling = quantity if tier.up_to is None else min(quantity, tier.up_to)
        parts.append(
            RatedPart(
                quantity=ceiling - floor,
                unit_amount=tier.unit_price,
                flat_fee=tier.flat_fee,
                up_to=tier.up_to,
            )
        )
        if tier.up_to is None:
            break
        floor = tier.up_to
    return tuple(parts)
