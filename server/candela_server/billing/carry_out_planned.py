"""Makes planned changes of a subscription before their time, for who only looks at what comes of them (INV-5, SUB-6).

By the code of the run, in the order of time and at their own instants: a cancellation, seats that go at the period's
end, a trial that becomes its plan, a beginning that lies ahead. The caller must roll back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from candela_server.kernel.errors import CandelaError, Unavailable
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read_schedule
from candela_server.subscription.change import Changed, ScheduledChange
from candela_server.subscription.change_subscription import carry_out_scheduled
from candela_server.subscription.claim_due import hold
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.start_subscription import is_start

from .bill_due import bill
from .count_ended_before import count_ended_before
from .credit_note import CreditNote
from .give_back_days import give_back_after
from .model import Invoice
from .pass_grace import pass_grace
from .run_changes import bill_change

MAX_INVOICES: Final = 60
"""How many invoices are made to see what a change bills after them: five years of months. Of one that lies further
ahead it is shown what it would bill as the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a planned change bills at its time, and what it gives back."""

    invoices: Sequence[Invoice]
    credit_notes: Sequence[CreditNote]


async def carry_out_planned(
    tx: Tx, events: EventStore, subscription_id: SubscriptionId, *, now: datetime
) -> Invoice | None:
    """Makes what is planned as long as nothing is due before it, and returns the invoice of a change that is billed at
    once: then that one comes next. What is refused will be so at its time, too, and stops nobody.
    """
    while pending := await read_schedule.list_pending(tx, subscription_id):
        due = await read_schedule.list_next_due(tx, subscription_id)
        if due and due[0].due_at < pending[0].due_at:
            return None
        await hold(tx, subscription_id)
        made = await _carry_out(tx, events, pending[0], now)
        if made is not None and made.invoices:
            return made.invoices[0]
    return None


async def carry_out_in_time(
    tx: Tx, events: EventStore, planned: ScheduledChange, *, now: datetime
) -> Outcome:
    """Lives through all that is billed and planned until a change's time, with no more usage than there is now, and
    makes it. The subscription must be locked. Raises what the change raises.
    """
    billed = 0
    while True:
        pending = await read_schedule.list_pending(tx, planned.subscription_id)
        if all(one.id != planned.id for one in pending):
            # Called off by one that comes before, such as an end.
            return Outcome(invoices=[], credit_notes=[])
        first = pending[0]
        due = await read_schedule.list_next_due(tx, planned.subscription_id)
        if due and due[0].due_at < first.due_at and billed < MAX_INVOICES:
            billed += 1
            at = max(now, due[0].due_at)
            await bill(tx, events, due, now=at, test_clock_id=planned.test_clock_id)
            continue
        await pass_grace(tx, events, first.subscription_id, until=first.due_at)
        if first.id == planned.id:
            return await _settle(tx, events, await _make(tx, events, first, now))
        await _carry_out(tx, events, first, now)


async def _carry_out(
    tx: Tx, events: EventStore, planned: ScheduledChange, now: datetime
) -> Outcome | None:
    """What comes of a change that somebody planned before; None when it is refused."""
    try:
        changed = await _make(tx, events, planned, now)
    except Unavailable:
        raise
    except CandelaError:
        return None
    return await _settle(tx, events, changed)


async def _make(tx: Tx, events: EventStore, planned: ScheduledChange, now: datetime) -> Changed:
    changed = await carry_out_scheduled(tx, planned, now=max(now, planned.due_at))
    if is_start(planned):
        await count_ended_before(tx, events, changed.subscription, now=changed.now)
    return changed


async def _settle(tx: Tx, events: EventStore, changed: Changed) -> Outcome:
    return Outcome(
        invoices=await bill_change(tx, events, changed),
        credit_notes=await give_back_after(tx, changed),
    )
