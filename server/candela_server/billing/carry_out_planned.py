"""Makes the planned changes that come before a subscription's next invoice, for who only looks at that (INV-5, SUB-5).

By the code of the run, in the order of time and at their own instants: a cancellation, seats that go at the period's
end, a trial that becomes its plan, a beginning that lies ahead. The caller must roll back.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.kernel.errors import CandelaError
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read_schedule
from candela_server.subscription.change import ScheduledChange
from candela_server.subscription.change_subscription import carry_out_scheduled
from candela_server.subscription.claim_due import hold
from candela_server.subscription.model import SubscriptionId

from .give_back_days import give_back_after
from .model import Invoice
from .run_changes import bill_change


async def carry_out_planned(
    tx: Tx,
    events: EventStore,
    subscription_id: SubscriptionId,
    *,
    now: datetime,
    through: ScheduledChange | None = None,
) -> Invoice | None:
    """Makes what is planned as long as nothing is due before it, and returns the invoice of a change that is billed at
    once: then that one comes next.

    `through`, and all that is planned before it, is made even if something is due earlier: as if its time had come.
    Raises what that raises; another one that is refused will be so at its time, too, and stops nobody.
    """
    while pending := await read_schedule.list_pending(tx, subscription_id):
        planned = pending[0]
        is_last = through is not None and planned.id == through.id
        awaited = through is not None and any(one.id == through.id for one in pending)
        due = await read_schedule.list_next_due(tx, subscription_id)
        if due and due[0].due_at < planned.due_at and not awaited:
            return None
        await hold(tx, subscription_id)
        try:
            changed = await carry_out_scheduled(tx, planned, now=max(now, planned.due_at))
        except CandelaError:
            if is_last:
                raise
            continue
        made = await bill_change(tx, events, changed)
        await give_back_after(tx, changed)
        if made and (is_last or not awaited):
            return made[0]
    return None
