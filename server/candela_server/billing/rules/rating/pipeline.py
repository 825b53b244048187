"""The steps from a quantity to an amount, in their one order: free units → model → minimum → maximum (DSL-3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from candela_server.billing.calculation import Calculation
from candela_server.billing.model import RatedPart
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
from .graduated import graduated_parts
from .package import package_blocks
from .percentage import percentage_amount
from .volume import volume_parts

_ZERO = Decimal(0)


class Bound(StrEnum):
    """Which end of a charge decided, instead of its model."""

    MINIMUM = "minimum"
    MAXIMUM = "maximum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What a quantity costs, exactly, and how that came about.

    `parts` are what the model's tiers or blocks come to, and empty where one price holds for every unit; their sum is
    what the model comes to, before the minimum or maximum stands instead.
    """

    amount: Decimal
    parts: tuple[RatedPart, ...]
    calculation: Calculation

    @property
    def bound(self) -> str | None:
        """Which end of the charge decided, if one did."""
        return self.calculation.bound


def rate(charge: Charge, quantity: Decimal, *, event_count: Decimal = _ZERO) -> Decimal:
    """What `quantity` costs in one period. Exact; a line is rounded once, when it is made (INV-8)."""
    return rated(charge, quantity, event_count=event_count).amount


def rated(charge: Charge, quantity: Decimal, *, event_count: Decimal = _ZERO) -> Rated:
    """What `quantity` costs in one period, with its tiers and blocks; `event_count` is for fees per event."""
    with exact():
        billable = max(quantity - charge.free_units, _ZERO)
        model_amount, parts = _apply_model(charge, billable, event_count)
        amount, bound = model_amount, None
        if charge.minimum is not None and amount < charge.minimum:
            amount, bound = charge.minimum, Bound.MINIMUM
        if charge.maximum is not None and amount > charge.maximum:
            amount, bound = charge.maximum, Bound.MAXIMUM
    model = charge.model
    percentage = model if isinstance(model, PercentageCharge) else None
    return Rated(
        amount=amount,
        parts=parts,
        calculation=Calculation(
            quantity=billable,
            measured=quantity,
            model_amount=model_amount,
            free_units=charge.free_units,
            percent=percentage.percent if percentage else None,
            fee_per_event=percentage.fee_per_event if percentage else None,
            event_count=event_count
            if percentage and percentage.fee_per_event is not None
            else _ZERO,
            package_size=model.package_size if isinstance(model, PackageCharge) else None,
            minimum=charge.minimum,
            maximum=charge.maximum,
            bound=bound,
            bound_amount=amount if bound else None,
        ),
    )


def _apply_model(
    charge: Charge, quantity: Decimal, event_count: Decimal
) -> tuple[Decimal, tuple[RatedPart, ...]]:
    match charge.model:
        case FlatCharge(unit_price=unit_price):
            return flat_amount(quantity, unit_price), ()
        case GraduatedCharge(tiers=tiers):
            parts = graduated_parts(quantity, tiers)
        case VolumeCharge(tiers=tiers):
            parts = volume_parts(quantity, tiers)
        case PackageCharge(package_size=size, package_price=price):
            parts = package_blocks(quantity, size, price)
        case PercentageCharge(percent=percent, fee_per_event=fee):
            return percentage_amount(quantity, percent, event_count, fee), ()
        case never:
            assert_never(never)
    return sum((part.amount for part in parts), _ZERO), parts
