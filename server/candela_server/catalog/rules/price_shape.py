"""What a price must look like to be billable later; what cannot be billed is refused when it is defined (DSL-3)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.catalog.price import (
    Charge,
    ComponentKind,
    FlatCharge,
    PercentageCharge,
    Tier,
)
from candela_server.kernel.errors import FieldViolations

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


def check_charge_fits(kind: ComponentKind, charge: Charge) -> None:
    """Raises InvalidInput when a component of this kind could not be charged so."""
    with FieldViolations() as fields:
        match kind:
            case ComponentKind.FIXED:
                if not isinstance(charge.model, FlatCharge):
                    fields.add("", "must be flat: a FIXED component has no quantity")
                if charge.free_units:
                    fields.add("free_units", "must be 0: a FIXED component has no quantity")
            case ComponentKind.PER_UNIT:
                if isinstance(charge.model, PercentageCharge) and charge.model.fee_per_event:
                    fields.add(
                        "percentage.fee_per_event",
                        "must be absent: only USAGE components have events",
                    )
            case ComponentKind.USAGE:
                pass


def kind_admits_metric(kind: ComponentKind, has_metric: bool) -> None:
    """Raises ValueError when a usage component lacks a metric or another kind has one."""
    if kind is ComponentKind.USAGE and not has_metric:
        raise ValueError("must name the metric whose usage is charged")
    if kind is not ComponentKind.USAGE and has_metric:
        raise ValueError("must be empty: only usage components have a metric")
