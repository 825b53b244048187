"""What an invoice is expected to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from .taxes import NO_TAX, Tax

if TYPE_CHECKING:
    from .account import Account
    from .charges import Charge

GRACE = timedelta(hours=1)


@dataclass(slots=True, kw_only=True, eq=False)
class Expected:
    """An invoice. `billed` is what its lines come to; `off` is what credit in money pays of them before tax."""

    account: Account | None
    made_at: datetime
    finalizes_at: datetime
    fresh: list[Charge] = field(default_factory=list)
    difference: Decimal = Decimal(0)
    early: Decimal = Decimal(0)
    status: str = "draft"
    billed: Decimal = Decimal(0)
    off: dict[int, Decimal] = field(default_factory=dict)
    tax: Tax = NO_TAX
    from_account: Decimal = Decimal(0)
    due: Decimal = Decimal(0)
    gives_back: bool = False
    """Whether something on it is less than it was."""
    costs: dict[Charge, Decimal] = field(default_factory=dict)
    costs_before: dict[Charge, Decimal] = field(default_factory=dict)
    cut: bool = False
    """Whether a change cut a period that it bills."""
    noted: bool = False

    @property
    def subtotal(self) -> Decimal:
        """The sum of what its lines show."""
        return self.billed - sum(self.off.values(), Decimal(0))

    @property
    def total(self) -> Decimal:
        """What is asked for."""
        return self.subtotal + (0 if self.tax.inclusive else self.tax.amount)
