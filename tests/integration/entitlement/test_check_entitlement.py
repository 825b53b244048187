"""Checks on real stores: read your writes, Redis gone, and what a change does to answers (ENT-2 to ENT-7, ENT-11)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.catalog.refs import BySlug
from candela_server.catalog.switch_feature import SwitchFeature, switch_feature
from candela_server.customer.create_user import CreateUser, create_user
from candela_server.customer.model import (
    Customer,
    CustomerByExternalId,
    CustomerById,
    UserByExternalId,
)
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.check_entitlement import Checker
from candela_server.entitlement.model import Answer, Denial, Source
from candela_server.metering.cache import CounterCache
from candela_server.metering.read_counters import Counters
from candela_server.storage.changes import Changes
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import is_retryable
from candela_server.storage.redis import Redis
from candela_server.subscription.model import Subscription
from candela_server.subscription.override_feature import (
    SetFeatureOverride,
    set_feature_override,
)

from tests.helpers.selling import Shop
from tests.helpers.snapshots import build_snapshot
from tests.helpers.waiting import eventually

ONE = Decimal(1)


@pytest.fixture
async def checker(shop: Shop, events: EventStore, redis: Redis) -> AsyncIterator[Checker]:
    """A checker that hears of changes, as the server's does."""
    counters = Counters(CounterCache(redis), events, shop.clock)
    await counters.start()
    changes = Changes(
        shop.db, lambda *changed: snapshots.forget(*changed), lambda: snapshots.doubt_all()
    )
    snapshots = SnapshotCache(changes.is_current, changes.catch_up)
    await changes.start()
    yield Checker(shop.db, counters, snapshots, shop.clock)
    await changes.close()
    await counters.stop()


async def ask(checker: Checker, shop: Shop, who: object, slug: str) -> Answer:
    snapshot = await checker.snapshot(shop.merchant_id, who)  # type: ignore[arg-type]
    return await checker.check(shop.merchant_id, snapshot, slug, ONE)


async def until_entitled(
    checker: Checker, shop: Shop, customer: Customer, slug: str, wanted: bool
) -> Answer:
    """The answer once the notification has arrived."""

    async def look() -> Answer | None:
        answer = await ask(checker, shop, CustomerById(customer.id), slug)
        return answer if answer.entitled is wanted else None

    return await eventually(look)


@pytest.mark.spec("ENT-5", "ENT-3")
async def test_customer_asked_by_each_id__gets_the_same_answer(
    shop: Shop, checker: Checker
) -> None:
    customer = await shop.sign_up("acme")
    async with shop.db.writing(shop.merchant_id) as tx:
        await create_user(
            tx,
            shop.clock,
            CreateUser(
                customer=CustomerById(customer.id), external_id="ada", name="Ada", email=None
            ),
        )
    await shop.subscribe(customer, 1)

    got = [
        await ask(checker, shop, who, "advanced-analytics")
        for who in (
            CustomerById(customer.id),
            CustomerByExternalId("acme"),
            UserByExternalId("ada"),
        )
    ]

    assert all(answer.entitled for answer in got)
    assert {answer.state.source for answer in got} == {Source.PLAN}


@pytest.mark.spec("ENT-2", "ENT-6")
async def test_customer_without_subscription__is_denied_with_the_reason(
    shop: Shop, checker: Checker
) -> None:
    customer = await shop.sign_up("acme")

    got = await ask(checker, shop, CustomerById(customer.id), "advanced-analytics")

    assert not got.entitled
    assert got.denial is Denial.NO_ACTIVE_SUBSCRIPTION
    assert got.state.source is Source.DEFAULT


@pytest.mark.spec("ENT-6")
async def test_subscription_made_after_a_denied_check__is_seen(
    shop: Shop, checker: Checker
) -> None:
    customer = await shop.sign_up("acme")
    assert not (await ask(checker, shop, CustomerById(customer.id), "advanced-analytics")).entitled

    await shop.subscribe(customer, 1)

    await until_entitled(checker, shop, customer, "advanced-analytics", True)


@pytest.mark.spec("ENT-11")
async def test_feature_switched_off__is_denied_to_everybody_and_on_again_granted(
    shop: Shop, checker: Checker
) -> None:
    customer = await shop.sign_up("acme")
    await shop.subscribe(customer, 1)
    await until_entitled(checker, shop, customer, "advanced-analytics", True)

    for on in (False, True):
        async with shop.db.writing(shop.merchant_id) as tx:
            command = SwitchFeature(feature=BySlug("advanced-analytics"), on=on)
            await switch_feature(tx, shop.clock, command)
        got = await until_entitled(checker, shop, customer, "advanced-analytics", on)
        assert got.denial is (None if on else Denial.FEATURE_DISABLED)


@pytest.mark.spec("ENT-4", "ENT-7")
async def test_per_seat_credits__are_the_limit_of_the_period_with_overage(
    shop: Shop, checker: Checker
) -> None:
    customer = await shop.sign_up("acme")
    await shop.subscribe(customer, 3)

    got = await ask(checker, shop, CustomerById(customer.id), "premium-messages")

    assert got.usage is not None
    assert (got.usage.used, got.usage.limit, got.usage.remaining) == (0, 300, 300)
    assert got.usage.resets_at == datetime(2026, 2, 28, 15, tzinfo=UTC)
    assert got.state.source is Source.CREDITS


@pytest.mark.spec("ENT-4")
async def test_without_redis__the_same_answer_comes_from_the_rollups(
    shop: Shop, events: EventStore
) -> None:
    customer = await shop.sign_up("acme")
    await shop.subscribe(customer, 1)
    counters = Counters(CounterCache(Redis("redis://127.0.0.1:1/0")), events, shop.clock)
    checker = Checker(shop.db, counters, SnapshotCache(lambda: True), shop.clock)

    got = await ask(checker, shop, CustomerById(customer.id), "premium-messages")
    await counters.stop()

    assert got.entitled
    assert got.usage is not None
    assert got.usage.limit == 100


async def change_quietly(shop: Shop, held: Subscription, *, on: bool) -> None:
    """Changes something as a job does: nobody waits until the servers have heard."""
    command = SetFeatureOverride(
        subscription_id=held.id,
        feature=BySlug("advanced-analytics"),
        value=on,
        expires_at=None,
        reason="",
    )
    for _ in range(5):
        try:
            async with shop.db.writing(shop.merchant_id) as tx:
                await set_feature_override(tx, shop.clock, command)
            return
        except Exception as error:
            # A worker of the same database may bill the subscription just now.
            if not is_retryable(error):
                raise
    raise AssertionError("the change was never made")


@pytest.mark.spec("ENT-5", "ENT-8")
async def test_revision_seen_elsewhere__is_never_answered_from_before_it(
    shop: Shop, checker: Checker
) -> None:
    customer = await shop.sign_up("acme")
    held = await shop.subscribe(customer, 1)
    who = CustomerById(customer.id)
    for number in range(50):
        await checker.snapshot(shop.merchant_id, who)
        await change_quietly(shop, held, on=number % 2 == 1)
        async with shop.db.reading(shop.merchant_id) as tx:
            seen = await build_snapshot(tx, shop.clock, who)

        got = await checker.snapshot(shop.merchant_id, who, seen.revision)

        assert got.revision >= seen.revision
        assert got.features["advanced-analytics"].value is (number % 2 == 1)
