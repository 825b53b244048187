"""Changes a subscription, now or when its time comes: the one way to a new version of its terms (SUB-3 to SUB-6).

A command and a scheduled change that is due go through the same code, and so does a preview: what it shows is done and
undone again. Billing is told by the schedule and the versions; it makes the invoice afterwards, in the same
transaction where one is wanted at once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.price import Price
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.merchant import read as merchant
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import read, schedule_store, scheduled_store
from .carry_out_change import carry_out
from .change import (
    BillingParkedError,
    Change,
    Changed,
    ChangeSubscription,
    PreviewStaleError,
    ScheduledChange,
    ScheduledChangeId,
    ScheduledStatus,
    SubscriptionVersionMismatchError,
    TrialEnd,
)
from .keep_for_later import check_possible, keep_for_later
from .migration import MoveTiming
from .model import (
    Proration,
    Status,
    Subscription,
    SubscriptionId,
)
from .next_version import usual_proration_of, usual_timing_of
from .rules.lifecycle import check_running
from .rules.reschedule import ENDED
from .rules.schedule import began_between, current_period


async def change_subscription(tx: Tx, clock: Clock, command: ChangeSubscription) -> Changed:
    """The subscription after the change, or with the change planned where its time lies ahead.

    What would change nothing makes no version. Raises SubscriptionNotFoundError, SubscriptionVersionMismatchError,
    TransitionRefusedError, PreviewStaleError, BillingParkedError, and what the change's own file says.
    """
    held, test_clock_id, now = await take(tx, clock, command.subscription_id)
    if command.expected_version not in (None, held.version.number):
        raise SubscriptionVersionMismatchError(command.expected_version or 0, held.version.number)
    change = command.change
    price = await catalog.get_price(tx, held.version.price_id)
    at = command.pinned_at or now
    # The clock of the process that showed it may be a little ahead.
    now = max(now, at)
    if at < now and began_between(held, price, at, now):
        raise PreviewStaleError("a period has begun since")
    match command.timing or usual_timing_of(held, change):
        case MoveTiming.NOW:
            pass
        case MoveTiming.AT:
            if command.effective_at is None:
                raise InvalidInput("must be set for EFFECTIVE_TIME_AT", field="effective_at")
            at = max(command.effective_at, at)
        case MoveTiming.PERIOD_END:
            at = await _end_of_period(tx, held, price, at)
    proration = command.proration or await _usual_proration(tx, price, change)
    actor = tx.caller.actor if tx.caller else "system"
    if at > now:
        terms = await check_possible(tx, held, change, at)
        planned = await keep_for_later(
            tx,
            held,
            ScheduledChange(
                id=ScheduledChangeId(new_id("sch")),
                subscription_id=held.id,
                test_clock_id=test_clock_id,
                status=ScheduledStatus.PENDING,
                due_at=at,
                change=change,
                proration=proration,
                reason=command.reason,
                actor=actor,
                outcome="",
                created_at=now,
            ),
        )
        return replace(planned, terms=terms)
    changed = await carry_out(
        tx,
        held,
        change,
        at=max(at, held.version.valid_from),
        now=now,
        proration=proration,
        reason=command.reason,
        actor=actor,
        test_clock_id=test_clock_id,
    )
    await _check_not_parked(tx, changed)
    return changed


async def _check_not_parked(tx: Tx, changed: Changed) -> None:
    """Raises BillingParkedError where an invoice is asked for at once that nobody would make.

    An end is never refused: what it owes is invoiced after the release.
    """
    held = changed.subscription
    if not changed.settles_now or held.version.status in ENDED:
        return
    parked = await schedule_store.parked_since(tx, [held.id])
    if parked:
        raise BillingParkedError(held, parked[held.id])


async def carry_out_scheduled(tx: Tx, planned: ScheduledChange, *, now: datetime) -> Changed:
    """Does what was planned, at the instant that it was planned for; the subscription must be locked.

    What has changed since counts: the change is made to the terms in force now. Raises as change_subscription.
    """
    held = await read.get_subscription(tx, planned.subscription_id)
    price = await catalog.get_price(tx, held.version.price_id)
    await scheduled_store.end_scheduled(tx, planned.id, ScheduledStatus.APPLIED, "")
    return await carry_out(
        tx,
        held,
        planned.change,
        at=max(planned.due_at, held.version.valid_from),
        now=now,
        proration=planned.proration or await _usual_proration(tx, price, planned.change),
        reason=planned.reason,
        actor=planned.actor,
        test_clock_id=planned.test_clock_id,
    )


async def take(
    tx: Tx, clock: Clock, subscription_id: SubscriptionId
) -> tuple[Subscription, TestClockId | None, datetime]:
    """The subscription, held until the transaction ends, and its customer's clock and present."""
    await schedule_store.lock_subscription(tx, subscription_id)
    held = await read.get_subscription(tx, subscription_id)
    holder = await customer.get_customer(tx, CustomerById(held.customer_id))
    now = (await customer.customer_clock(tx, clock, holder)).now()
    return held, holder.test_clock_id, now


async def _usual_proration(tx: Tx, price: Price, change: Change) -> Proration:
    """What becomes of a cut period that nobody decided about, by the merchant's settings of now."""
    seller = await merchant.get_merchant(tx)
    return usual_proration_of(price, change, Proration(seller.settings.proration))


async def _end_of_period(tx: Tx, held: Subscription, price: Price, at: datetime) -> datetime:
    """When the current period ends; of a trial, when that does. Raises TransitionRefusedError."""
    if held.version.status is Status.INCOMPLETE:
        return at
    check_running(held.version.status)
    if held.version.status is Status.TRIALING:
        for planned in await scheduled_store.list_pending(tx, held.id):
            if isinstance(planned.change, TrialEnd):
                return planned.due_at
    period = current_period(held, price, at)
    return period.end_at if period else held.anchor_at
