"""Sets when a customer's packs are bought by themselves, and buys them (CRD-9).

Guard rails, because money runs away here: one pack in flight, counted by the database; at most so many in a calendar
month, whatever became of them; and none any more, until a person sets it again, after one that will never be paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import structlog

from candela_server.catalog import read as catalog
from candela_server.catalog.refs import ById, Ref
from candela_server.credit.grant_by_hand import usage_feature
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import local_date, start_of_day
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx

from . import top_up_store
from .buy_top_up import TopUpCredits, top_up_credits
from .left_to_use import money_left, usage_left
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
    left = (
        await money_left(tx, holder, row.price.currency, now)
        if feature is None
        else await usage_left(tx, events, holder, feature, now)
    )
    if left >= row.threshold:
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
