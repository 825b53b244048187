"""The credits of a trial end with it, and the paid plan brings its own (CRD-6)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import (
    credit_definition_pb2,
    feature_pb2,
    plan_pb2,
    plan_service_pb2,
)
from google.protobuf.duration_pb2 import Duration

from candela_server.customer.model import CustomerById
from candela_server.customer.read import get_customer
from candela_server.subscription.change import Cancellation
from candela_server.subscription.model import Status, Subscription
from candela_server.subscription.renew_by_rule import renew_due

from tests.helpers.changing import NOW, Desk
from tests.helpers.crediting import give, grants_of
from tests.helpers.included_calls import bringing, day, sweep
from tests.helpers.market import Market, calls, fee, flat
from tests.helpers.snapshots import build_snapshot

D = Decimal
MONETARY = credit_definition_pb2.CREDIT_APPLICATION_TYPE_MONETARY
USAGE = credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE
WEEK = Duration(seconds=int(timedelta(days=7).total_seconds()))


def money(name: str, amount: str) -> credit_definition_pb2.NewCreditDefinition:
    """Money that pays for anything, each month."""
    return credit_definition_pb2.NewCreditDefinition(
        name=name,
        scope=credit_definition_pb2.CREDIT_SCOPE_MERCHANT,
        application_type=MONETARY,
        currency="USD",
        default_amount=amount,
        renew_on_billing=True,
    )


def once(amount: str) -> credit_definition_pb2.NewCreditDefinition:
    """Calls that are given once and never end."""
    return credit_definition_pb2.NewCreditDefinition(
        name=f"{amount} calls to begin with",
        scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
        application_type=USAGE,
        feature="calls",
        default_amount=amount,
        billing_visible=True,
    )


def weekly(amount: str) -> credit_definition_pb2.NewCreditDefinition:
    """Calls that are given each week, for a week."""
    made = once(amount)
    made.name, made.renewal_rule = "calls of the week", "FREQ=WEEKLY"
    made.expires_after.CopyFrom(WEEK)
    return made


def plan_with(
    *credits: credit_definition_pb2.NewCreditDefinition, trial_of: str = ""
) -> plan_service_pb2.CreatePlanRequest:
    request = plan_service_pb2.CreatePlanRequest(
        features=[plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug="calls"))],
        credit_definitions=credits,
    )
    if trial_of:
        request.is_trial_plan, request.trial_days = True, 14
        request.trial_parent_plan.slug = trial_of
    return request


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; calls are a dollar each; a trial of 14 days, and the plan that it leads to."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await market.sell(fee("1"), calls(flat("1")), request=bringing("1", existing=False))
    await made.sell(
        "paid",
        fee("50"),
        calls(flat("1")),
        request=plan_with(money("Welcome", "4"), once("20"), weekly("5")),
    )
    await made.sell(
        "trial",
        fee("0"),
        calls(flat("1")),
        request=plan_with(money("Trial money", "30"), once("7"), trial_of="paid"),
    )
    return made


async def left(desk: Desk, held: Subscription) -> dict[str, Decimal]:
    """What is left of each amount that was granted."""
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        holder = await get_customer(tx, CustomerById(held.customer_id))
    found = await grants_of(desk.market.shop, holder)
    return {
        f"{one.amount.normalize():f} from {one.effective_at:%m-%d}": one.balance for one in found
    }


async def allowance(desk: Desk, held: Subscription) -> Decimal | None:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        made = await build_snapshot(tx, desk.market.clock, CustomerById(held.customer_id))
    metered = made.features["calls"].metered
    return metered.credits.allowance if metered and metered.credits else None


@pytest.mark.spec("CRD-6", "CRD-8", "CRD-5")
async def test_trial_that_becomes_a_plan__pays_its_own_usage_and_nothing_of_the_plan(
    desk: Desk,
) -> None:
    holder = await desk.market.sign_up()
    held = await desk.take("trial", customer=holder)
    await give(desk.market.shop, holder, "3", feature="calls")
    assert await allowance(desk, held) == D(10)
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 10))
    await desk.market.use(holder, "12", day(4, 10))
    await desk.market.bill(day(4, 15))
    await renew_due(desk.market.db, desk.market.merchant_id, now=day(4, 15))
    await sweep(desk)

    # The gift stays; the paid plan brings 20 and the week's 5.
    assert (await desk.now(held)).version.status is Status.ACTIVE
    assert await allowance(desk, held) == D(28)

    # What was used last in the trial is billed with what is due next, and the trial's credits wait for that.
    assert (await left(desk, held))["30 from 04-01"] == 30
    await desk.market.bill(day(5, 15))
    await desk.market.bill(day(5, 20))
    await sweep(desk)
    every = [line for some in await desk.market.lines() for line in some]
    # Of 12 calls in the trial, that pays 7, the gift 3, and the trial's money the other 2.
    assert ("usage", "12.00") in every
    assert sum(D(amount) for kind, amount in every if kind == "usage_credit") == -10
    assert [one for one in every if one[0] == "monetary_credit"] == [
        ("monetary_credit", "-4.00"),
        ("monetary_credit", "-2.00"),
        ("monetary_credit", "-4.00"),
    ]
    got = await left(desk, held)
    assert got["7 from 04-01"] == 0
    assert got["30 from 04-01"] == 0
    assert got["20 from 04-15"] == 20
    assert sum(one.total for one in await desk.invoices()) == D("92.00")


@pytest.mark.spec("CRD-6", "SUB-6")
async def test_trial_that_is_canceled_at_once__leaves_no_credits(desk: Desk) -> None:
    held = await desk.take("trial")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 5))
    await desk.change(held, Cancellation(), NOW)
    await desk.market.bill(day(4, 5))
    await desk.market.bill(day(4, 10))
    await sweep(desk)

    assert set((await left(desk, held)).values()) == {D(0)}
