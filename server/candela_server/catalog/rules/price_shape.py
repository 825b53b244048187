"""What a price must look like to be billable later; what cannot be billed is refused when it is defined (DSL-3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.catalog.price import Component, ComponentKind, Tier, VolumeCharge

MAX_TIERS = 100
MAX_COMPONENTS = 50


def check_tiers(tiers: Sequence[Tier]) -> None:
    """Raises ValueError unless the tiers ascend without gaps and the last one, and no other, is open."""
    if not 1 <= len(tiers) <= MAX_TIERS:
        raise ValueError(f"must have 1 to {MAX_TIERS} tiers, not {len(tiers)}")
    floor = Decimal(0)
    for number, tier in enumerate(tiers):
        last = number == len(tiers) - 1
        if tier.up_to is None:
            if not last:
                raise ValueError(f"tier {number} has no up_to; only the last tier is open")
        elif last:
            raise ValueError("the last tier must be open: leave its up_to away")
        elif tier.up_to <= floor:
            raise ValueError(f"tier {number} ends at {tier.up_to}, not above {floor}")
        else:
            floor = tier.up_to


def warnings(component: Component) -> list[str]:
    """What a seller should know although nothing is wrong: bills that fall as usage rises."""
    model = component.charge.model
    if not isinstance(model, VolumeCharge):
        return []
    found = []
    for lower, upper in zip(model.tiers, model.tiers[1:], strict=False):
        assert lower.up_to is not None, "check_tiers lets only the last tier be open"
        before = lower.up_to * lower.unit_price + lower.flat_fee
        after = lower.up_to * upper.unit_price + upper.flat_fee
        if after < before:
            found.append(
                f"{component.name}: just beyond {lower.up_to} units the bill falls from {before} "
                f"to about {after}; graduated tiers never do that"
            )
    return found


def kind_admits_metric(kind: ComponentKind, has_metric: bool) -> None:
    """Raises ValueError when a usage component lacks a metric or another kind has one."""
    if kind is ComponentKind.USAGE and not has_metric:
        raise ValueError("must name the metric whose usage is charged")
    if kind is not ComponentKind.USAGE and has_metric:
        raise ValueError("must be empty: only usage components have a metric")
