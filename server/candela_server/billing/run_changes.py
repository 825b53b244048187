"""Makes the scheduled changes of subscriptions that are due, in the order of time, and bills them (SUB-5).

One transaction each: what cannot be done any more is noted with its reason and stops nobody else. A change counts from
the instant it was planned for, however late that is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from candela_server.kernel.errors import CandelaError
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription.change import Changed, ScheduledChange
from candela_server.subscription.change_subscription import carry_out_scheduled
from candela_server.subscription.claim_changes import claim_change, note_failure

from .draw_unpriced import draw_cut_off
from .give_back_days import amounts_of_notes, give_back_after
from .model import Invoice
from .settle_change import settle_change

log = structlog.get_logger("candela.billing")


async def run_changes(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> int:
    """Makes the changes that are due at `now`; returns how many were decided."""
    count = 0
    while await _run_one(db, events, merchant_id, now, test_clock_id):
        count += 1
    return count


async def bill_change(tx: Tx, events: EventStore, changed: Changed) -> list[Invoice]:
    """The invoices of a change that is billed at once; none of one that is not.

    Usage that costs nothing is drawn for the part of the period that any change cuts off (CRD-8).
    """
    if changed.at is not None:
        await draw_cut_off(tx, events, changed)
    if not changed.settles_now:
        return []
    return await settle_change(
        tx,
        events,
        changed.subscription.id,
        now=changed.now,
        test_clock_id=changed.test_clock_id,
    )


async def settle(tx: Tx, events: EventStore, changed: Changed) -> list[str]:
    """Bills a change and gives back what it ends, for who only asks what it comes to."""
    invoices = await bill_change(tx, events, changed)
    return [*amounts_of(invoices), *amounts_of_notes(await give_back_after(tx, changed))]


def amounts_of(invoices: Sequence[Invoice]) -> list[str]:
    """What each line of the invoices comes to, so that two lots of them can be compared.

    By what the line says, because what a change makes anew has another id each time.
    """
    return [
        f"{line.kind} {line.description} {line.period} {line.amount} {invoice.total} {invoice.currency}"
        for invoice in invoices
        for line in invoice.lines
    ]


async def _run_one(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> bool:
    planned: ScheduledChange | None = None
    try:
        async with db.writing(merchant_id) as tx:
            planned = await claim_change(tx, until=now, test_clock_id=test_clock_id)
            if planned is None:
                return False
            await settle(tx, events, await carry_out_scheduled(tx, planned, now=now))
    except CandelaError as error:
        if planned is None:
            raise
        log.warning("scheduled_change_failed", scheduled_change_id=planned.id, reason=error.reason)
        async with db.writing(merchant_id) as tx:
            await note_failure(tx, planned, f"{error.reason}: {error.message}"[:500])
    return True
