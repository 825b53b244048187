"""Subscribers move at their renewal or at an instant, in the order of time with what is billed (CAT-9, OPS-2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import feature_pb2, plan_pb2, plan_version_pb2
from candela.subscription.v1 import migration_service_pb2 as pb

from candela_server.billing import store as billing
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.billing.run_billing import run_billing
from candela_server.credit import read as credit
from candela_server.merchant.advance_test_clock import AdvanceTestClock
from candela_server.merchant.advance_test_clock import advance_test_clock as set_off
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.subscription import store
from candela_server.subscription.model import Subscription
from candela_server.worker.advance_test_clock import advance_test_clock

from demo.team_plan import team_plan
from tests.helpers.migrating import (
    AT,
    CANCELED,
    DONE,
    FAILED,
    MOVED,
    PERIOD_END,
    RUNNING,
    SCHEDULED,
    Migrations,
)

JANUARY_31 = datetime(2026, 1, 31, 15, tzinfo=UTC)
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)
MARCH_31 = datetime(2026, 3, 31, 15, tzinfo=UTC)


async def advance(
    moving: Migrations, events: EventStore, clock_id: TestClockId, to: datetime
) -> None:
    """Moves a test clock as the worker does."""
    async with moving.db.writing(moving.merchant_id) as tx:
        await set_off(tx, moving.clock, AdvanceTestClock(test_clock_id=clock_id, target_at=to))
    await advance_test_clock(moving.db, events, moving.merchant_id, clock_id)


async def steps(moving: Migrations, held: Subscription) -> list[tuple[datetime, str]]:
    """Since when the subscription has been on which plan version."""
    async with moving.db.reading(moving.merchant_id) as tx:
        found = await store.list_versions(tx, held.id, after_number=0, limit=100)
    return [(one.version.valid_from, one.version.plan_version_id) for one in found]


async def grants(moving: Migrations, held: Subscription) -> dict[datetime, tuple[str, str]]:
    """What was granted, and what is left of it, by the beginning of its period."""
    async with moving.db.reading(moving.merchant_id) as tx:
        found = await credit.list_grants_of_customers(
            tx, [held.customer_id], until=datetime(2030, 1, 1, tzinfo=UTC)
        )
    return {one.effective_at: (str(one.amount), str(one.balance)) for one in found}


async def lines(moving: Migrations) -> list[InvoiceLine]:
    async with moving.db.reading(moving.merchant_id) as tx:
        found = await billing.page_invoices(
            tx, customer_id=None, subscription_id=None, statuses=[], limit=100, after=None
        )
    return [line for one in found for line in one.lines]


async def scheduled(moving: Migrations, held: Subscription, **values: object) -> str:
    """The id of a migration that has scheduled its moves."""
    migration = await moving.create(**moving.wanted(**({"when": PERIOD_END} | values)))  # type: ignore[arg-type]
    async with moving.db.reading(moving.merchant_id) as tx:
        clock_id = await tx.fetchval(
            "SELECT test_clock_id FROM customer WHERE merchant_id = $1 AND id = $2",
            moving.merchant_id,
            held.customer_id,
        )
    await moving.work(migration.id, test_clock_id=clock_id)
    return migration.id


@pytest.mark.spec("CAT-9", "OPS-2", "CRD-5")
async def test_at_next_renewal_on_a_test_clock__moves_as_the_period_ends_and_renews_by_the_new_version(
    moving: Migrations, events: EventStore
) -> None:
    clock_id = await moving.test_clock(JANUARY_31)
    held = await moving.subscriber("acme", clock_id)
    await moving.publish_next("250")
    migration_id = await scheduled(moving, held)
    between, [waiting] = (
        await moving.get(migration_id),
        (await moving.results(migration_id)).values(),
    )
    await advance(moving, events, clock_id, FEBRUARY_28 - timedelta(seconds=1))
    just_before = await steps(moving, held)
    await advance(moving, events, clock_id, FEBRUARY_28 + timedelta(days=1))
    after, [moved] = await moving.get(migration_id), (await moving.results(migration_id)).values()

    assert (between.status, between.done_count, waiting.outcome) == (RUNNING, 1, SCHEDULED)
    assert just_before == [(JANUARY_31, moving.old.id)]
    assert (after.status, after.done_count, moved.outcome) == (DONE, 1, MOVED)
    assert await steps(moving, held) == [(JANUARY_31, moving.old.id), (FEBRUARY_28, moving.new.id)]
    # The old version's credits are over, and the ledger says so; the period that begins has the new version's.
    assert await grants(moving, held) == {JANUARY_31: ("100", "0"), FEBRUARY_28: ("250", "250")}
    assert [(one.period.start_at, one.plan_version_id) for one in await lines(moving)] == [
        (JANUARY_31, moving.old.id),
        (FEBRUARY_28, moving.new.id),
    ]


@pytest.mark.spec("CAT-9", "CRD-5", "INV-1")
async def test_worker_that_slept_over_the_renewal__moves_and_bills_in_the_order_of_time(
    moving: Migrations, events: EventStore
) -> None:
    held = await moving.subscriber("acme")
    await moving.publish_next("250")
    # After the first renewal and before the second.
    migration_id = await scheduled(
        moving, held, when=AT, effective_at=FEBRUARY_28 + timedelta(days=3)
    )
    moving.clock.advance(MARCH_31 + timedelta(days=1))
    await run_billing(moving.db, events, moving.merchant_id, now=moving.clock.now())

    assert (await moving.get(migration_id)).status == DONE
    assert await steps(moving, held) == [
        (JANUARY_31, moving.old.id),
        (FEBRUARY_28 + timedelta(days=3), moving.new.id),
    ]
    assert await grants(moving, held) == {
        JANUARY_31: ("100", "0"),
        FEBRUARY_28: ("100", "0"),
        MARCH_31: ("250", "250"),
    }
    assert [one.plan_version_id for one in await lines(moving)] == [
        moving.old.id,
        moving.old.id,
        moving.new.id,
    ]


@pytest.mark.spec("CAT-9")
async def test_instant_that_has_passed_for_some__moves_them_now_and_the_others_on_their_own_clock(
    moving: Migrations, events: EventStore
) -> None:
    early, late = await moving.test_clock(JANUARY_31), await moving.test_clock(FEBRUARY_28)
    waits, moves = await moving.subscriber("early", early), await moving.subscriber("late", late)
    await moving.publish_next()
    instant = datetime(2026, 2, 10, tzinfo=UTC)
    migration = await moving.create(**moving.wanted(AT, effective_at=instant))
    for clock_id in (early, late):
        await moving.work(migration.id, test_clock_id=clock_id)
    outcomes = {one_id: one.outcome for one_id, one in (await moving.results(migration.id)).items()}
    await advance(moving, events, early, instant)

    assert outcomes == {waits.id: SCHEDULED, moves.id: MOVED}
    assert (await steps(moving, moves))[-1] == (FEBRUARY_28, moving.new.id)
    assert (await steps(moving, waits))[-1] == (instant, moving.new.id)
    got = await moving.get(migration.id)
    assert (got.status, got.effective_at.ToDatetime(UTC)) == (DONE, instant)


@pytest.mark.spec("CAT-9")
async def test_canceled_before_the_renewal__nobody_moves_then(
    moving: Migrations, events: EventStore
) -> None:
    held = await moving.subscriber("acme")
    await moving.publish_next()
    migration_id = await scheduled(moving, held)
    canceled = (
        await moving.call("CancelMigration", pb.CancelMigrationRequest(migration_id=migration_id))
    ).migration
    moving.clock.advance(FEBRUARY_28)
    await run_billing(moving.db, events, moving.merchant_id, now=moving.clock.now())
    [got] = (await moving.results(migration_id)).values()

    assert (canceled.status, canceled.done_count, canceled.failed_count) == (CANCELED, 0, 1)
    assert (got.outcome, got.reason.partition(":")[0]) == (FAILED, "migration_canceled")
    assert await steps(moving, held) == [(JANUARY_31, moving.old.id)]
    # The way is free for another one.
    again = await moving.create(**moving.wanted())
    await moving.work(again.id)
    assert (await moving.get(again.id)).done_count == 1


@pytest.mark.spec("CAT-9", "CAT-3")
async def test_version_archived_before_the_renewal__fails_with_the_reason_and_is_billed_all_the_same(
    moving: Migrations, events: EventStore
) -> None:
    held = await moving.subscriber("acme")
    await moving.publish_next()
    migration_id = await scheduled(moving, held)
    await moving.call(
        "ArchivePlanVersion",
        plan_version_pb2.ArchivePlanVersionRequest(plan_version_id=moving.new.id),
    )
    moving.clock.advance(FEBRUARY_28)
    billed = await run_billing(moving.db, events, moving.merchant_id, now=moving.clock.now())
    [got] = (await moving.results(migration_id)).values()
    after = await moving.get(migration_id)

    assert (got.outcome, got.reason.partition(":")[0]) == (FAILED, "version_not_sold")
    assert (after.status, after.done_count, after.failed_count) == (DONE, 0, 1)
    assert await steps(moving, held) == [(JANUARY_31, moving.old.id)]
    assert billed.invoices == 2


@pytest.mark.spec("CAT-9", "INV-3", "SUB-3")
async def test_usage_before_the_move__counts_to_the_version_it_was_used_under(
    moving: Migrations, events: EventStore
) -> None:
    sold = (await moving.call("CreatePlan", team_plan("team"))).version
    held = await moving.subscriber("acme", plan="team")
    draft = plan_version_pb2.CreatePlanVersionRequest(
        plan=plan_pb2.PlanRef(slug="team"),
        features=[
            plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug="advanced-analytics"))
        ],
    )
    version = (await moving.call("CreatePlanVersion", draft)).version
    moving.new = (
        await moving.call(
            "PublishPlanVersion",
            plan_version_pb2.PublishPlanVersionRequest(plan_version_id=version.id),
        )
    ).version
    moving.old = sold
    await scheduled(moving, held)
    moving.clock.advance(FEBRUARY_28)
    await run_billing(moving.db, events, moving.merchant_id, now=moving.clock.now())
    drafted = [line for line in await lines(moving) if line.kind is LineKind.USAGE]
    # The grace ends after the move, and the draft is rated a last time.
    moving.clock.advance(FEBRUARY_28 + timedelta(days=3))
    await finalize_due(moving.db, events, moving.merchant_id, now=moving.clock.now())
    got = await lines(moving)

    assert {one.plan_version_id for one in drafted} == {sold.id}
    assert sorted((one.period.start_at, one.kind, one.plan_version_id) for one in got) == [
        (JANUARY_31, LineKind.RECURRING, sold.id),
        (JANUARY_31, LineKind.USAGE, sold.id),
        (JANUARY_31, LineKind.USAGE, sold.id),
        (FEBRUARY_28, LineKind.RECURRING, moving.new.id),
    ]
    assert sum((one.amount for one in got), Decimal(0)) == Decimal("60.00")
