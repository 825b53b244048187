"""Begins a subscription: its first version, its first credits, and what is billed first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.catalog.price import ComponentId, Price, PriceId
from candela_server.catalog.refs import Ref
from candela_server.catalog.rules.not_billable_yet import what_cannot_be_billed
from candela_server.catalog.trial_ending import NewTrialEnding, find_trial_ending
from candela_server.credit.grant_credits import grant_for_periods
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, InvalidInput, Unserved
from candela_server.kernel.ids import new_id
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import schedule_store, store
from .change import PreviewStaleError
from .check_duplicate import check_duplicate
from .end_trial import plan_trial_end
from .model import (
    CollectionMethod,
    Status,
    Subscription,
    SubscriptionId,
    SubscriptionVersion,
)
from .payable import check_payable
from .renew_by_rule import schedule_renewals
from .rules.first_grants import first_grants
from .rules.quantities import new_quantities
from .rules.schedule import began_between, scheduled_period
from .start_subscription import plan_start

BILLING_DUE = "billing_due"
MAX_BACKDATING = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSubscription:
    """Who takes which plan. `seats` holds for every PER_UNIT component that `quantities` does not name.

    `trial_ending` None: what the trial plan says. `pinned_at` is the instant that a preview showed it for: what has no
    `start_at` begins then.
    """

    customer: CustomerRef
    plan: Ref
    price_id: PriceId | None
    currency: str | None
    seats: Decimal | None
    quantities: Mapping[ComponentId, Decimal]
    start_at: datetime | None
    time_zone: str | None
    collection_method: CollectionMethod
    allow_duplicate: bool
    metadata: Mapping[str, str]
    reason: str
    trial_ending: NewTrialEnding | None = None
    preview_token: str = ""
    pinned_at: datetime | None = None


async def create_subscription(tx: Tx, clock: Clock, command: CreateSubscription) -> Subscription:
    """Begins a subscription, active at once or as a trial (SUB-1, SUB-2, TRL-2); its first invoice follows.

    One that begins later waits for it (SUB-5).

    Raises the customer's and the catalog's not-found errors, PlanNotSoldError, DuplicateSubscriptionError, and
    InvalidInput for quantities and starts that cannot be; PreviewStaleError when something fell due since the preview;
    and Unserved for what cannot be billed yet.
    """
    holder = await customer.get_customer_in_business(tx, command.customer, lock=True)
    now = (await customer.customer_clock(tx, clock, holder)).now()
    seen_at = command.pinned_at or now
    # The clock of the process that showed it may be a little ahead.
    now = max(now, seen_at)
    plan, version, price = await catalog.resolve_price(
        tx,
        command.plan,
        price_id=command.price_id,
        currency=command.currency,
        customer_id=holder.id,
    )
    start_at = _checked_start(command.start_at, now) or seen_at
    if not command.allow_duplicate:
        later = start_at if start_at > now else None
        await check_duplicate(tx, holder.id, plan, begins_at=later)
    subscription = Subscription(
        id=SubscriptionId(new_id("sub")),
        customer_id=holder.id,
        currency=price.currency,
        anchor_at=start_at,
        time_zone=command.time_zone or holder.time_zone,
        collection_method=command.collection_method,
        metadata=command.metadata,
        created_at=now,
        version=SubscriptionVersion(
            number=1,
            status=Status.ACTIVE if plan.trial is None else Status.TRIALING,
            plan_id=plan.id,
            plan_version_id=version.id,
            price_id=price.id,
            quantities=new_quantities(price, command.quantities, command.seats),
            valid_from=start_at,
            valid_to=None,
            reason=command.reason,
            actor=tx.caller.actor if tx.caller else "system",
        ),
    )
    offer = await catalog.get_offer(tx, version.id, price.id)
    refused = what_cannot_be_billed(offer)
    if refused is not None:
        raise Unserved(f"a subscription to {refused.what}", refused.spec_ids, field="plan")
    check_payable(subscription, price)
    if seen_at < now and began_between(subscription, price, seen_at, now):
        raise PreviewStaleError("a period has begun since")
    if command.trial_ending is not None and plan.trial is None:
        raise InvalidInput(
            f"must be unspecified: plan {plan.slug!r} is no trial", field="trial_end_behavior"
        )
    ending = plan.trial.ending if plan.trial else None
    if command.trial_ending is not None:
        ending = await find_trial_ending(tx, command.trial_ending)
    if start_at > now:
        waiting = replace(subscription.version, status=Status.INCOMPLETE, valid_from=now)
        subscription = replace(subscription, version=waiting)
        await store.insert_subscription(tx, subscription)
        await plan_start(tx, subscription, ending, holder.test_clock_id, now=now)
    else:
        await store.insert_subscription(tx, subscription)
        await _schedule(tx, subscription, price, holder.test_clock_id)
        if plan.trial is not None and ending is not None:
            await plan_trial_end(tx, subscription, plan.trial, ending, holder.test_clock_id)
        await _grant_first(tx, subscription, offer, holder.test_clock_id, now)
    await tx.audit(
        "subscription.created",
        subscription.id,
        after={
            "customer_id": holder.id,
            "plan_version_id": version.id,
            "price_id": price.id,
            "quantities": dict(subscription.version.quantities),
            "anchor_at": start_at,
            "time_zone": subscription.time_zone,
        },
        reason=command.reason or None,
    )
    await tx.entitlements_changed(holder.id)
    await tx.announce(BILLING_DUE, subscription.id, {"test_clock_id": holder.test_clock_id})
    return subscription


def _checked_start(start_at: datetime | None, now: datetime) -> datetime | None:
    if start_at is None:
        return None
    with FieldViolations() as fields:
        if abs(start_at - now) > MAX_BACKDATING:
            fields.add("start_at", f"must lie at most {MAX_BACKDATING.days} days back or ahead")
        return start_at


async def _schedule(
    tx: Tx, subscription: Subscription, price: Price, test_clock_id: TestClockId | None
) -> None:
    await schedule_store.insert_schedule(
        tx,
        [
            scheduled_period(
                component,
                0,
                subscription_id=subscription.id,
                anchor_at=subscription.anchor_at,
                time_zone=subscription.time_zone,
                test_clock_id=test_clock_id,
            )
            for component in price.components
        ],
    )


async def _grant_first(
    tx: Tx,
    subscription: Subscription,
    offer: Offer,
    test_clock_id: TestClockId | None,
    now: datetime,
) -> None:
    await grant_for_periods(tx, first_grants(subscription, offer), at=now)
    await schedule_renewals(tx, subscription, offer, test_clock_id, after=subscription.anchor_at)
