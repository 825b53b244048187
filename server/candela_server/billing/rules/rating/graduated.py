"""Each unit costs what its tier says (DSL-3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.catalog.price import Tier

_ZERO = Decimal(0)


def graduated_amount(quantity: Decimal, tiers: Sequence[Tier]) -> Decimal:
    """What `quantity` costs when each tier's units cost that tier's price. Not rounded.

    A tier's upper bound belongs to it, and its flat fee is due once something falls into it; with nothing used,
    nothing is due.
    """
    amount = floor = _ZERO
    for tier in tiers:
        if quantity <= floor:
            return amount
        ceiling = quantity if tier.up_to is None else min(quantity, tier.up_to)
        amount += (ceiling - floor) * tier.unit_price + tier.flat_fee
        if tier.up_to is None:
            return amount
        floor = tier.up_to
    raise AssertionError("check_tiers guarantees that the last tier is open")
