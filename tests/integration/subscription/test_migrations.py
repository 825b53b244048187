"""Subscribers move to another version of their plan: each once, and each with a result (CAT-9)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from candela.catalog.v1 import plan_version_pb2
from candela.subscription.v1 import migration_service_pb2 as pb

from candela_server.customer.model import CustomerById
from candela_server.subscription import store
from candela_server.subscription.model import Subscription

from tests.helpers.migrating import (
    DONE,
    FAILED,
    MOVED,
    PERIOD_END,
    RUNNING,
    STARTER,
    Migrations,
    monthly_calls,
)
from tests.helpers.snapshots import build_snapshot
from tests.integration.subscription.moving import cancel, move_counts, reasons


async def versions_of(moving: Migrations, held: Subscription) -> list[Subscription]:
    async with moving.db.reading(moving.merchant_id) as tx:
        return await store.list_versions(tx, held.id, after_number=0, limit=100)


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
