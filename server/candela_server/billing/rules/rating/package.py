"""Whole blocks of units, begun ones included (DSL-3)."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal


def package_amount(quantity: Decimal, package_size: Decimal, package_price: Decimal) -> Decimal:
    """What `quantity` costs in blocks of `package_size`; a begun block is charged whole. Not rounded."""
    blocks, rest = divmod(max(quantity, Decimal(0)), package_size)
    if rest:
        blocks += 1
    return blocks.to_integral_value(ROUND_CEILING) * package_price
