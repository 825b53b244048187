"""Gives back, by credit notes, the days that an ended subscription had paid for and no invoice can bear (SUB-6).

While a subscription goes on, its next invoice bears what a change gives back. After its end there is none. So what is
left is taken off the invoices that charged for it: off what is due of an unpaid one, and from a paid one it goes to the
customer's account. What is on a draft waits until that is finalized.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from candela_server.kernel.money import Money
from candela_server.storage.postgres import Tx
from candela_server.subscription.change import Changed
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.rules.reschedule import ENDED

from . import credit_note_store
from .bill_changed_periods import SeenCuts, look_at_cuts
from .bill_periods import Context, read_context
from .create_credit_note import make_credit_note
from .credit_note import CreditNote, CreditNoteReason, Purpose
from .draw_up_credit_note import CreateCreditNote, draw_up
from .model import Invoice, InvoiceId, InvoiceStatus, LineId
from .read import get_invoice
from .rules.credited import creditable
from .rules.cut_period import Cut, lines_of_cut

_PURPOSES: Final = {
    InvoiceStatus.FINALIZED: Purpose.REDUCE_DUE,
    InvoiceStatus.PAID: Purpose.CREDIT_BALANCE,
}
_MEMO: Final = 500
_ZERO = Decimal(0)


async def give_back_after(tx: Tx, changed: Changed) -> list[CreditNote]:
    """The notes of a change, once it is billed: none unless it ended the subscription, which must be locked."""
    held = changed.subscription
    if changed.at is None or held.version.status not in ENDED:
        return []
    context = await read_context(tx, [held.id], until=changed.now)
    return await give_back_days(tx, context, [held.id], now=changed.now)


async def give_back_days(
    tx: Tx, context: Context, ids: Iterable[SubscriptionId], *, now: datetime
) -> list[CreditNote]:
    """The notes of those of these subscriptions that have ended; none when nothing is left to give back."""
    ended = [
        one_id
        for one_id in sorted(set(ids))
        if context.subscriptions[one_id].version.status in ENDED
    ]
    seen = await look_at_cuts(tx, context, ended, now=now) if ended else {}
    invoices = sorted({found for one in seen.values() for found in _invoices(one)})
    if not invoices:
        return []
    # Two drafts of one subscription may be finalized at once: whoever is second sees the first one's notes.
    locked = [await get_invoice(tx, invoice_id, lock=True) for invoice_id in invoices]
    seen = await look_at_cuts(tx, context, ended, now=now)
    notes = []
    for one in seen.values():
        for invoice, amounts, memo in await _shares(tx, one, locked):
            drawn_up = await draw_up(
                tx,
                invoice,
                CreateCreditNote(
                    invoice_id=invoice.id,
                    lines=amounts,
                    purpose=_PURPOSES[invoice.status],
                    reason=CreditNoteReason.ORDER_CANCELLATION,
                    memo=memo,
                    for_unused_days=True,
                ),
                at=now,
            )
            notes.append(await make_credit_note(tx, drawn_up))
    return notes


def amounts_of_notes(notes: Sequence[CreditNote]) -> list[str]:
    """What each line of the notes comes to, so that two lots of them can be compared."""
    return [
        f"{note.purpose} {line.invoice_line_id} {line.amount} {line.tax_amount} {note.currency}"
        for note in notes
        for line in note.lines
    ]


def _left(seen: SeenCuts) -> list[tuple[Cut, Decimal, str]]:
    """What of each cut period is to be given back, and how that comes about.

    What other cut periods still cost is taken off: no invoice was made that only gives back.
    """
    differences = seen.differences()
    left = -sum((line.amount for _, line in differences), _ZERO)
    found = []
    for cut, line in differences:
        amount = min(-line.amount, left)
        if amount > 0:
            left -= amount
            found.append((cut, amount, line.description))
    return found


def _invoices(seen: SeenCuts) -> set[InvoiceId]:
    """The final invoices that charged for what is to be given back."""
    cuts = [cut for cut, *_ in _left(seen)]
    return {
        one.invoice_id
        for one in seen.billed
        if not one.is_draft
        and one.line.amount > 0
        and any(lines_of_cut(cut, [one.line]) for cut in cuts)
    }


async def _shares(
    tx: Tx, seen: SeenCuts, invoices: Sequence[Invoice]
) -> list[tuple[Invoice, dict[LineId, Money], str]]:
    """How much of which lines of which invoices; the latest first, which is paid last."""
    amounts: defaultdict[InvoiceId, dict[LineId, Money]] = defaultdict(dict)
    memos: defaultdict[InvoiceId, list[str]] = defaultdict(list)
    by_id = {one.id: one for one in invoices if one.status in _PURPOSES}
    left_of: dict[LineId, Decimal] = {}
    for invoice in by_id.values():
        credited, _ = await credit_note_store.sum_credited(tx, invoice.id)
        for line_id, amount in creditable(invoice).items():
            left_of[line_id] = amount - credited.get(line_id, _ZERO)
    for cut, wanted, memo in _left(seen):
        for one in reversed(seen.billed):
            if one.invoice_id not in by_id or not lines_of_cut(cut, [one.line]):
                continue
            given = min(wanted, left_of.get(one.line.id, _ZERO))
            if given <= 0:
                continue
            wanted -= given
            left_of[one.line.id] -= given
            currency = by_id[one.invoice_id].currency
            amounts[one.invoice_id][one.line.id] = Money(currency=currency, amount=given)
            memos[one.invoice_id].append(memo)
    return [
        (by_id[one_id], some, "; ".join(memos[one_id])[:_MEMO]) for one_id, some in amounts.items()
    ]
