"""Sets when a customer's packs are bought by themselves, and buys them (CRD-9).

Guard rails, because money runs away here: one pack in flight, counted by the database; at most so many in a calendar
month, whatever became of them; and none any more, until a person sets it again, after one that will never be paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import structlog

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, Feature
from candela_server.catalog.refs import ById, Ref
from candela_server.credit import read as credit
from candela_server.credit.grant_by_hand import usage_feature
from candela_server.credit.rules.billed_within import before_invoices
from candela_server.credit.rules.parts_over import parts_over
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerById, CustomerRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import local_date, start_of_day
from candela_server.merchant.model import TestClockId
from candela_server.metering.rules.aggregation import parts_add_up
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Subscription
from candela_server.subscription.rules.credits_held import (
    counted_since,
    not_drawn_yet,
    of_period,
    window_of,
)
from candela_server.subscription.rules.lifecycle import RUNNING

from . import top_up_store
from .buy_top_up import TopUpCredits, top_up_credits
from .measure_usage import Ask, measure
from .top_up import AutoTopUp
from .top_up_store import AutoTopUpRow

log = structlog.get_logger("candela.billing")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAutoTopUp:
    """For whom, and the setting as a whole; `feature` None: money, in the price's currency."""

    customer: CustomerRef
    feature: Ref | None
    enabled: bool
    threshold: Decimal
    amount: Decimal
    price: Money
    monthly_cap_count: int


async def update_auto_top_up(tx: Tx, clock: Clock, command: UpdateAutoTopUp) -> AutoTopUp:
    """The setting in force; one that had stopped runs again.

    Raises CustomerNotFoundError, CustomerArchivedError, FeatureNotFoundError, and InvalidInput for a feature that is
    not metered.
    """
    holder = await customer.get_customer_in_business(tx, command.customer, lock=True)
    now = (await customer.customer_clock(tx, clock, holder)).now()
    feature = await usage_feature(tx, command.feature) if command.feature else None
    before = await top_up_store.find_auto_top_up(tx, holder.id, feature.id if feature else None)
    setting = AutoTopUp(
        customer_id=holder.id,
        feature=feature,
        enabled=command.enabled,
        threshold=command.threshold,
        amount=command.amount,
        price=command.price,
        monthly_cap_count=command.monthly_cap_count,
        stopped_reason="",
    )
    await top_up_store.put_auto_top_up(tx, setting, now)
    await tx.audit(
        "auto_top_up.updated",
        holder.id,
        before={"enabled": before.enabled, "stopped_reason": before.stopped_reason}
        if before
        else None,
        after={
            "feature_id": feature.id if feature else None,
            "enabled": setting.enabled,
            "threshold": setting.threshold,
            "amount": setting.amount,
            "price": setting.price.text,
            "currency": setting.price.currency,
            "monthly_cap_count": setting.monthly_cap_count,
        },
    )
    return setting


async def get_auto_top_up(tx: Tx, ref: CustomerRef, feature_ref: Ref | None) -> AutoTopUp | None:
    """The setting, None when there is none. Raises CustomerNotFoundError and FeatureNotFoundError."""
    holder = await customer.get_customer(tx, ref)
    feature = await catalog.get_feature(tx, feature_ref) if feature_ref else None
    row = await top_up_store.find_auto_top_up(tx, holder.id, feature.id if feature else None)
    if row is None:
        return None
    return AutoTopUp(
        customer_id=row.customer_id,
        feature=feature,
        enabled=row.enabled,
        threshold=row.threshold,
        amount=row.amount,
        price=row.price,
        monthly_cap_count=row.monthly_cap_count,
        stopped_reason=row.stopped_reason,
    )


async def buy_below_thresholds(
    db: Postgres,
    events: EventStore,
    clock: Clock,
    merchant_id: str,
    *,
    test_clock_id: TestClockId | None = None,
) -> int:
    """Buys a pack for each customer of a merchant who has less left than it set; returns how many.

    For all customers, whatever time they live in, or for those on one test clock. One customer's failure is logged,
    and does not stop the others.
    """
    async with db.reading(merchant_id) as tx:
        running = await top_up_store.list_running(tx, test_clock_id)
    count = 0
    for row in running:
        try:
            async with db.writing(merchant_id) as tx:
                count += await _buy(tx, events, clock, row)
        except Exception as error:
            log.error("auto_top_up_failed", customer_id=row.customer_id, exc_info=error)
    return count


