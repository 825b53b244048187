"""Gives back, by credit notes, the days that an ended subscription had paid for and no invoice can bear (SUB-6).

While a subscription goes on, its next invoice bears what a change gives back. After its end there is none. So what is
left is taken off the invoices that charged for it. What is on a draft waits until that is finalized.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.storage.postgres import Tx
from candela_server.subscription.change import Changed
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.rules.reschedule import ENDED

from .bill_changed_periods import SeenCuts, look_at_cuts
from .billed_before import REMEMBERED
from .billing_context import Context, read_context
from .credit_note import CreditNote
from .give_back import give_back, lock_invoices, read_credited
from .model import Invoice, InvoiceId
from .rules.cut_commitment import CutCommitment, is_true_up_of
from .rules.cut_period import lines_of_cut
from .rules.give_back import Owed
from .rules.settle_cut_commitment import least_of
from .settle_commitments import counts

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
            if _left(some, bounds_of(context, one_id, some, now))
            for one in some.billed
            if not one.is_draft
        }
        if final <= invoices.keys():
            break
        # Two drafts of one subscription may be finalized at once: whoever is second looks again and sees the first
        # one's notes. Drafts are never waited for, because their finalization waits here.
        await lock_invoices(tx, final, invoices)
    if not final:
        return []
    credited = await read_credited(tx, invoices)
    notes = []
    for subscription_id, one in seen.items():
        left = _left(one, bounds_of(context, subscription_id, one, now))
        notes += await give_back(tx, one.billed, left, invoices, credited, now=now)
    return notes


def amounts_of_notes(notes: Sequence[CreditNote]) -> list[str]:
    """What each line of the notes comes to, so that two lots of them can be compared; by what they say."""
    return [
        f"{note.purpose} {note.memo} {line.amount} {line.tax_amount} {note.currency}"
        for note in notes
        for line in note.lines
    ]


@dataclass(slots=True)
class Bound:
    """How much more can be given back of what counts for a commitment: what its days cost at least is kept."""

    commitment: CutCommitment
    left: Decimal


def bounds_of(
    context: Context, subscription_id: SubscriptionId, seen: SeenCuts, now: datetime
) -> list[Bound]:
    """Of each commitment that the subscription's changes cut or ended, how much can be given back."""
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
        found.append(Bound(one, max(charges + made_up - given - least.amount, _ZERO)))
    return found


def _left(seen: SeenCuts, bounds: Sequence[Bound]) -> list[Owed]:
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
        found.append(
            Owed(
                of=own[0].id,
                own=frozenset(each.id for each in own),
                amount=amount,
                memo=line.description,
            )
        )
    return found
