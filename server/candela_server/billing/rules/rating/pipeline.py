"""The steps from a quantity to an amount, in their one order: free units → model → minimum → maximum (DSL-3)."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from candela_server.catalog.price import (
    Charge,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    VolumeCharge,
)
from candela_server.kernel.money import exact

from .flat import flat_amount
from .graduated import graduated_amount
from .package import package_amount
from .volume import volume_amount


def rate(charge: Charge, quantity: Decimal) -> Decimal:
    """What `quantity` costs in one period. Exact; a line is rounded once, when it is made (INV-8)."""
    with exact():
        billable = max(quantity - charge.free_units, Decimal(0))
        amount = _apply_model(charge, billable)
        if charge.minimum is not None:
            amount = max(amount, charge.minimum)
        if charge.maximum is not None:
            amount = min(amount, charge.maximum)
        return amount


def _apply_model(charge: Charge, quantity: Decimal) -> Decimal:
    match charge.model:
        case FlatCharge(unit_price=unit_price):
            return flat_amount(quantity, unit_price)
        case GraduatedCharge(tiers=tiers):
            return graduated_amount(quantity, tiers)
        case VolumeCharge(tiers=tiers):
            return volume_amount(quantity, tiers)
        case PackageCharge(package_size=size, package_price=price):
            return package_amount(quantity, size, price)
        case PercentageCharge():
            raise AssertionError("what_cannot_be_billed keeps it out of subscriptions")
        case never:
            assert_never(never)
