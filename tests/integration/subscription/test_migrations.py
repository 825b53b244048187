"""Subscribers move to another version of their plan: each once, whatever crashes, and each with a result (CAT-9)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from candela.catalog.v1 import plan_version_pb2
from candela.subscription.v1 import migration_pb2
from candela.subscription.v1 import migration_service_pb2 as pb

from candela_server.catalog.errors import PlanNotSoldError, PlanVersionNotFoundError
from candela_server.customer.model import CustomerById, CustomerNotFoundError
from candela_server.entitlement.build_snapshot import build_snapshot
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.page import PageTokenInvalidError
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.mutation import IdempotencyMismatchError
from candela_server.storage.postgres import Postgres
from candela_server.subscription import read, store, version_store
from candela_server.subscription.migration import MigrationNotFoundError
from candela_server.subscription.model import Status, Subscription, SubscriptionNotFoundError

from tests.conftest import TestMerchant
from tests.helpers.migrating import (
    AT,
    CANCELED,
    DONE,
    FAILED,
    MOVED,
    PENDING,
    PERIOD_END,
    RUNNING,
    STARTER,
    Migrations,
    monthly_calls,
)


@pytest.fixture
async def moving(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Migrations:
    made = Migrations(db, clock, merchant.id)
    await made.sell_starter()
    return made


async def versions_of(moving: Migrations, held: Subscription) -> list[Subscription]:
    async with moving.db.reading(moving.merchant_id) as tx:
        return await store.list_versions(tx, held.id, after_number=0, limit=100)


async def move_counts(moving: Migrations) -> Counter[int]:
    """How many subscriptions of the merchant have how many versions on the new plan version."""
    async with moving.db.reading(moving.merchant_id) as tx:
        rows = await tx.fetch(
            """
            SELECT count(*) FILTER (WHERE plan_version_id = $2) AS moves FROM subscription_version
            WHERE merchant_id = $1 GROUP BY subscription_id
            """,
            moving.merchant_id,
            moving.new.id,
        )
    return Counter(row["moves"] for row in rows)


async def cancel(moving: Migrations, held: Subscription) -> None:
    async with moving.db.writing(moving.merchant_id) as tx:
        found = await read.get_subscription(tx, held.id)
        canceled = replace(found.version, number=found.version.number + 1, status=Status.CANCELED)
        assert await version_store.append_versions(tx, {held.id: canceled}) == {held.id}


def reasons(results: Mapping[str, migration_pb2.MigrationResult]) -> dict[str, str]:
    return {
        one_id: one.reason.partition(":")[0]
        for one_id, one in results.items()
        if one.outcome == FAILED
    }


@pytest.mark.spec("CAT-9", "SUB-3")
async def test_250_subscribers__are_moved_but_for_three_that_say_why(moving: Migrations) -> None:
    held = await moving.subscribers([f"customer-{number}" for number in range(253)])
    middle = await moving.publish_next("200")
    await moving.publish_next("250")
    ended, moved_elsewhere, waiting = held[0], held[100], held[252]
    migration = await moving.create(**moving.wanted())
    await cancel(moving, ended)
    elsewhere = moving.wanted(subscriptions=[moved_elsewhere]) | {"to_plan_version_id": middle.id}
    await moving.work((await moving.create(**elsewhere)).id)
    later = await moving.create(**moving.wanted(PERIOD_END, subscriptions=[waiting]))
    await moving.work(later.id)

    decided = await moving.work(migration.id, chunk=100)
    got = await moving.get(migration.id)
    results = await moving.results(migration.id)

    assert (migration.status, migration.total_count, migration.done_count) == (RUNNING, 253, 0)
    assert decided == 253
    assert (got.status, got.total_count, got.done_count, got.failed_count) == (DONE, 253, 250, 3)
    assert got.HasField("ended_at")
    assert Counter(one.outcome for one in results.values()) == {MOVED: 250, FAILED: 3}
    assert list(results) == sorted(one.id for one in held)
    assert reasons(results) == {
        ended.id: "not_running",
        moved_elsewhere.id: "version_changed",
        waiting.id: "change_in_flight",
    }
    assert await move_counts(moving) == {1: 250, 0: 3}
    assert {
        (one.amount_difference.currency, one.amount_difference.amount) for one in results.values()
    } == {("USD", "0")}


@pytest.mark.spec("CAT-9", "SUB-3")
async def test_moved_subscription__has_a_new_version_that_says_who_and_why_and_keeps_the_rest(
    moving: Migrations,
) -> None:
    held = await moving.subscriber("acme")
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())
    await moving.work(migration.id)

    [before, after] = [one.version for one in await versions_of(moving, held)]

    assert before == replace(held.version, valid_to=after.valid_from)
    assert after == replace(
        held.version,
        number=2,
        plan_version_id=moving.new.id,
        valid_from=moving.clock.now(),
        valid_to=None,
        reason=f"migration {migration.id}",
        actor="tests",
    )


@pytest.mark.spec("CAT-9", "CAT-8", "ENT-3")
async def test_moved_now__checks_see_the_new_features_and_the_credits_of_the_running_period(
    moving: Migrations,
) -> None:
    held = await moving.subscriber("acme")
    await moving.publish_next()

    async def shown() -> tuple[object, str | None]:
        async with moving.db.reading(moving.merchant_id) as tx:
            snapshot = await build_snapshot(tx, moving.clock, CustomerById(held.customer_id))
        metered = snapshot.features["calls"].metered
        allowance = metered.credits.allowance if metered and metered.credits else None
        return snapshot.features["exports-250"].value, str(allowance)

    before = await shown()
    migration = await moving.create(**moving.wanted())
    await moving.work(migration.id)

    assert before == (False, "100")
    assert await shown() == (True, "100")


class FailingClock(FixedClock):
    """Tells the time so many times, and then the process ends."""

    def __init__(self, now: datetime, answers: int) -> None:
        super().__init__(now)
        self.answers = answers

    def now(self) -> datetime:
        self.answers -= 1
        if self.answers < 0:
            raise RuntimeError("the worker ended")
        return super().now()


@pytest.mark.spec("CAT-9")
@pytest.mark.parametrize("answers", range(6))
async def test_worker_that_ends_in_the_middle_of_a_chunk__is_resumed_and_nobody_moves_twice(
    moving: Migrations, answers: int
) -> None:
    await moving.subscribers([f"customer-{number}" for number in range(10)])
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())
    ending = replace_clock(moving, FailingClock(moving.clock.now(), answers))
    with pytest.raises(RuntimeError, match="the worker ended"):
        await ending.work(migration.id, chunk=3)
    between = await moving.get(migration.id)

    # Each chunk asks twice: what time it is for its customers, and when it ends. A chunk counts when it is whole.
    assert (between.status, between.done_count) == (RUNNING, 3 * (answers // 2))
    assert await moving.work(migration.id, chunk=3) == 10 - between.done_count
    assert (await moving.get(migration.id)).status == DONE
    assert await move_counts(moving) == {1: 10}


def replace_clock(moving: Migrations, clock: FixedClock) -> Migrations:
    other = Migrations(moving.db, clock, moving.merchant_id)
    other.old, other.new = moving.old, moving.new
    return other


@pytest.mark.spec("CAT-9")
async def test_job_run_many_times_at_once_and_killed__moves_each_exactly_once(
    moving: Migrations,
) -> None:
    await moving.subscribers([f"customer-{number}" for number in range(40)])
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())

    runs = [asyncio.create_task(moving.work(migration.id, chunk=2)) for _ in range(5)]
    await asyncio.sleep(0)
    for killed in runs[::2]:
        killed.cancel()
    for run in runs:
        with contextlib.suppress(asyncio.CancelledError):
            await run
    await moving.work(migration.id)

    assert (await moving.get(migration.id)).done_count == 40
    assert await move_counts(moving) == {1: 40}


@pytest.mark.spec("CAT-9")
async def test_canceled_in_the_middle__leaves_the_moved_ones_moved_and_moves_nobody_else(
    moving: Migrations,
) -> None:
    await moving.subscribers([f"customer-{number}" for number in range(8)])
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())
    failing = replace_clock(moving, FailingClock(moving.clock.now(), 2))
    with pytest.raises(RuntimeError):
        await failing.work(migration.id, chunk=3)

    canceled = (
        await moving.call("CancelMigration", pb.CancelMigrationRequest(migration_id=migration.id))
    ).migration
    decided = await moving.work(migration.id)
    again = (
        await moving.call("CancelMigration", pb.CancelMigrationRequest(migration_id=migration.id))
    ).migration
    results = await moving.results(migration.id)

    assert (canceled.status, canceled.done_count, canceled.failed_count) == (CANCELED, 3, 5)
    assert decided == 0
    assert again == canceled == await moving.get(migration.id)
    assert set(reasons(results).values()) == {"migration_canceled"}
    assert await move_counts(moving) == {1: 3, 0: 5}


@pytest.mark.spec("CAT-9")
async def test_subscription_that_is_being_billed__is_passed_by_and_moved_afterwards(
    moving: Migrations,
) -> None:
    held = await moving.subscribers(["acme", "initech"])
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())

    async with moving.db.writing(moving.merchant_id) as tx:
        await tx.execute(
            "SELECT 1 FROM subscription WHERE merchant_id = $1 AND id = $2 FOR UPDATE",
            moving.merchant_id,
            held[0].id,
        )
        meanwhile = await moving.work(migration.id)
        results = await moving.results(migration.id)
    afterwards = await moving.work(migration.id)

    assert [results[one.id].outcome for one in held] == [PENDING, MOVED]
    assert (meanwhile, afterwards) == (1, 1)
    assert (await moving.get(migration.id)).status == DONE


@pytest.mark.spec("CAT-9")
async def test_preview__is_what_the_job_then_does_page_by_page(moving: Migrations) -> None:
    held = await moving.subscribers([f"customer-{number}" for number in range(7)])
    await moving.publish_next()
    await cancel(moving, held[3])
    wanted = moving.wanted(subscriptions=held)
    previewed = []
    request = pb.PreviewMigrationRequest(**wanted, page_size=3)
    while True:
        page = await moving.call("PreviewMigration", request)
        previewed += page.results
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    counts = await move_counts(moving)
    migration = await moving.create(**wanted)
    await moving.work(migration.id)

    assert page.total_count == migration.total_count == len(previewed) == 7
    assert counts == {0: 7}
    assert previewed == list((await moving.results(migration.id)).values())
    other = pb.PreviewMigrationRequest(**moving.wanted(), page_size=3)
    other.page_token = (
        await moving.call("PreviewMigration", pb.PreviewMigrationRequest(**wanted, page_size=3))
    ).next_page_token
    with pytest.raises(PageTokenInvalidError):
        await moving.call("PreviewMigration", other)


@pytest.mark.spec("CAT-9")
async def test_filter__reaches_those_who_meet_all_conditions(moving: Migrations) -> None:
    held = await moving.subscribers(["acme", "initech", "hooli"])
    await moving.publish_next()
    late = await moving.subscriber("late")
    await cancel(moving, held[2])
    price_id = held[0].version.price_id

    async def reached(**conditions: list[str]) -> list[str]:
        request = pb.PreviewMigrationRequest(
            **moving.wanted() | {"filter": migration_pb2.MigrationFilter(**conditions)}
        )
        return [
            one.subscription_id for one in (await moving.call("PreviewMigration", request)).results
        ]

    assert await reached() == [held[0].id, held[1].id]
    assert await reached(customer_ids=[held[1].customer_id, late.customer_id]) == [held[1].id]
    assert await reached(price_ids=[price_id]) == [held[0].id, held[1].id]
    # Whoever is named gets an answer, even one that has ended or is on the new version already.
    assert await reached(subscription_ids=[late.id, held[2].id]) == [held[2].id, late.id]
    assert await reached(subscription_ids=[held[0].id], customer_ids=[held[1].customer_id]) == []


@pytest.mark.spec("CAT-9", "AUD-2")
async def test_creation_repeated__is_one_migration(moving: Migrations) -> None:
    await moving.subscriber("acme")
    await moving.publish_next()
    wanted = moving.wanted() | {"idempotency_key": "once"}

    first = await moving.create(**wanted)
    await moving.work(first.id)
    second = await moving.create(**wanted)
    listed = (await moving.call("ListMigrations", pb.ListMigrationsRequest())).migrations

    assert second == first
    assert [one.id for one in listed] == [first.id]
    assert listed[0].status == DONE
    with pytest.raises(IdempotencyMismatchError):
        await moving.create(**wanted | {"when": PERIOD_END})


@pytest.mark.spec("CAT-9", "AUD-1")
async def test_migration_and_moves__leave_their_traces(moving: Migrations) -> None:
    held = await moving.subscriber("acme")
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())
    await moving.work(migration.id)

    async with moving.db.reading(moving.merchant_id) as tx:
        rows = await tx.fetch(
            """
            SELECT action, subject_id, after FROM audit_entry
            WHERE merchant_id = $1 AND (subject_id = $2 OR subject_id = $3) ORDER BY id
            """,
            moving.merchant_id,
            migration.id,
            held.id,
        )

    assert [(row["action"], row["subject_id"]) for row in rows] == [
        ("subscription.created", held.id),
        ("migration.created", migration.id),
        ("subscription.migrated", held.id),
        ("migration.done", migration.id),
    ]
    assert rows[2]["after"]["plan_version_id"] == moving.new.id
    assert rows[2]["after"]["reason"] == f"migration {migration.id}"


@pytest.mark.spec("CAT-9")
async def test_migration_that_reaches_nobody__is_done_at_once(moving: Migrations) -> None:
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())
    await moving.work(migration.id)

    assert (await moving.get(migration.id)).status == DONE


@pytest.mark.spec("CAT-9")
async def test_another_merchants_ids__are_not_found(
    moving: Migrations, db: Postgres, clock: FixedClock
) -> None:
    held = await moving.subscriber("acme")
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())
    made = await create_merchant(db, clock, CreateMerchant(name="Beside", mode=Mode.TEST))
    beside = Migrations(db, clock, made.merchant.id)
    await beside.sell_starter()
    await beside.publish_next()

    async def refused(method: str, request: object, error: type[Exception]) -> None:
        with pytest.raises(error):
            await beside.call(method, request)

    for method, request_class in (
        ("PreviewMigration", pb.PreviewMigrationRequest),
        ("CreateMigration", pb.CreateMigrationRequest),
    ):
        await refused(method, request_class(**moving.wanted()), PlanVersionNotFoundError)
        for condition, value, error in (
            ("subscription_ids", held.id, SubscriptionNotFoundError),
            ("customer_ids", held.customer_id, CustomerNotFoundError),
        ):
            chosen = migration_pb2.MigrationFilter(**{condition: [value]})
            await refused(method, request_class(**beside.wanted() | {"filter": chosen}), error)
    for method, request in (
        ("GetMigration", pb.GetMigrationRequest(migration_id=migration.id)),
        ("CancelMigration", pb.CancelMigrationRequest(migration_id=migration.id)),
        ("ListMigrationResults", pb.ListMigrationResultsRequest(migration_id=migration.id)),
    ):
        await refused(method, request, MigrationNotFoundError)
    assert await beside.work(migration.id) == 0
    assert (await moving.get(migration.id)).status == RUNNING


@pytest.mark.spec("CAT-9", "CAT-3")
async def test_version_that_takes_no_subscribers__is_refused(moving: Migrations) -> None:
    await moving.publish_next()
    other = Migrations(moving.db, moving.clock, moving.merchant_id)
    other.old, other.new = moving.new, moving.old
    with pytest.raises(InvalidInput, match="they are on"):
        await moving.create(**moving.wanted() | {"to_plan_version_id": moving.old.id})
    with pytest.raises(InvalidInput, match="effective_at"):
        await moving.create(**moving.wanted(AT))

    await moving.call(
        "ArchivePlanVersion",
        plan_version_pb2.ArchivePlanVersionRequest(plan_version_id=moving.old.id),
    )
    with pytest.raises(PlanNotSoldError):
        await other.create(**other.wanted())


@pytest.mark.spec("CAT-9", "CRD-3")
async def test_version_whose_credits_are_carried_over__is_moved_to(moving: Migrations) -> None:
    await moving.subscriber("acme")
    rolling = monthly_calls("250")
    rolling.rollover_cap = "50"
    draft = plan_version_pb2.CreatePlanVersionRequest(plan=STARTER, credit_definitions=[rolling])
    version = (await moving.call("CreatePlanVersion", draft)).version
    publication = plan_version_pb2.PublishPlanVersionRequest(plan_version_id=version.id)
    moving.new = (await moving.call("PublishPlanVersion", publication)).version

    preview = await moving.call("PreviewMigration", pb.PreviewMigrationRequest(**moving.wanted()))
    await moving.create(**moving.wanted())

    assert preview.ListFields()


@pytest.mark.spec("CAT-9")
async def test_wrong_request__names_every_wrong_field(moving: Migrations) -> None:
    request = pb.CreateMigrationRequest(
        from_plan_version_id="plan_x",
        filter=migration_pb2.MigrationFilter(subscription_ids=["sub_x"], price_ids=["p"] * 101),
        when=9,
        proration=9,
    )
    with pytest.raises(InvalidInput) as caught:
        await moving.call("CreateMigration", request)

    assert {one.field for one in caught.value.violations} == {
        "from_plan_version_id",
        "to_plan_version_id",
        "filter.subscription_ids[0]",
        "filter.price_ids",
        "when",
        "proration",
    }
