"""Whole blocks of units, begun ones included (DSL-3)."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from candela_server.billing.model import RatedPart

_ZERO = Decimal(0)


def package_blocks(
    quantity: Decimal, package_size: Decimal, package_price: Decimal
) -> tuple[RatedPart, ...]:
    """The blocks of `package_size` that `quantity` begins, each charged whole; none when nothing was used."""
    blocks, rest = divmod(max(quantity, _ZERO), package_size)
    if rest:
        blocks += 1
    if not blocks:
        return ()
    return (
        RatedPart(
            quantity=blocks.to_integral_value(ROUND_CEILING),
            unit_amount=package_price,
            flat_fee=_ZERO,
            up_to=None,
        ),
    )
