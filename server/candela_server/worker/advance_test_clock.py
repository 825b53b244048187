"""Moves a test clock to its target, doing what falls due on the way, one instant after the other (OPS-2)."""

from __future__ import annotations

from datetime import datetime

import structlog

from candela_server.billing import read as billing
from candela_server.billing.auto_top_up import buy_below_thresholds
from candela_server.billing.bill_ended import bill_ended
from candela_server.billing.bill_thresholds import bill_thresholds
from candela_server.billing.expire_lapsed import expire_lapsed
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.follow_due_dates import follow_due_dates
from candela_server.billing.run_billing import run_billing
from candela_server.billing.settle_ahead import settle_ahead
from candela_server.billing.settle_taken_back import settle_taken_back
from candela_server.kernel.clock import FixedClock
from candela_server.merchant import read as merchant
from candela_server.merchant.advance_test_clock import move_test_clock, rest_test_clock
from candela_server.merchant.model import TestClockId, TestClockStatus
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription import read as subscription
from candela_server.subscription.renew_by_rule import renew_due

log = structlog.get_logger("candela.worker")

MAX_STEPS = 100_000
"""Instants with due work on one way: five years of daily charges of fifty subscriptions at different times."""


async def advance_test_clock(
    db: Postgres, events: EventStore, merchant_id: str, clock_id: TestClockId
) -> None:
    """Brings an advancing clock to its target, or to rest with the reason where it failed.

    Each instant's work is committed before the clock moves on, and work that is done is not due any more, so a clock
    whose worker was killed is simply advanced again from where it stands.
    """
    try:
        await _advance(db, events, merchant_id, clock_id)
    except Exception as error:
        log.error("test_clock_failed", test_clock_id=clock_id, exc_info=error)
        async with db.writing(merchant_id) as tx:
            await rest_test_clock(tx, clock_id, failure=f"{type(error).__name__}: {error}"[:500])
        raise


async def bill_test_clock(
    db: Postgres, events: EventStore, merchant_id: str, clock_id: TestClockId
) -> None:
    """Does what is due at the instant at which a clock stands."""
    async with db.reading(merchant_id) as tx:
        clock = await merchant.get_test_clock(tx, clock_id)
    await _do_what_is_due(db, events, merchant_id, clock_id, clock.now_at)


async def _advance(
    db: Postgres, events: EventStore, merchant_id: str, clock_id: TestClockId
) -> None:
    async with db.reading(merchant_id) as tx:
        clock = await merchant.get_test_clock(tx, clock_id)
    if clock.status is TestClockStatus.ADVANCING:
        # What was used while it rested: of that instant, as it would be in real time.
        await _look_at_usage(db, events, merchant_id, clock_id, clock.now_at)
    for _ in range(MAX_STEPS):
        async with db.writing(merchant_id) as tx:
            clock = await merchant.get_test_clock(tx, clock_id, lock=True)
            if clock.status is not TestClockStatus.ADVANCING or clock.target_at is None:
                return
            falls_due_at = await billing.next_due_date(tx, clock_id, clock.now_at)
            due_at = _earliest(
                await subscription.next_due_at(tx, clock_id),
                await billing.next_finalization_at(tx, clock_id),
                falls_due_at,
            )
            arrives = due_at is None or due_at > clock.target_at
            now = clock.target_at if due_at is None or arrives else max(due_at, clock.now_at)
            await move_test_clock(tx, clock_id, now)
        if arrives:
            # Before it rests, so that whoever waits for that finds the ledger and the invoices of its present.
            await expire_lapsed(db, events, merchant_id, now=now, test_clock_id=clock_id)
            await bill_ended(db, events, merchant_id, now=now, test_clock_id=clock_id)
            # What is due on the day it is made has no later instant to be followed at.
            await follow_due_dates(db, merchant_id, now=now, test_clock_id=clock_id)
            await _look_at_usage(db, events, merchant_id, clock_id, now)
            async with db.writing(merchant_id) as tx:
                await rest_test_clock(tx, clock_id)
            return
        done = await _do_what_is_due(db, events, merchant_id, clock_id, now)
        # A due date passes whether or not it makes somebody past due.
        if not done and now != falls_due_at:
            raise RuntimeError(f"something is due at {now:%Y-%m-%dT%H:%M:%SZ} and cannot be done")
    raise RuntimeError(f"more than {MAX_STEPS} instants with due work; advance in smaller steps")


async def _do_what_is_due(
    db: Postgres, events: EventStore, merchant_id: str, clock_id: TestClockId, now: datetime
) -> bool:
    renewed = await renew_due(db, merchant_id, now=now, test_clock_id=clock_id)
    finalized = await finalize_due(db, events, merchant_id, now=now, test_clock_id=clock_id)
    billed = await run_billing(db, events, merchant_id, now=now, test_clock_id=clock_id)
    await expire_lapsed(db, events, merchant_id, now=now, test_clock_id=clock_id)
    followed = await follow_due_dates(db, merchant_id, now=now, test_clock_id=clock_id)
    await _look_at_usage(db, events, merchant_id, clock_id, now)
    return (
        renewed > 0
        or followed > 0
        or finalized.count > 0
        or billed.subscriptions > 0
        or billed.moved > 0
        or billed.changed > 0
    )


async def _look_at_usage(
    db: Postgres, events: EventStore, merchant_id: str, clock_id: TestClockId, now: datetime
) -> None:
    """What each minute or hour does in real time: where the clock rested, at the instants at which something is due,
    and where it comes to rest."""
    await bill_thresholds(db, events, merchant_id, now=now, test_clock_id=clock_id)
    await settle_ahead(db, events, merchant_id, now=now, test_clock_id=clock_id)
    await settle_taken_back(db, events, merchant_id, now=now, test_clock_id=clock_id)
    await buy_below_thresholds(db, events, FixedClock(now), merchant_id, test_clock_id=clock_id)


def _earliest(*instants: datetime | None) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)
