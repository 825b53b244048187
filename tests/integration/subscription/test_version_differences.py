"""The history of a subscription can be compared, version with version (SUB-3)."""

from __future__ import annotations

import pytest

from candela_server.kernel.errors import InvalidInput
from candela_server.subscription.change import Cancellation
from candela_server.subscription.diff_versions import diff_versions
from candela_server.subscription.model import Subscription
from candela_server.subscription.rules.version_difference import Difference

from tests.helpers.changing import NOW, PERIOD_END, Desk, quantity, to_plan
from tests.helpers.market import Market, fee
from tests.integration.billing.test_changed_subscriptions import day, seats


@pytest.fixture
async def desk(market: Market) -> Desk:
    """ "team" by the seat, and "pro"."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("team", seats("10"))
    await made.sell("pro", fee("50"))
    return made


async def differing(
    desk: Desk, held: Subscription, from_version: int, to_version: int
) -> list[Difference]:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        return await diff_versions(tx, held.id, from_version=from_version, to_version=to_version)


@pytest.mark.spec("SUB-3")
async def test_versions__differ_in_what_was_changed_both_ways(desk: Desk) -> None:
    held = await desk.take("team", seats=3)
    component = await desk.component(held)
    await desk.change(held, quantity(component, 5), NOW)
    await desk.change(held, to_plan("pro"))
    await desk.change(held, Cancellation(), PERIOD_END)
    first, _, pro, _ = [one.version for one in await desk.history(held)]

    assert await differing(desk, held, 1, 1) == []
    assert await differing(desk, held, 1, 2) == [Difference(f"quantities[{component}]", "3", "5")]
    assert await differing(desk, held, 2, 1) == [Difference(f"quantities[{component}]", "5", "3")]
    assert await differing(desk, held, 3, 4) == [
        Difference("cancel_at", "", "2026-05-01T15:00:00Z")
    ]
    assert await differing(desk, held, 1, 4) == [
        Difference("plan_id", first.plan_id, pro.plan_id),
        Difference("plan_version_id", first.plan_version_id, pro.plan_version_id),
        Difference("price_id", first.price_id, pro.price_id),
        Difference(f"quantities[{component}]", "3", ""),
        Difference("cancel_at", "", "2026-05-01T15:00:00Z"),
    ]


@pytest.mark.spec("SUB-3")
async def test_numbers_that_no_version_has__are_refused_with_those_there_are(desk: Desk) -> None:
    held = await desk.take("pro")

    with pytest.raises(InvalidInput) as caught:
        await differing(desk, held, 0, 2)
    assert [(one.field, one.description) for one in caught.value.violations] == [
        ("from_version", "is 0; the subscription has the versions 1 to 1"),
        ("to_version", "is 2; the subscription has the versions 1 to 1"),
    ]
