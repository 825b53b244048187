"""Credit that begins within a period, where each user has a limit of its own (ENT-7, ENT-4, CRD-10)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from candela_server.customer.model import User

from tests.helpers.crediting import give
from tests.helpers.selling import Shop
from tests.integration.entitlement.reserving import LIMIT, Desk


@pytest.mark.spec("ENT-7", "ENT-4", "CRD-10")
async def test_gift_within_a_period__is_used_by_each_user_from_then_on(desk: Desk) -> None:
    shop = desk.shop
    customer = await shop.sign_up()
    ada, ben = await shop.add_user(customer), await shop.add_user(customer)
    await desk.record(ada, "50", name="seconds")
    await desk.record(ben, "5", name="seconds")
    shop.clock.advance(shop.clock.now() + timedelta(days=1))
    await give(Shop(shop.db, shop.clock, shop.merchant_id), customer, "100", feature="seconds")
    found = [await _left(desk, one) for one in (ada, ben)]
    taken = [await desk.consume(one, "100", "seconds") for one in (ada, ben)]
    more = [await desk.consume(one, "16", "seconds") for one in (ada, ben)]

    # Of the limit of 20 Ada had used all, and 30 beyond it; Ben has 15 of it left, beside the 100.
    assert LIMIT == 20
    assert found == [100, 115]
    assert [one.consumed for one in (*taken, *more)] == [True, True, False, False]
    assert [await _left(desk, one) for one in (ada, ben)] == [0, 15]


async def _left(desk: Desk, user: User) -> int:
    usage = (await desk.check(user, "seconds")).usage
    assert usage is not None
    assert usage.remaining is not None
    return int(usage.remaining)
