"""How a line's amount came about, so that an accountant can recompute it (INV-1)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """The terms that a line was rated by, and what each step came to.

    `quantity` is what its model charged: what was `measured` or held, with `earlier_quantity` of the period's earlier
    parts, less what credits `covered` and the free units, and never below 0. The line's parts, its unit price, or
    percent and fee bring it to `model_amount`. `bound_amount` stands instead where the minimum or maximum decided; both
    are shown as the price has them, and hold for `days` of `whole_days`, as what is due because time passes does.

    From the result `earlier_amount` is taken off, which is exact; and once it is rounded, `billed_amount`, which other
    lines bill of it, and `left_amount`, which the invoice could not give back (docs/giving-back.md). Discounts come
    last.
    """

    quantity: Decimal
    model_amount: Decimal
    measured: Decimal = _ZERO
    covered: Decimal = _ZERO
    free_units: Decimal = _ZERO
    percent: Decimal | None = None
    fee_per_event: Decimal | None = None
    event_count: Decimal = _ZERO
    package_size: Decimal | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    bound: str | None = None
    bound_amount: Decimal | None = None
    days: int = 0
    whole_days: int = 0
    earlier_quantity: Decimal = _ZERO
    earlier_amount: Decimal = _ZERO
    billed_amount: Decimal = _ZERO
    left_amount: Decimal = _ZERO

    @property
    def decided(self) -> Decimal:
        """What the model or the bound that stands instead comes to."""
        return self.model_amount if self.bound_amount is None else self.bound_amount
