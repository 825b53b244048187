"""What subscriptions as they are sold and ended let their customers do (ENT-3, ENT-4, SUB-6)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import feature_pb2, plan_pb2, plan_service_pb2

from candela_server.customer.model import CustomerById
from candela_server.entitlement.model import Denial, Snapshot
from candela_server.entitlement.rules.allowance import decide
from candela_server.subscription.change import Cancellation
from candela_server.subscription.model import Status, Subscription

from tests.helpers.changing import Desk
from tests.helpers.included_calls import bringing, calls_of, day
from tests.helpers.market import Market, calls, fee, flat
from tests.helpers.snapshots import build_snapshot

D = Decimal


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "plan" brings 100 calls a month and "large" 10,000, all of them hard limits."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await market.sell(calls(flat("1")))
    await made.sell("small", fee("10"), request=bringing("100"))
    await made.sell("large", fee("90"), request=bringing("10000"))
    return made


async def snapshot_of(desk: Desk, held: Subscription) -> Snapshot:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        return await build_snapshot(tx, desk.market.clock, CustomerById(held.customer_id))


@pytest.mark.spec("ENT-3", "ENT-4")
@pytest.mark.parametrize("order", [("small", "large"), ("large", "small")])
async def test_two_plans_with_credits__the_customer_has_the_larger_allowance(
    desk: Desk, order: tuple[str, str]
) -> None:
    holder = await desk.market.sign_up()
    held = {slug: await desk.take(slug, customer=holder) for slug in order}

    snapshot = await snapshot_of(desk, held["small"])
    state = snapshot.features["calls"]

    assert snapshot.subscription_of(state) == held["large"].id
    assert decide(state, used=D(5_000), quantity=D(1)).entitled
    assert not decide(state, used=D(10_000), quantity=D(1)).entitled


@pytest.mark.spec("ENT-4")
async def test_pay_as_you_go_without_anything_included__is_entitled(desk: Desk) -> None:
    held = await desk.take("plan")

    state = (await snapshot_of(desk, held)).features["calls"]

    assert decide(state, used=D(5), quantity=D(1)).entitled


@pytest.mark.spec("SUB-6", "ENT-8")
async def test_end_that_was_planned__ends_access_though_nobody_carries_it_out(desk: Desk) -> None:
    held = await desk.take("small")
    ending = (await desk.change(held, Cancellation())).subscription
    end = day(5, 1)
    before = await snapshot_of(desk, held)
    desk.market.clock.advance(end - timedelta(microseconds=1))
    at_last = (await calls_of(desk, held.customer_id)).denial
    desk.market.clock.advance(end)

    after = await snapshot_of(desk, held)

    assert (ending.version.cancel_at, before.features["calls"].valid_until) == (end, end)
    assert before.valid_until == end
    assert at_last is None
    assert (await desk.now(held)).version.status is Status.ACTIVE
    assert after.features["calls"].denial is Denial.NO_ACTIVE_SUBSCRIPTION
    assert after.subscription_ids == ()


@pytest.mark.spec("SUB-6", "ENT-8")
async def test_end_that_is_undone__goes_on(desk: Desk) -> None:
    held = await desk.take("small")
    await desk.change(held, Cancellation())
    await desk.undo_cancellation(held)
    desk.market.clock.advance(day(5, 1))

    assert (await calls_of(desk, held.customer_id)).denial is None


@pytest.mark.spec("TRL-2", "ENT-8")
async def test_trial__is_told_when_it_ends_and_lasts_until_that_is_carried_out(desk: Desk) -> None:
    request = plan_service_pb2.CreatePlanRequest(
        is_trial_plan=True,
        trial_days=14,
        features=[
            plan_pb2.PlanFeatureInput(
                existing=feature_pb2.FeatureRef(slug="calls"),
                value=feature_pb2.FeatureValue(number="7"),
            )
        ],
    )
    request.trial_parent_plan.slug = "small"
    await desk.sell("trial", fee("0"), request=request)
    held = await desk.take("trial")
    before = await calls_of(desk, held.customer_id)
    desk.market.clock.advance(day(4, 15))
    overdue = await calls_of(desk, held.customer_id)
    await desk.market.bill(day(4, 15))
    after = await calls_of(desk, held.customer_id)

    assert before.valid_until == day(4, 15)
    assert [one.metered.limit for one in (before, overdue, after) if one.metered] == [7, 7, 100]
