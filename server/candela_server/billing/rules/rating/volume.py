"""All units cost what the tier of the whole quantity says (DSL-3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.billing.model import RatedPart
from candela_server.catalog.price import Tier


def volume_parts(quantity: Decimal, tiers: Sequence[Tier]) -> tuple[RatedPart, ...]:
    """What `quantity` costs when all of it costs the price of the tier it reaches. Not rounded.

    A tier's upper bound belongs to it; with nothing used, nothing is due. The amount may fall where a cheaper tier
    begins.
    """
    if quantity <= 0:
        return ()
    for tier in tiers:
        if tier.up_to is None or quantity <= tier.up_to:
            return (
                RatedPart(
                    quantity=quantity,
                    unit_amount=tier.unit_price,
                    flat_fee=tier.flat_fee,
                    up_to=tier.up_to,
                ),
            )
    raise AssertionError("check_tiers guarantees that the last tier is open")
