"""Gives back, by credit notes, the days that an ended subscription had paid for and no invoice can bear (SUB-6).

While a subscription goes on, its next invoice bears what a change gives back. After its end there is none. So what is
left is taken off the invoices that charged for it: off what is due of an unpaid one, and from a paid one it goes to the
customer's account. What is on a draft waits until that is finalized.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from .bill_periods import REMEMBERED, Context, read_context
from .create_credit_note import make_credit_note
from .credit_note import CreditNote, CreditNoteReason, Purpose
from .draw_up_credit_note import CreateCreditNote, draw_up
from .model import Invoice, InvoiceId, InvoiceLine, InvoiceStatus, LineId, LineKind
from .read import get_invoice
from .rules.credited import creditable
from .rules.cut_commitment import CutCommitment, is_true_up_of, least_of
from .rules.cut_period import lines_of_cut
from .settle_commitments import counts

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
    invoices: dict[InvoiceId, Invoice] = {}
    while True:
        seen = await look_at_cuts(tx, context, ended, now=now) if ended else {}
        final = {
            one.invoice_id
            for one_id, some in seen.items()
            if _left(some, _bounds(context, one_id, some, now))
            for one in some.billed
            if not one.is_draft
        }
        if final <= invoices.keys():
            break
        # Two drafts of one subscription may be finalized at once: whoever is second looks again and sees the first
        # one's notes. Drafts are never waited for, because their finalization waits here.
        for invoice_id in sorted(final - invoices.keys()):
            invoices[invoice_id] = await get_invoice(tx, invoice_id, lock=True)
    if not final:
        return []
    credited = {
        one_id: (await credit_note_store.sum_credited(tx, one_id))[0] for one_id in invoices
    }
    notes = []
    for subscription_id, one in seen.items():
        left = _left(one, _bounds(context, subscription_id, one, now))
        for back in _shares(one, left, invoices, credited):
            # As it is after the notes before this one.
            invoice = await get_invoice(tx, back.invoice_id)
            drawn_up = await draw_up(
                tx,
                invoice,
                CreateCreditNote(
                    invoice_id=invoice.id,
                    lines=back.amounts,
                    purpose=_PURPOSES[invoice.status],
                    reason=CreditNoteReason.ORDER_CANCELLATION,
                    memo=back.memo[:_MEMO],
                    unused_days_of=back.days_of,
                ),
                at=now,
            )
            notes.append(await make_credit_note(tx, drawn_up))
    return notes


def amounts_of_notes(notes: Sequence[CreditNote]) -> list[str]:
    """What each line of the notes comes to, so that two lots of them can be compared; by what they say."""
    return [
        f"{note.purpose} {note.memo} {line.amount} {line.tax_amount} {note.currency}"
        for note in notes
        for line in note.lines
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Back:
    """What is given back of an invoice for days of one line."""

    invoice_id: InvoiceId
    amounts: dict[LineId, Money]
    days_of: LineId
    memo: str


def _gives_back(line: InvoiceLine) -> bool:
    return line.kind is LineKind.PRORATION and line.amount < 0


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


@dataclass(slots=True)
class _Bound:
    """How much more can be given back of what counts for a commitment: what its days cost at least is kept."""

    commitment: CutCommitment
    left: Decimal


def _bounds(
    context: Context, subscription_id: SubscriptionId, seen: SeenCuts, now: datetime
) -> list[_Bound]:
    lines = [one.line for one in seen.billed]
    found = []
    for one in context.cut_commitments(subscription_id, now - REMEMBERED):
        history = context.terms_of(subscription_id)
        least, _ = least_of(one, history, seen.history[-1].time_zone)
        made_up = sum((line.amount for line in lines if is_true_up_of(line, one)), _ZERO)
        given = sum(
            (
                seen.credited[line.id].for_days
                for line in lines
                if line.id in seen.credited and counts(one, line)
            ),
            _ZERO,
        )
        charges = one.charges(lines)
        found.append(_Bound(one, max(charges + made_up - given - least.amount, _ZERO)))
    return found


@dataclass(frozen=True, slots=True)
class _Left:
    """What of a cut period is to be given back: for days of which line, which lines billed it, how much, and why."""

    days_of: LineId
    own: frozenset[LineId]
    amount: Decimal
    memo: str


def _left(seen: SeenCuts, bounds: Sequence[_Bound]) -> list[_Left]:
    """What of each cut period is to be given back.

    What other cut periods still cost is taken off: no invoice was made that only gives back. A period that is on drafts
    alone has to wait for them.
    """
    differences = seen.differences()
    left = -sum((line.amount for _, line in differences), _ZERO)
    found = []
    for cut, line in differences:
        own = [
            one.line for one in seen.billed if not one.is_draft and lines_of_cut(cut, [one.line])
        ]
        if not own:
            continue
        bounding = [one for one in bounds if counts(one.commitment, own[0])]
        amount = min(-line.amount, left, *(one.left for one in bounding))
        if amount <= 0:
            continue
        left -= amount
        for one in bounding:
            one.left -= amount
        found.append(_Left(own[0].id, frozenset(each.id for each in own), amount, line.description))
    return found


def _shares(
    seen: SeenCuts,
    left: Sequence[_Left],
    invoices: Mapping[InvoiceId, Invoice],
    credited: Mapping[InvoiceId, Mapping[LineId, Decimal]],
) -> list[_Back]:
    """What is taken off which invoice, the latest first, which is paid last.

    What charged for the days bears it; and, as far as an earlier change gave back on the very invoice that charged for
    them, what had been charged for what it gave back, because that paid for these days. What promotional credit paid
    for, or nobody, does not come back.
    """
    by_id = {one_id: one for one_id, one in invoices.items() if one.status in _PURPOSES}
    left_of = {
        line_id: amount - credited[one.id].get(line_id, _ZERO)
        for one in by_id.values()
        for line_id, amount in creditable(one).items()
    }
    given_there = {
        one.id: -sum((line.amount for line in one.lines if _gives_back(line)), _ZERO)
        for one in by_id.values()
    }
    billed = [
        one
        for one in reversed(seen.billed)
        if one.line.component_id is not None and left_of.get(one.line.id, _ZERO) > 0
    ]
    found: list[_Back] = []
    for back in left:
        own, wanted = back.own, back.amount
        amounts: defaultdict[InvoiceId, dict[LineId, Money]] = defaultdict(dict)
        charged_on = {one.invoice_id for one in seen.billed if one.line.id in own} & by_id.keys()
        for one in sorted(billed, key=lambda one: one.line.id not in own):
            given = min(wanted, left_of[one.line.id])
            if one.line.id not in own:
                given = _take(given_there, charged_on, given)
            if given > 0:
                wanted -= given
                left_of[one.line.id] -= given
                currency = by_id[one.invoice_id].currency
                amounts[one.invoice_id][one.line.id] = Money(currency=currency, amount=given)
        found += [
            _Back(invoice_id=one_id, amounts=some, days_of=back.days_of, memo=back.memo)
            for one_id, some in amounts.items()
        ]
    return found
