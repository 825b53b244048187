"""Changes a subscription, now or when its time comes: the one way to a new version of its terms (SUB-3 to SUB-6).

A command and a scheduled change that is due go through the same code, and so does a preview: what it shows is done and
undone again. Billing is told by the schedule and the versions; it makes the invoice afterwards, in the same
transaction where one is wanted at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.catalog.price import Price
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.merchant import read as merchant
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import read, schedule_store, scheduled_store, store, version_store
from .cancel_subscription import cancel_later, is_end
from .change import (
    Cancellation,
    Change,
    Changed,
    ChangeSubscription,
    ComponentSwap,
    Pause,
    PlanChange,
    PreviewStaleError,
    PriceOverride,
    QuantityChange,
    Reactivation,
    Resume,
    ScheduledChange,
    ScheduledChangeId,
    ScheduledStatus,
    Start,
    SubscriptionVersionMismatchError,
    TrialEnd,
)
from .create_subscription import BILLING_DUE
from .follow_seats import check_seats, follow_seats
from .follow_up import follow_up
from .grant_after_change import Sold, are_other_terms, grant_after_change, terms_since
from .migration import MoveTiming
from .model import (
    Proration,
    ScheduledPeriod,
    Status,
    Subscription,
    SubscriptionId,
    SubscriptionVersion,
)
from .next_version import next_version, usual_proration_of, usual_timing_of
from .payable import check_payable
from .rules.lifecycle import check_running
from .rules.reschedule import Held, reschedule
from .rules.schedule import began_between, current_period
from .swap_component import swapped, with_price

_NAMES: dict[type, str] = {
    PlanChange: "plan_changed",
    PriceOverride: "price_overridden",
    QuantityChange: "quantity_changed",
    ComponentSwap: "component_swapped",
    Pause: "paused",
    Resume: "resumed",
    Start: "started",
    Cancellation: "canceled",
    Reactivation: "reactivated",
    TrialEnd: "trial_ended",
}


async def change_subscription(tx: Tx, clock: Clock, command: ChangeSubscription) -> Changed:
    """The subscription after the change, or with the change planned where its time lies ahead.

    What would change nothing makes no version. Raises SubscriptionNotFoundError, SubscriptionVersionMismatchError,
    TransitionRefusedError, PreviewStaleError, and what the change's own file says.
    """
    held, test_clock_id, now = await take(tx, clock, command.subscription_id)
    if command.expected_version not in (None, held.version.number):
        raise SubscriptionVersionMismatchError(command.expected_version or 0, held.version.number)
    change = command.change
    price = await catalog.get_price(tx, held.version.price_id)
    at = command.pinned_at or now
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
        terms = await _check_possible(tx, held, change, at)
        planned = await _plan(
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
    return await _carry_out(
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


async def carry_out_scheduled(tx: Tx, planned: ScheduledChange, *, now: datetime) -> Changed:
    """Does what was planned, at the instant that it was planned for; the subscription must be locked.

    What has changed since counts: the change is made to the terms in force now. Raises as change_subscription.
    """
    held = await read.get_subscription(tx, planned.subscription_id)
    price = await catalog.get_price(tx, held.version.price_id)
    await scheduled_store.end_scheduled(tx, planned.id, ScheduledStatus.APPLIED, "")
    return await _carry_out(
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


async def append_without_change(
    tx: Tx, held: Subscription, version: SubscriptionVersion, *, at: datetime, reason: str
) -> Subscription:
    """A version that changes nothing that is granted or billed, such as when it will end."""
    version = replace(
        version,
        number=held.version.number + 1,
        valid_from=max(at, held.version.valid_from),
        valid_to=None,
        reason=reason,
        actor=tx.caller.actor if tx.caller else "system",
    )
    appended = await version_store.append_versions(tx, {held.id: version})
    assert appended == {held.id}, "the subscription is locked"
    return replace(held, version=version)


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


async def _check_possible(
    tx: Tx, held: Subscription, change: Change, at: datetime
) -> SubscriptionVersion | None:
    """What it would lead to today, as far as that has a name. Raises now what would be raised then, as far as that can
    be known; a resumption follows a pause that may come."""
    if isinstance(change, Resume):
        return None
    if isinstance(change, ComponentSwap):
        # A price of its own is made only once it is held.
        old, new = await swapped(tx, held, change)
        after = replace(held, version=with_price(held, old, new))
        await check_seats(tx, held, old, after, new, at=at)
        return None
    version = await next_version(tx, held, change, at=at)
    prices = await catalog.get_prices(tx, [held.version.price_id, version.price_id])
    old, new = prices[held.version.price_id], prices[version.price_id]
    check_payable(replace(held, version=version), new)
    await check_seats(tx, held, old, replace(held, version=version), new, at=at)
    return version


async def _plan(tx: Tx, held: Subscription, planned: ScheduledChange) -> Changed:
    """Keeps the change for its time. A cancellation takes the place of an earlier one, and shows on the version."""
    if is_end(planned):
        earlier = [one for one in await scheduled_store.list_pending(tx, held.id) if is_end(one)]
        outcome = f"replaced by {planned.id}"
        await scheduled_store.call_off(tx, [one.id for one in earlier], outcome)
    await scheduled_store.insert_scheduled(tx, planned)
    before = held
    if is_end(planned):
        held = await append_without_change(
            tx,
            held,
            cancel_later(held, planned.due_at),
            at=planned.created_at,
            reason=planned.reason,
        )
    await tx.audit(
        "subscription.change_scheduled",
        held.id,
        before={"version": before.version.number, "cancel_at": before.version.cancel_at},
        after={
            "version": held.version.number,
            "scheduled_change_id": planned.id,
            "change": _NAMES[type(planned.change)],
            "due_at": planned.due_at,
        },
        reason=planned.reason or None,
    )
    return Changed(
        subscription=held,
        at=None,
        now=planned.created_at,
        proration=planned.proration or Proration.NEXT_INVOICE,
        test_clock_id=planned.test_clock_id,
        scheduled=planned,
    )


async def _carry_out(
    tx: Tx,
    held: Subscription,
    change: Change,
    *,
    at: datetime,
    now: datetime,
    proration: Proration,
    reason: str,
    actor: str,
    test_clock_id: TestClockId | None,
) -> Changed:
    version = await next_version(tx, held, change, at=at)
    action = f"subscription.{_NAMES[type(change)]}"
    if version == held.version:
        same = _trace(version)
        await tx.audit(action, held.id, before=same, after=same, reason=reason or None)
        return Changed(
            subscription=held,
            at=None,
            now=now,
            proration=proration,
            test_clock_id=test_clock_id,
            terms=version,
        )
    keys = [_key(held), _key(replace(held, version=version))]
    offers = await catalog.get_offers(tx, keys)
    before_offer, after_offer = (offers[key] for key in keys)
    if are_other_terms(before_offer, after_offer):
        version = replace(version, terms_since=await terms_since(tx, held, at))
    after = replace(
        held,
        anchor_at=version.anchor_at or held.anchor_at,
        version=replace(
            version,
            number=held.version.number + 1,
            valid_from=at,
            valid_to=None,
            reason=reason,
            actor=actor,
            proration=proration,
        ),
    )
    check_payable(after, after_offer.price)
    await check_seats(tx, held, before_offer.price, after, after_offer.price, at=at)
    appended = await version_store.append_versions(tx, {held.id: after.version})
    assert appended == {held.id}, "the subscription is locked"
    await follow_seats(tx, held, before_offer.price, after, after_offer.price, at=at)
    gone = await _reschedule(tx, held, before_offer, after, after_offer, at, test_clock_id)
    await grant_after_change(
        tx,
        Sold(held=held, offer=before_offer),
        Sold(held=after, offer=after_offer),
        at=at,
        now=now,
        test_clock_id=test_clock_id,
    )
    await follow_up(tx, after, change, now=now, actor=actor, test_clock_id=test_clock_id)
    await tx.audit(
        action,
        held.id,
        before=_trace(held.version),
        after=_trace(after.version),
        reason=reason or None,
    )
    await tx.entitlements_changed(held.customer_id)
    await tx.announce(BILLING_DUE, held.id, {"test_clock_id": test_clock_id})
    return Changed(
        subscription=after,
        at=at,
        now=now,
        proration=proration,
        test_clock_id=test_clock_id,
        # The price of a swap is made with it, and is another one each time it is shown.
        terms=None if isinstance(change, ComponentSwap) else after.version,
        gone=gone,
    )


async def _reschedule(
    tx: Tx,
    before: Subscription,
    before_offer: Offer,
    after: Subscription,
    after_offer: Offer,
    at: datetime,
    test_clock_id: TestClockId | None,
) -> Sequence[ScheduledPeriod]:
    made = reschedule(
        Held(subscription=before, price=before_offer.price),
        Held(subscription=after, price=after_offer.price),
        await schedule_store.list_schedule(tx, before.id),
        at=at,
        at_once=after.version.proration is Proration.INVOICE_NOW,
        test_clock_id=test_clock_id,
    )
    await store.delete_schedule(tx, made.gone)
    await store.insert_schedule(tx, made.fresh)
    return made.gone


def _key(held: Subscription) -> catalog.OfferKey:
    return held.version.plan_version_id, held.version.price_id


def _trace(version: SubscriptionVersion) -> dict[str, object]:
    return {
        "version": version.number,
        "status": version.status,
        "plan_version_id": version.plan_version_id,
        "price_id": version.price_id,
        "quantities": dict(version.quantities),
        "cancel_at": version.cancel_at,
        "anchor_at": version.anchor_at,
        "proration": version.proration,
    }
