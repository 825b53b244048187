"""Due work is taken once, and at the same cost however much is due (INV-2)."""

from __future__ import annotations

import pytest

from candela_server.merchant.model import TestClockId
from candela_server.subscription.claim_due import claim_due

from tests.helpers.selling import Shop


@pytest.mark.spec("INV-2")
async def test_two_workers__take_different_subscriptions(shop: Shop) -> None:
    held = {(await shop.subscribe(await shop.sign_up(f"c{one}"), 1)).id for one in range(4)}
    now = shop.clock.now()

    async with (
        shop.db.writing(shop.merchant_id) as one,
        shop.db.writing(shop.merchant_id) as other,
    ):
        first = await claim_due(one, until=now, test_clock_id=None, limit=2)
        second = await claim_due(other, until=now, test_clock_id=None, limit=10)

    taken = [{due.subscription_id for due in claimed} for claimed in (first, second)]
    assert [len(one) for one in taken] == [2, 2]
    assert taken[0] | taken[1] == held


@pytest.mark.spec("INV-2")
async def test_claim__takes_all_that_is_due_first_of_a_subscription_and_nothing_else(
    shop: Shop,
) -> None:
    held = await shop.subscribe(await shop.sign_up("acme"), 1)

    async with shop.db.writing(shop.merchant_id) as tx:
        now = await claim_due(tx, until=shop.clock.now(), test_clock_id=None, limit=1)
        other_time = await claim_due(
            tx, until=shop.clock.now(), test_clock_id=TestClockId("tck_other"), limit=1
        )

    # Seats are due in advance; both usage components only as the period ends.
    assert [one.subscription_id for one in now] == [held.id]
    assert other_time == []
