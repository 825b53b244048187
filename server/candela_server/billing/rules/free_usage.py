"""Whether usage can ever cost anything: what cannot need not wait for late events (SUB-2, INV-3)."""

from __future__ import annotations

from candela_server.catalog.price import (
    Charge,
    Component,
    FlatCharge,
    PackageCharge,
    PercentageCharge,
)


def costs_nothing(component: Component) -> bool:
    """Whether a component charges nothing however much is used, now and later."""
    return not component.time_rules and _is_free(component.charge)


def _is_free(charge: Charge) -> bool:
    if charge.minimum:
        return False
    match charge.model:
        case FlatCharge(unit_price=price):
            return not price
        case PackageCharge(package_price=price):
            return not price
        case PercentageCharge(percent=percent, fee_per_event=fee):
            return not percent and not fee
        case tiered:
            return not any(tier.unit_price or tier.flat_fee for tier in tiered.tiers)