async def _buy(tx: Tx, events: EventStore, clock: Clock, seen: AutoTopUpRow) -> bool:
    """Buys one pack if it is needed and allowed; all of it is looked at again under the customer's lock."""
    holder = await customer.get_customer(tx, CustomerById(seen.customer_id), lock=True)
    row = await top_up_store.find_auto_top_up(tx, seen.customer_id, seen.feature_id)
    if row is None or not row.enabled or row.stopped_reason or holder.archived_at is not None:
        return False
    if await top_up_store.find_pending(tx, holder.id) is not None:
        return False
    now = (await customer.customer_clock(tx, clock, holder)).now()
    month = start_of_day(local_date(now, holder.time_zone).replace(day=1), holder.time_zone)
    bought = await top_up_store.count_automatic_since(tx, holder.id, row.feature_id, month)
    if bought >= row.monthly_cap_count:
        return False
    feature = await catalog.get_feature(tx, ById(row.feature_id)) if row.feature_id else None
    if await _left(tx, events, holder, feature, row.price.currency, now) >= row.threshold:
        return False
    await top_up_credits(
        tx,
        clock,
        TopUpCredits(
            customer=CustomerById(holder.id),
            feature=ById(row.feature_id) if row.feature_id else None,
            amount=row.amount,
            price=row.price,
            expires_at=None,
            automatic=True,
        ),
    )
    return True


async def _left(
    tx: Tx,
    events: EventStore,
    holder: Customer,
    feature: Feature | None,
    currency: str,
    now: datetime,
) -> Decimal:
    """What a customer has left: of money as posted, of usage credit less what drafts draw and what was used since.

    Usage is counted in the window that a check counts it in, and against credits of its own time (ENT-4): what came
    before was paid for by credits that are over, or is on a draft, which takes its credits only as it is finalized.
    """
    if feature is None or feature.metric_id is None:
        spendable = (await credit.list_spendable_grants(tx, {holder.id: now}))[holder.id]
        return sum((one.balance for one in spendable if one.currency == currency), Decimal(0))
    running = await _running_period(tx, holder, feature, now)
    since = {holder.id: running[1].start_at if running else now}
    grants = [
        grant
        for grant in (await credit.list_paying_grants(tx, since, {holder.id: now}))[holder.id]
        if grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == feature.metric_id
    ]
    counting = [grant for grant in grants if grant.counts_at(now)]
    if running is None:
        return sum((grant.balance for grant in counting), Decimal(0))
    runs, period = running
    metric = await catalog.get_metric(tx, ById(feature.metric_id))
    held = await subscription.list_of_customer(tx, holder.id)
    drawn = [
        one
        for parts in (await subscription.list_drawn_parts(tx, held)).values()
        for one in parts
        if one.metric_id == metric.id
    ]
    window = window_of(counting, period)
    undrawn = [not_drawn_yet(period, drawn).start_at]
    undrawn += [one.version.terms_since or period.start_at for one in held]
    not_drawn_since = max(undrawn)
    if parts_add_up(metric):
        window = not_drawn_yet(of_period(window, period), drawn)
    counted_from = counted_since(window, period, not_drawn_since)
    grants = [before_invoices(grant, counted_from) for grant in grants]
    past = None
    if parts_add_up(metric):
        pauses = (await subscription.list_pauses(tx, [runs]))[runs.id]
        past = parts_over(grants, window, now, since=not_drawn_since, pauses=pauses)
    measured = await measure(
        events,
        tx.merchant_id,
        [
            Ask(customer_id=holder.id, metric=metric, period=one, counts_events=False, grants=())
            for one in (window, *(past.parts if past else ()))
        ],
    )
    used, *over = [one.value for one in measured]
    balance = sum((grant.balance for grant in grants if grant.counts_at(now)), Decimal(0))
    return past.spent(over).limit + past.paused(over) - used if past else balance - used


async def _running_period(
    tx: Tx, holder: Customer, feature: Feature, now: datetime
) -> tuple[Subscription, Interval] | None:
    """The running period of the component that bills the metric, and whose it is; where none does, of the first one
    that runs."""
    fallback = None
    for held in await subscription.list_of_customer(tx, holder.id):
        if held.version.status not in RUNNING or now < held.anchor_at:
            continue
        price = (await catalog.get_prices(tx, [held.version.price_id]))[held.version.price_id]
        billing = [one for one in price.components if one.metric_id == feature.metric_id]
        component = (billing or price.components)[0]
        period = component.recurrence_in(held.time_zone).period_containing(held.anchor_at, now)
        if billing:
            return held, period
        fallback = fallback or (held, period)
    return fallback
