"""A second subscription to a plan, or to a trial that leads to it, needs to be meant (SUB-9)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from candela.catalog.v1 import plan_service_pb2

from candela_server.customer.model import Customer
from candela_server.subscription.change import Cancellation, ChangeSubscription, Reactivation
from candela_server.subscription.change_json import change_from_json, change_to_json
from candela_server.subscription.change_subscription import change_subscription
from candela_server.subscription.create_subscription import (
    create_subscription,
)
from candela_server.subscription.migration import MoveTiming
from candela_server.subscription.model import (
    DuplicateSubscriptionError,
    Subscription,
    TransitionRefusedError,
)

from tests.helpers.blocking import until_waiting
from tests.helpers.changing import NOW, PERIOD_END, Desk, swap, to_plan
from tests.helpers.commands import taking
from tests.helpers.market import Market, fee
from tests.integration.billing.test_changed_subscriptions import day


@pytest.fixture
async def desk(market: Market) -> Desk:
    """ "pro" and a trial of it; "basic" is another family."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("pro", fee("50"))
    await made.sell("basic", fee("20"))
    trial = plan_service_pb2.CreatePlanRequest(is_trial_plan=True, trial_days=14)
    trial.trial_parent_plan.slug = "pro"
    await made.sell("pro-trial", fee("0"), request=trial)
    return made


async def take(
    desk: Desk, customer: Customer, slug: str, *, allow_duplicate: bool = False
) -> Subscription:
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        return await create_subscription(
            tx,
            desk.market.clock,
            taking(customer.id, slug, allow_duplicate=allow_duplicate),
        )


@pytest.mark.spec("SUB-9", "TRL-2")
@pytest.mark.parametrize(
    ("first", "second"), [("pro", "pro"), ("pro-trial", "pro"), ("pro", "pro-trial")]
)
async def test_second_one_of_a_family__is_refused_unless_it_is_meant(
    desk: Desk, first: str, second: str
) -> None:
    customer = await desk.market.sign_up()
    held = await take(desk, customer, first)

    with pytest.raises(DuplicateSubscriptionError) as caught:
        await take(desk, customer, second)
    assert caught.value.metadata["subscription_id"] == held.id
    await take(desk, customer, "basic")
    await take(desk, customer, second, allow_duplicate=True)


@pytest.mark.spec("SUB-9", "SUB-6")
async def test_move_to_a_plan_that_is_held_already__is_refused_unless_it_is_meant(
    desk: Desk,
) -> None:
    customer = await desk.market.sign_up()
    await take(desk, customer, "pro-trial")
    held = await take(desk, customer, "basic")

    with pytest.raises(DuplicateSubscriptionError):
        await desk.change(held, to_plan("pro"))
    with pytest.raises(DuplicateSubscriptionError):
        await desk.change(held, to_plan("pro"), PERIOD_END)
    meant = replace(to_plan("pro"), allow_duplicate=True)
    assert change_from_json(change_to_json(meant)) == meant
    await desk.change(held, meant)
    assert (await desk.now(held)).version.number == 2


@pytest.mark.spec("SUB-9", "SUB-6")
async def test_one_that_has_ended__holds_no_place_and_comes_back_only_to_a_free_one(
    desk: Desk,
) -> None:
    customer = await desk.market.sign_up()
    held = await take(desk, customer, "pro")
    await desk.change(held, Cancellation(), NOW)
    second = await take(desk, customer, "pro")

    with pytest.raises(DuplicateSubscriptionError):
        await desk.change(held, Reactivation(price_id=None))
    await desk.change(second, swap(await desk.component(second), fee("60")))
    assert (await desk.now(second)).version.number == 2


@pytest.mark.spec("SUB-9", "SUB-6")
async def test_two_moves_at_once_to_one_plan__let_one_of_them_through(desk: Desk) -> None:
    customer = await desk.market.sign_up()
    await desk.sell("other", fee("30"))
    first, second = await take(desk, customer, "basic"), await take(desk, customer, "other")
    to_pro = ChangeSubscription(subscription_id=first.id, change=to_plan("pro"))

    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await change_subscription(tx, desk.market.clock, to_pro)
        late = asyncio.create_task(desk.change(second, to_plan("pro")))
        # It waits for the first one, as long as that is not decided.
        await until_waiting(desk.market.db.url, await tx.fetchval("SELECT pg_backend_pid()"))
        assert not late.done()
    with pytest.raises(DuplicateSubscriptionError) as caught:
        await late

    assert caught.value.metadata["subscription_id"] == first.id
    assert [(await desk.now(one)).version.number for one in (first, second)] == [2, 1]


@pytest.mark.spec("TRL-2", "SUB-7")
@pytest.mark.parametrize("held_plan", ["basic", "other-trial"])
@pytest.mark.parametrize("timing", [NOW, PERIOD_END])
async def test_move_to_a_trial__is_refused_because_trials_are_begun(
    desk: Desk, held_plan: str, timing: MoveTiming
) -> None:
    trial = plan_service_pb2.CreatePlanRequest(is_trial_plan=True, trial_days=14)
    trial.trial_parent_plan.slug = "basic"
    await desk.sell("other-trial", fee("0"), request=trial)
    held = await take(desk, await desk.market.sign_up(), held_plan)

    with pytest.raises(TransitionRefusedError) as caught:
        await desk.change(held, to_plan("pro-trial"), timing)
    state = "trialing" if held_plan == "other-trial" else "active"
    assert caught.value.metadata == {"from": state, "to": "trialing"}
    assert "begins with" in caught.value.message
    assert (await desk.now(held)).version.number == 1
