"""What an invoice is expected to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from .lines import Line, asked, total
from .taxes import NO_TAX, Tax

if TYPE_CHECKING:
    from .account import Account
    from .charges import Charge

GRACE = timedelta(hours=1)


@dataclass(slots=True, kw_only=True, eq=False)
class Expected:
    """An invoice. `price` is what a pack costs; `off` is what credit in money pays before tax.

    Each credit is named by its number, with the line that it pays for if it is one.
    """

    account: Account | None
    made_at: datetime
    finalizes_at: datetime
    taxed_at: datetime | None = None
    """By what holds when, where that is not as it is finalized."""
    fresh: list[Charge] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    status: str = "draft"
    price: Decimal = Decimal(0)
    off: dict[int, tuple[Line | None, Decimal]] = field(default_factory=dict)
    tax: Tax = NO_TAX
    from_account: Decimal = Decimal(0)
    due: Decimal = Decimal(0)
    is_ahead: bool = False
    """Whether it was made before a period ended, because usage reached a threshold."""
    cut: bool = False
    """Whether a change cut a period that it bills."""
    leaves_usage: bool = False
    """Whether it could not give back all of some usage, and no credit note has done so since."""
    replaced: bool = False
    """Whether another one was made in its place, as it is void."""
    noted: Decimal = Decimal(0)
    """What credit notes took back, before tax."""
    noted_tax: Decimal = Decimal(0)

    @property
    def subtotal(self) -> Decimal:
        """The sum of what its lines show."""
        return (
            self.price + total(self.lines) - sum((one for _, one in self.off.values()), Decimal(0))
        )

    @property
    def forgiven(self) -> list[Line]:
        """What it billed, as it is void, that only a reissue bills again: a commitment counts it (INV-6, DSL-10)."""
        if self.replaced:
            return []
        once = (one for one in self.lines if not one.is_ahead)
        return [one for one in once if one.charge.is_commitment or not one.is_change]

    @property
    def creditable(self) -> list[Decimal]:
        """What credit notes can still take back of each line."""
        left = asked(self.lines, list(self.off.values()))
        return [one - line.noted for one, line in zip(left, self.lines, strict=True)]

    @property
    def total(self) -> Decimal:
        """What is asked for."""
        return self.subtotal + (0 if self.tax.inclusive else self.tax.amount)
