"""What is billed, looked after and compared while nobody waits, merchant by merchant.

One merchant's failure is logged and does not stop the others; the next run tries it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import structlog

from candela_server.billing import read as billing
from candela_server.billing.auto_top_up import buy_below_thresholds
from candela_server.billing.bill_ended import bill_ended
from candela_server.billing.bill_thresholds import bill_thresholds
from candela_server.billing.expire_lapsed import expire_lapsed
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.follow_due_dates import follow_due_dates
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.billing.run_billing import run_billing
from candela_server.billing.settle_ahead import settle_ahead
from candela_server.billing.settle_taken_back import settle_taken_back
from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription import read as subscription
from candela_server.subscription.renew_by_rule import renew_due, schedule_missing

log = structlog.get_logger("candela.worker")


async def bill_everything_due(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each minute: bills and finalizes what is due in real time (INV-1)."""
    now = clock.now()
    async with db.system() as tx:
        due = await subscription.list_merchants_with_due(tx, now)
        drafts = await billing.list_merchants_with_drafts(tx, now)

    async def bill(merchant_id: str) -> None:
        await renew_due(db, merchant_id, now=now)
        await finalize_due(db, events, merchant_id, now=now)
        billed = await run_billing(db, events, merchant_id, now=now)
        log.info("billing_run_done", merchant_id=merchant_id, invoices=billed.invoices)

    await _for_each(sorted({*due, *drafts}), "billing_failed", bill)


async def follow_all_due_dates(db: Postgres, clock: Clock) -> None:
    """Each minute: makes past due what is overdue in real time, and active what is settled (ENT-10)."""
    now = clock.now()
    async with db.system() as tx:
        owed = await billing.list_merchants_owed(tx, now)
        past_due = await subscription.list_merchants_with_past_due(tx)

    async def follow(merchant_id: str) -> None:
        count = await follow_due_dates(db, merchant_id, now=now)
        if count:
            log.info("due_dates_followed", merchant_id=merchant_id, subscriptions=count)

    await _for_each(sorted({*owed, *past_due}), "due_dates_not_followed", follow)


async def buy_top_ups(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each minute: buys packs for customers who set that, in real time and on test clocks alike (CRD-9)."""
    async with db.system() as tx:
        merchants = await billing.list_merchants_buying(tx)

    async def buy(merchant_id: str) -> None:
        count = await buy_below_thresholds(db, events, clock, merchant_id)
        if count:
            log.info("top_ups_bought", merchant_id=merchant_id, packs=count)

    await _for_each(merchants, "top_ups_not_bought", buy)


async def look_after_credits(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each hour: expires what has lapsed, and notes renewals that no change of a plan noted (CRD-5)."""
    now = clock.now()
    async with db.system() as tx:
        lapsed = set(await billing.list_merchants_with_lapsed(tx, now))
        merchants = [one.id for one in await merchant.list_merchants(tx)]

    async def look(merchant_id: str) -> None:
        await schedule_missing(db, merchant_id, now)
        if merchant_id in lapsed:
            await expire_lapsed(db, events, merchant_id, now=now)

    await _for_each(merchants, "credits_not_looked_after", look)


async def bill_late_usage(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each hour: bills what came late for subscriptions that have ended, settles what was billed ahead, and gives back
    what no invoice could (EVT-9, EVT-4)."""
    now = clock.now()
    async with db.system() as tx:
        merchants = [one.id for one in await merchant.list_merchants(tx)]

    async def bill(merchant_id: str) -> None:
        count = await bill_ended(db, events, merchant_id, now=now)
        count += await settle_ahead(db, events, merchant_id, now=now)
        count += await settle_taken_back(db, events, merchant_id, now=now)
        if count:
            log.info("late_usage_billed", merchant_id=merchant_id, invoices=count)

    await _for_each(merchants, "late_usage_not_billed", bill)


async def bill_at_thresholds(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each minute: invoices usage that reached its price's threshold before its period ends (INV-1)."""
    now = clock.now()
    async with db.system() as tx:
        merchants = await billing.list_merchants_with_thresholds(tx)

    async def bill(merchant_id: str) -> None:
        count = await bill_thresholds(db, events, merchant_id, now=now)
        if count:
            log.info("thresholds_billed", merchant_id=merchant_id, invoices=count)

    await _for_each(merchants, "thresholds_not_billed", bill)


async def reconcile_everyone(db: Postgres) -> None:
    """Each night: reports where ledgers of credits and invoices disagree (CRD-4)."""
    async with db.system() as tx:
        merchants = [one.id for one in await merchant.list_merchants(tx)]

    async def compare(merchant_id: str) -> None:
        found = await reconcile_credits(db, merchant_id)
        log.info("credits_reconciled", merchant_id=merchant_id, differences=len(found))

    await _for_each(merchants, "credits_not_reconciled", compare)


async def _for_each(
    merchants: Iterable[str], failure: str, act: Callable[[str], Awaitable[None]]
) -> None:
    for merchant_id in merchants:
        try:
            await act(merchant_id)
        except Exception as error:
            log.error(failure, merchant_id=merchant_id, exc_info=error)
