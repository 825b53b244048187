"""Makes a change of a locked subscription: its new version, and what follows for schedule, seats, credits (SUB-3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import schedule_store, version_store
from .change import (
    Cancellation,
    Change,
    Changed,
    ComponentSwap,
    Pause,
    PlanChange,
    PriceOverride,
    QuantityChange,
    Reactivation,
    Resume,
    Start,
    TrialEnd,
)
from .create_subscription import BILLING_DUE
from .follow_seats import check_seats, follow_seats
from .follow_up import follow_up
from .grant_after_change import are_other_terms, grant_after_change, terms_since
from .model import (
    Proration,
    ScheduledPeriod,
    Subscription,
    SubscriptionVersion,
)
from .next_version import next_version
from .payable import check_payable
from .rules.reschedule import Held, reschedule
from .rules.sold import Sold

NAMES: dict[type, str] = {
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
"""What the audit trail calls each kind of change."""


async def carry_out(
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
    """The locked subscription after a change that takes effect at `at`; `now` is its customer's present.

    What would change nothing makes no version. Raises what the change's own file says.
    """
    version = await next_version(tx, held, change, at=at)
    action = f"subscription.{NAMES[type(change)]}"
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
    parked = await schedule_store.parked_since(tx, [before.id])
    await schedule_store.delete_schedule(tx, made.gone)
    await schedule_store.insert_schedule(tx, made.fresh)
    if parked:
        # No change releases what a person has to look at.
        await schedule_store.park(tx, [before.id], parked[before.id])
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
