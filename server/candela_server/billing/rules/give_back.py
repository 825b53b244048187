"""Which invoice bears what is given back, and in which order (SUB-6, EVT-9, INV-6): see docs/giving-back.md.

Only what was asked for and is not credited yet can be given back. What charged for a thing bears it first, the latest
invoice first, which is paid last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from candela_server.billing.credit_note import Purpose
from candela_server.billing.model import (
    BilledLine,
    Invoice,
    InvoiceId,
    InvoiceLine,
    InvoiceStatus,
    LineId,
    LineKind,
)
from candela_server.kernel.money import Money

from .credited import creditable

PURPOSES: Final = {
    InvoiceStatus.FINALIZED: Purpose.REDUCE_DUE,
    InvoiceStatus.PAID: Purpose.CREDIT_BALANCE,
}
"""What becomes of what is given back on an invoice; on others, which nobody owes or pays, nothing is."""

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What is to be given back: of which line, which lines billed it, how much before tax, and why.

    `usage` is how much less was used, where it is usage that is given back; None where it is days. `of_beside` is how
    much of the amount the lines `beside` it were charged: an amount off that it had shared with them is theirs now.
    """

    of: LineId
    own: frozenset[LineId]
    amount: Decimal
    memo: str
    usage: Decimal | None = None
    beside: frozenset[LineId] = frozenset()
    of_beside: Decimal = Decimal(0)

    def place(self, one: BilledLine) -> int:
        """Which lines bear it first: those that charged for it."""
        if one.line.id in self.own:
            return 0
        return 1 if one.line.id in self.beside else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one invoice bears of it, by the lines that it is taken off."""

    invoice_id: InvoiceId
    amounts: Mapping[LineId, Money]
    owed: Owed


def shares(
    billed: Sequence[BilledLine],
    owed: Sequence[Owed],
    invoices: Mapping[InvoiceId, Invoice],
    credited: Mapping[InvoiceId, Mapping[LineId, Decimal]],
) -> list[Share]:
    """What is taken off which invoice; `billed` are all lines that may bear it, the latest last.

    What charged for it bears it, and what had been charged beside it; and, as far as an earlier change gave back on the
    very invoice that charged for it, what had been charged for what that change gave back, because that paid for this.
    What promotional credit paid for, or nobody, does not come back.
    """
    by_id = {one_id: one for one_id, one in invoices.items() if one.status in PURPOSES}
    left_of = {
        line_id: amount - credited[one.id].get(line_id, _ZERO)
        for one in by_id.values()
        for line_id, amount in creditable(one).items()
    }
    given_there = {
        one.id: -sum((line.amount for line in one.lines if _gives_back(line)), _ZERO)
        for one in by_id.values()
    }
    bearing = [
        one
        for one in reversed(billed)
        if one.line.component_id is not None and left_of.get(one.line.id, _ZERO) > 0
    ]
    found: list[Share] = []
    for back in owed:
        own, wanted, of_beside = back.own, back.amount, back.of_beside
        amounts: defaultdict[InvoiceId, dict[LineId, Money]] = defaultdict(dict)
        charged_on = {one.invoice_id for one in billed if one.line.id in own} & by_id.keys()
        for one in sorted(bearing, key=back.place):
            given = min(wanted, left_of[one.line.id])
            if one.line.id not in own:
                part = min(given, of_beside) if one.line.id in back.beside else _ZERO
                of_beside -= part
                given = part + _take(given_there, charged_on, given - part)
            if given > 0:
                wanted -= given
                left_of[one.line.id] -= given
                currency = by_id[one.invoice_id].currency
                amounts[one.invoice_id][one.line.id] = Money(currency=currency, amount=given)
        found += [
            Share(invoice_id=one_id, amounts=some, owed=back) for one_id, some in amounts.items()
        ]
    return found


def _gives_back(line: InvoiceLine) -> bool:
    """Whether it gives back days, or what usage or a commitment was charged too much."""
    return line.kind in (LineKind.PRORATION, LineKind.ADJUSTMENT) and line.amount < 0


def _take(
    left: dict[InvoiceId, Decimal], invoices: Collection[InvoiceId], wanted: Decimal
) -> Decimal:
    """As much of what is wanted as is left on these invoices."""
    taken = _ZERO
    for one_id in sorted(invoices):
        part = min(wanted - taken, left[one_id])
        left[one_id] -= part
        taken += part
    return taken
