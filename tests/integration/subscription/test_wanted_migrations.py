"""What may be wanted of a migration: previews, filters, repetitions, and what is refused (CAT-9)."""

from __future__ import annotations

import pytest
from candela.catalog.v1 import plan_version_pb2
from candela.subscription.v1 import migration_pb2
from candela.subscription.v1 import migration_service_pb2 as pb

from candela_server.catalog.errors import PlanNotSoldError, PlanVersionNotFoundError
from candela_server.customer.model import CustomerNotFoundError
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.page import PageTokenInvalidError
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.mutation import IdempotencyMismatchError
from candela_server.storage.postgres import Postgres
from candela_server.subscription.migration import MigrationNotFoundError
from candela_server.subscription.model import SubscriptionNotFoundError

from tests.helpers.migrating import (
    AT,
    DONE,
    PERIOD_END,
    RUNNING,
    Migrations,
)
from tests.integration.subscription.moving import cancel, move_counts


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
