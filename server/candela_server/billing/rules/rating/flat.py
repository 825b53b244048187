"""Every unit costs the same (DSL-3)."""

from __future__ import annotations

from decimal import Decimal


def flat_amount(quantity: Decimal, unit_price: Decimal) -> Decimal:
    """What `quantity` costs at one price for every unit. Not rounded."""
    return quantity * unit_price
