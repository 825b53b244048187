"""Makes the scheduled changes of subscriptions that are due, in the order of time, and bills them (SUB-5).

One transaction each: what cannot be done any more is noted with its reason and stops nobody else. A change counts from
the instant it was planned for, however late that is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from candela_server.kernel.errors import CandelaError, Unavailable
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.change import Changed, ScheduledChange
from candela_server.subscription.change_subscription import carry_out_scheduled
from candela_server.subscription.claim_changes import claim_change, note_failure
from candela_server.subscription.start_subscription import is_start

from .count_ended_before import count_ended_before
from .count_used_before import count_used_before
from .draw_unpriced import draw_cut_off
from .give_back_days import amounts_of_notes, give_back_after
from .model import Invoice
from .pass_by_failures import Attempt, Passing
from .settle_change import settle_change

log = structlog.get_logger("candela.billing")


async def run_changes(
    events: EventStore, passing: Passing, *, now: datetime, test_clock_id: TestClockId | None
) -> int:
    """Makes the changes that are due at `now`; returns how many were decided.

    What breaks is passed by; what is refused for a reason has failed for good.
    """

    count = 0
    while await _run_one(events, passing, now, test_clock_id):
        count += 1
    return count


async def bill_change(tx: Tx, events: EventStore, changed: Changed) -> list[Invoice]:
    """The invoices of a change that is billed at once; none of one that is not.

    Usage that costs nothing is drawn for the part of the period that any change cuts off (CRD-8), and what the period
    used counts against what another plan brings for it (ENT-4).
    """
    if changed.at is not None:
        await draw_cut_off(tx, events, changed)
        await count_used_before(tx, events, changed)
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


class _RefusedError(Exception):
    """A change that cannot be done any more, so that nothing of it is kept."""

    def __init__(self, planned: ScheduledChange, error: CandelaError) -> None:
        super().__init__(error.message)
        self.planned = planned
        self.outcome = f"{error.reason}: {error.message}"[:500]


async def _run_one(
    events: EventStore, passing: Passing, now: datetime, test_clock_id: TestClockId | None
) -> bool:
    async def make(tx: Tx, attempt: Attempt) -> bool:
        planned = await claim_change(
            tx, until=now, test_clock_id=test_clock_id, passing_by=attempt.passing_by
        )
        if planned is None:
            return False
        attempt.took = [planned.id]
        try:
            changed = await carry_out_scheduled(tx, planned, now=now)
        except Unavailable:
            raise
        except CandelaError as error:
            raise _RefusedError(planned, error) from error
        if is_start(planned):
            await count_ended_before(tx, events, changed.subscription, now=changed.now)
        # What fails here is no refusal of the change: its customer cannot be billed now.
        await settle(tx, events, changed)
        return True

    async def note(tx: Tx, _attempt: Attempt) -> bool:
        await note_failure(tx, refused.planned, refused.outcome)
        return True

    try:
        return await passing.do(make, lets_out=_RefusedError)
    except _RefusedError as error:
        refused = error
        log.warning(
            "scheduled_change_failed", scheduled_change_id=error.planned.id, reason=error.outcome
        )
        return await passing.do(note)
