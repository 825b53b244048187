"""Settles what threshold invoices billed too much or too little, once their period is billed (INV-6).

Usage may have been taken back since, or become cheaper: what the period's own invoice could not take off is given back
by credit notes on the invoices that billed it ahead, which lower what is due of them, or go to the customer's account.
What is owed again, because one of them was voided after its period was billed, is on the subscription's next invoice;
after its end there is none, so it goes on an invoice of its own.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal

from candela_server.kernel.money import Money
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.claim_due import hold
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.rules.reschedule import ENDED

from . import credit_note_store, threshold_store
from .bill_due import bill_rest
from .create_credit_note import make_credit_note
from .credit_note import CreditNoteReason
from .draw_up_credit_note import CreateCreditNote, draw_up
from .model import LineId
from .one_by_one import one_by_one
from .read import get_invoice
from .rules.credited import creditable
from .rules.give_back import PURPOSES
from .rules.threshold import BilledAhead, Key

_ZERO = Decimal(0)


async def settle_ahead(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
) -> int:
    """Looks at a merchant's subscriptions; returns how many invoices and credit notes it made.

    In real time one's failure is logged and stops no other; the next look tries it again.
    """
    async with db.reading(merchant_id) as tx:
        found = await threshold_store.list_unsettled(tx, test_clock_id)
    return await one_by_one(
        db,
        merchant_id,
        found,
        lambda tx, one_id: _settle(tx, events, one_id, now, test_clock_id),
        passes_by=test_clock_id is None,
        failure="threshold_not_settled",
    )


async def _settle(
    tx: Tx,
    events: EventStore,
    one_id: SubscriptionId,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> int:
    await hold(tx, one_id)
    held = await subscription.get_subscription(tx, one_id)
    if await threshold_store.has_draft(tx, one_id):
        return 0
    count = 0
    ahead = await threshold_store.list_billed_ahead(tx, [one_id])
    if held.version.status in ENDED and any(one.closed and one.ahead.amount < 0 for one in ahead):
        count += len(await bill_rest(tx, events, [one_id], now=now, test_clock_id=test_clock_id))
        if await threshold_store.has_draft(tx, one_id):
            return count
    left = {
        one.ahead.key: one.ahead
        for one in await threshold_store.list_billed_ahead(tx, [one_id])
        if one.closed and one.ahead.amount > 0
    }
    return count + await _give_back(tx, one_id, left, now)


async def _give_back(
    tx: Tx, one_id: SubscriptionId, ahead: dict[Key, BilledAhead], now: datetime
) -> int:
    """Credit notes on the threshold invoices, the latest first, as far as something of them is left to take back."""
    left = {key: one.amount for key, one in ahead.items()}
    count = 0
    for invoice_id in await threshold_store.list_threshold_invoices(tx, one_id):
        if not any(left.values()):
            break
        invoice = await get_invoice(tx, invoice_id, lock=True)
        if invoice.status not in PURPOSES:
            continue
        credited, _ = await credit_note_store.sum_credited(tx, invoice.id)
        room = creditable(invoice)
        amounts: defaultdict[LineId, Decimal] = defaultdict(Decimal)
        for line in invoice.lines:
            if line.component_id is None or line.id not in room:
                continue
            key = (line.component_id, line.period.start_at)
            given = min(left.get(key, _ZERO), room[line.id] - credited.get(line.id, _ZERO))
            if given > 0:
                left[key] -= given
                amounts[line.id] = given
        if not amounts:
            continue
        drawn_up = await draw_up(
            tx,
            invoice,
            CreateCreditNote(
                invoice_id=invoice.id,
                lines={
                    line_id: Money(currency=invoice.currency, amount=amount)
                    for line_id, amount in amounts.items()
                },
                purpose=PURPOSES[invoice.status],
                reason=CreditNoteReason.OTHER,
                memo="Usage that was billed before its period ended and is not owed any more",
            ),
            at=now,
        )
        note = await make_credit_note(tx, drawn_up)
        await threshold_store.insert_given_back(tx, note.id, amounts)
        count += 1
    return count
