"""A subscription begins: versions, credits, and what is billed first (SUB-1 to SUB-3, CRD-5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.credit import read as credit
from candela_server.kernel.errors import InvalidInput
from candela_server.subscription import read
from candela_server.subscription.model import DuplicateSubscriptionError, SubscriptionNotFoundError

from tests.helpers.selling import Shop


@pytest.mark.spec("CRD-5", "DSL-9", "CRD-4")
async def test_five_seats__bring_five_times_the_credits_for_the_first_period(shop: Shop) -> None:
    customer = await shop.sign_up("acme")
    await shop.subscribe(customer, 5)

    async with shop.db.reading(shop.merchant_id) as tx:
        grants = await credit.list_grants(tx, customer.id, shop.clock.now())

    assert sorted(grant.balance for grant in grants) == [Decimal(500), Decimal(5000)]
    # 31 January 10:00 in New York to 28 February 10:00
    assert {(grant.effective_at, grant.expires_at) for grant in grants} == {
        (datetime(2026, 1, 31, 15, tzinfo=UTC), datetime(2026, 2, 28, 15, tzinfo=UTC))
    }


@pytest.mark.spec("SUB-3")
async def test_read_as_of_before_it_began__is_not_found(shop: Shop) -> None:
    held = await shop.subscribe(await shop.sign_up("acme"), 1)

    async with shop.db.reading(shop.merchant_id) as tx:
        now = await read.get_subscription(tx, held.id, as_of=shop.clock.now())
        with pytest.raises(SubscriptionNotFoundError):
            await read.get_subscription(
                tx, held.id, as_of=shop.clock.now() - timedelta(microseconds=1)
            )

    assert now.version.number == 1


@pytest.mark.spec("SUB-3")
async def test_version__cannot_be_changed_by_sql(shop: Shop) -> None:
    await shop.subscribe(await shop.sign_up("acme"), 1)

    with pytest.raises(Exception, match="never changes"):
        async with shop.db.writing(shop.merchant_id) as tx:
            await tx.execute(
                "UPDATE subscription_version SET status = 'canceled' WHERE merchant_id = $1",
                shop.merchant_id,
            )


@pytest.mark.spec("CRD-4")
async def test_balance_below_zero__is_refused_by_the_database(shop: Shop) -> None:
    customer = await shop.sign_up("acme")
    await shop.subscribe(customer, 1)
    async with shop.db.reading(shop.merchant_id) as tx:
        grant = (await credit.list_grants(tx, customer.id, shop.clock.now()))[0]

    with pytest.raises(Exception, match="balance of grant"):
        async with shop.db.writing(shop.merchant_id) as tx:
            await tx.execute(
                """
                INSERT INTO credit_transaction (merchant_id, id, grant_id, kind, amount, at)
                VALUES ($1, 'ctx_x', $2, 'draw', -100000, $3)
                """,
                shop.merchant_id,
                grant.id,
                shop.clock.now(),
            )


@pytest.mark.spec("SUB-9")
async def test_second_one_to_the_same_plan__is_refused(shop: Shop) -> None:
    customer = await shop.sign_up("acme")
    await shop.subscribe(customer, 1)

    with pytest.raises(DuplicateSubscriptionError):
        await shop.subscribe(customer, 1)


@pytest.mark.spec("SUB-1", "SUB-5")
async def test_start__may_lie_a_year_back_or_ahead_and_no_more(shop: Shop) -> None:
    customer = await shop.sign_up("acme")

    for days in (-367, 367):
        with pytest.raises(InvalidInput):
            await shop.subscribe(customer, 1, shop.clock.now() + timedelta(days=days))
    await shop.subscribe(customer, 1, shop.clock.now() - timedelta(days=30))
