"""What is billed, looked after and compared while nobody waits, merchant by merchant.

One merchant's failure is logged and does not stop the others; the next run tries it again. What was done for one is
logged, too, where it was anything.
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
from candela_server.storage.each_by_itself import each_by_itself
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.renew_by_rule import renew_due, schedule_missing

log = structlog.get_logger("candela.worker")


async def bill_everything_due(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each minute: bills and finalizes what is due in real time (INV-1)."""
    now = clock.now()
    async with db.system() as tx:
        due = await subscription.list_merchants_with_due(tx, now)
        drafts = await billing.list_merchants_with_drafts(tx, now)

    async def bill(merchant_id: str) -> int:
        await renew_due(db, merchant_id, now=now)
        await finalize_due(db, events, merchant_id, now=now)
        return (await run_billing(db, events, merchant_id, now=now)).invoices

    await _for_each({*due, *drafts}, bill, done="billing_run_done", failure="billing_failed")


async def follow_all_due_dates(db: Postgres, clock: Clock) -> None:
    """Each minute: makes past due what is overdue in real time, and active what is settled (ENT-10)."""
    now = clock.now()
    async with db.system() as tx:
        owed = await billing.list_merchants_owed(tx, now)
        past_due = await subscription.list_merchants_with_past_due(tx)

    async def follow(merchant_id: str) -> int:
        return await follow_due_dates(db, merchant_id, now=now)

    await _for_each(
        {*owed, *past_due}, follow, done="due_dates_followed", failure="due_dates_not_followed"
    )


async def buy_top_ups(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each minute: buys packs for customers who set that, in real time and on test clocks alike (CRD-9)."""
    async with db.system() as tx:
        merchants = await billing.list_merchants_buying(tx)

    async def buy(merchant_id: str) -> int:
        return await buy_below_thresholds(db, events, clock, merchant_id)

    await _for_each(merchants, buy, done="top_ups_bought", failure="top_ups_not_bought")


async def look_after_credits(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each hour: expires what has lapsed, and notes renewals that no change of a plan noted (CRD-5)."""
    now = clock.now()
    async with db.system() as tx:
        lapsed = set(await billing.list_merchants_with_lapsed(tx, now))
        merchants = await _everyone(tx)

    async def look(merchant_id: str) -> int:
        count = await schedule_missing(db, merchant_id, now)
        if merchant_id in lapsed:
            count += await expire_lapsed(db, events, merchant_id, now=now)
        return count

    await _for_each(
        merchants, look, done="credits_looked_after", failure="credits_not_looked_after"
    )


async def bill_late_usage(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each hour: bills what came late for subscriptions that have ended, settles what was billed ahead, and gives back
    what no invoice could (EVT-9, EVT-4)."""
    now = clock.now()
    async with db.system() as tx:
        merchants = await _everyone(tx)

    async def bill(merchant_id: str) -> int:
        count = await bill_ended(db, events, merchant_id, now=now)
        count += await settle_ahead(db, events, merchant_id, now=now)
        return count + await settle_taken_back(db, events, merchant_id, now=now)

    await _for_each(merchants, bill, done="late_usage_billed", failure="late_usage_not_billed")


async def bill_at_thresholds(db: Postgres, events: EventStore, clock: Clock) -> None:
    """Each minute: invoices usage that reached its price's threshold before its period ends (INV-1)."""
    now = clock.now()
    async with db.system() as tx:
        merchants = await billing.list_merchants_with_thresholds(tx)

    async def bill(merchant_id: str) -> int:
        return await bill_thresholds(db, events, merchant_id, now=now)

    await _for_each(merchants, bill, done="thresholds_billed", failure="thresholds_not_billed")


async def reconcile_everyone(db: Postgres) -> None:
    """Each night: reports where ledgers of credits and invoices disagree (CRD-4)."""
    async with db.system() as tx:
        merchants = await _everyone(tx)

    async def compare(merchant_id: str) -> int:
        return len(await reconcile_credits(db, merchant_id))

    await _for_each(merchants, compare, done="credits_differ", failure="credits_not_reconciled")


async def _everyone(tx: Tx) -> list[str]:
    return [one.id for one in await merchant.list_merchants(tx)]


async def _for_each(
    merchants: Iterable[str], act: Callable[[str], Awaitable[int]], *, done: str, failure: str
) -> None:
    """Does it for each merchant, in their order; `done` and `failure` are how it is logged."""

    async def act_and_tell(merchant_id: str) -> int:
        count = await act(merchant_id)
        if count:
            log.info(done, merchant_id=merchant_id, count=count)
        return count

    await each_by_itself(sorted(merchants), act_and_tell, failure=failure)
