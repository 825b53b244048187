"""Shows the credit notes that come after a subscription's next invoice: what that cannot bear of usage taken back, and,
after an end, of days (EVT-4, SUB-6).

Made by the code that makes invoices and notes, of invoices that are final for who looks. The caller must roll back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.kernel.clock import Clock
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription import read_schedule
from candela_server.subscription.claim_due import hold
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.rules.reschedule import ENDED

from . import credit_note_store, store, taken_back_store
from .bill_due import bill, bill_rest
from .carry_out_planned import MAX_INVOICES
from .credit_note import CreditNote, CreditNoteId
from .give_back_usage import give_back_usage
from .model import Invoice
from .pass_grace import pass_grace
from .rules.late_usage import leaves_something


async def preview_given_back(
    tx: Tx,
    events: EventStore,
    clock: Clock,
    subscription_id: SubscriptionId,
    next_invoice: Invoice | None,
) -> Sequence[CreditNote]:
    """The notes after `next_invoice`, which is as preview_next_invoice has shown it just before; after an end, all that
    are still to come.
    """
    held = await subscription.get_subscription(tx, subscription_id)
    has_ended = held.version.status in ENDED
    if not has_ended and (next_invoice is None or not leaves_something(next_invoice.lines)):
        return []
    holder = await customer.get_customer(tx, CustomerById(held.customer_id))
    now = (await customer.customer_clock(tx, clock, holder)).now()
    await hold(tx, subscription_id)
    before = await taken_back_store.list_notes(tx, subscription_id)
    if next_invoice is not None and await store.find_invoice(tx, next_invoice.id) is None:
        many = MAX_INVOICES if has_ended else 1
        now = await _bill(tx, events, subscription_id, now, holder.test_clock_id, many)
    now = max(now, await pass_grace(tx, events, subscription_id) or now)
    if has_ended:
        await bill_rest(tx, events, [subscription_id], now=now, test_clock_id=holder.test_clock_id)
    await give_back_usage(
        tx, events, [subscription_id], now=now, test_clock_id=holder.test_clock_id
    )
    return [
        as_shown(note)
        for one_id in await taken_back_store.list_notes(tx, subscription_id)
        if one_id not in before and (note := await credit_note_store.find_credit_note(tx, one_id))
    ]


def as_shown(note: CreditNote) -> CreditNote:
    """A note as it would be before it is made: a number is nobody's until then."""
    return replace(note, id=CreditNoteId(""), number="")


async def _bill(
    tx: Tx,
    events: EventStore,
    subscription_id: SubscriptionId,
    now: datetime,
    test_clock_id: TestClockId | None,
    many: int,
) -> datetime:
    """Bills so many invoices of what is due next, at their time; returns the last one's."""
    for _ in range(many):
        due = await read_schedule.list_next_due(tx, subscription_id)
        if not due:
            break
        now = max(now, due[0].due_at)
        await bill(tx, events, due, now=now, test_clock_id=test_clock_id)
    return now
