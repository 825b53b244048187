"""How much of each line can be credited, and which tax goes with it (INV-6).

A negative line, such as usage that credits paid for, is not credited by itself: it lowers what can be credited of the
line that it offsets, or, belonging to none, of all lines in proportion. So what can be credited of all lines together
is exactly the subtotal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from candela_server.billing.credit_note import CreditNoteExceedsLineError, CreditNoteLine
from candela_server.billing.model import Invoice, InvoiceLine, LineId, LineKind
from candela_server.kernel.money import Money

_ZERO = Decimal(0)


def creditable(invoice: Invoice) -> dict[LineId, Decimal]:
    """What each line asked for after all that was taken off it, before tax; lines that asked for nothing are absent."""
    return left_of_lines(invoice.currency, invoice.lines)


def left_of_lines(currency: str, lines: Sequence[InvoiceLine]) -> dict[LineId, Decimal]:
    """As creditable, of an invoice that need not exist yet."""
    left = {line.id: line.amount for line in lines if line.amount > 0}
    unplaced = _ZERO
    usage = {
        (line.component_id, line.period.start_at): line.id
        for line in lines
        if line.kind in (LineKind.USAGE, LineKind.THRESHOLD) and line.id in left
    }
    for line in lines:
        if line.amount < 0:
            source = line.source_line_id if line.source_line_id in left else None
            if line.kind is LineKind.THRESHOLD and source is None:
                # What was billed ahead was billed of that usage, whatever line it was on.
                source = usage.get((line.component_id, line.period.start_at))
            taken = min(-line.amount, left[source]) if source else _ZERO
            if source:
                left[source] -= taken
            unplaced += -line.amount - taken
    if unplaced:
        ids = [line_id for line_id, amount in left.items() if amount]
        parts = Money(currency=currency, amount=unplaced).split([left[line_id] for line_id in ids])
        for line_id, part in zip(ids, parts, strict=True):
            left[line_id] -= part.amount
    return {line_id: amount for line_id, amount in left.items() if amount}


def credit_lines(
    invoice: Invoice,
    wanted: Mapping[LineId, Decimal],
    credited: Mapping[LineId, Decimal],
    credited_tax: Decimal,
) -> list[CreditNoteLine]:
    """The lines of a note that takes back `wanted` before tax, or all that is left when nothing is named.

    `credited` is what earlier notes took back of each line, `credited_tax` their tax together. Raises
    CreditNoteExceedsLineError.

    The tax is counted over all notes of the invoice: up to this one, they give back the share of the invoice's tax
    that their amounts are of its subtotal, rounded once; this note gives back what earlier ones did not. So it is at
    the original rate, roundings do not add up, and the last note takes exactly the rest.
    """
    left = {
        line_id: amount - credited.get(line_id, _ZERO)
        for line_id, amount in creditable(invoice).items()
    }
    amounts = wanted or {line_id: rest for line_id, rest in left.items() if rest}
    for line_id, amount in amounts.items():
        if amount > left.get(line_id, _ZERO):
            raise CreditNoteExceedsLineError(line_id, left.get(line_id, _ZERO), invoice.currency)
    if not amounts:
        return []
    before, now = sum(credited.values(), _ZERO), sum(amounts.values(), _ZERO)
    tax = _tax_of(invoice, before + now) - credited_tax
    taxes = Money(currency=invoice.currency, amount=tax).split(list(amounts.values()))
    return [
        CreditNoteLine(invoice_line_id=line_id, amount=amount, tax_amount=part.amount)
        for (line_id, amount), part in zip(amounts.items(), taxes, strict=True)
    ]


def _tax_of(invoice: Invoice, amount: Decimal) -> Decimal:
    """The invoice's tax on the part `amount` of its subtotal."""
    if amount == invoice.subtotal:
        return invoice.tax_amount
    share, _ = Money(currency=invoice.currency, amount=invoice.tax_amount).split(
        [amount, invoice.subtotal - amount]
    )
    return share.amount
