"""When a price is free: derived from what it charges, never a flag (CAT-6)."""

from __future__ import annotations

from collections.abc import Iterable

from candela_server.catalog.price import (
    Charge,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    Price,
    VolumeCharge,
)


def is_free(price: Price) -> bool:
    """Whether nothing in the price can ever cost anything: no amount, no tier, no fee, no minimum, no commitment.

    Charges that begin later count as well. Discounts do not: what costs nothing because of one still has a price (D18).
    """
    return price.minimum_commitment is None and all(
        _costs_nothing(charge) for component in price.components for charge in component.charges
    )


def plan_is_free(prices: Iterable[Price]) -> bool:
    """Whether a plan is free: it is on sale, and every price of it is free."""
    found = list(prices)
    return bool(found) and all(is_free(price) for price in found)


def _costs_nothing(charge: Charge) -> bool:
    if charge.minimum:
        return False
    match charge.model:
        case FlatCharge(unit_price=unit_price):
            return unit_price == 0
        case GraduatedCharge(tiers=tiers) | VolumeCharge(tiers=tiers):
            return all(tier.unit_price == 0 and tier.flat_fee == 0 for tier in tiers)
        case PackageCharge(package_price=package_price):
            return package_price == 0
        case PercentageCharge(percent=percent, fee_per_event=fee):
            return percent == 0 and not fee
