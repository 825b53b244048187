"""Subscriptions end, go on, begin again and are tried, with what they may do meanwhile (SUB-5 to SUB-7, TRL-2)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from candela.catalog.v1 import (
    plan_pb2,
    plan_service_pb2,
    price_terms_pb2,
)

from candela_server.catalog.archive_plan import ArchivePlan, archive_plan
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.refs import BySlug
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.kernel.errors import InvalidInput
from candela_server.subscription.change import (
    Cancellation,
    Pause,
    PriceOverride,
    Reactivation,
    Resume,
    ScheduledStatus,
    SubscriptionVersionMismatchError,
)
from candela_server.subscription.change_plan import OtherCurrencyError
from candela_server.subscription.model import (
    Proration,
    Status,
    Subscription,
    TransitionRefusedError,
)

from tests.helpers.changing import AT, NOW, PERIOD_END, Desk, quantity, to_plan
from tests.helpers.included_calls import bringing, calls_of, day
from tests.helpers.market import Market, calls, fee, flat, money
from tests.integration.billing.test_changed_subscriptions import seats

D = Decimal


async def allowance(desk: Desk, held: Subscription) -> Decimal | None:
    state = await calls_of(desk, held.customer_id)
    return state.metered.credits.allowance if state.metered and state.metered.credits else None


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "plan" is 10.00 and 1.00 a call; "basic" 20.00, "pro" 50.00, "team" 10.00 a seat."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await market.sell(fee("10"), calls(flat("1")), request=bringing("100", existing=False))
    await made.sell("basic", fee("20", name="Basic"))
    await made.sell("pro", fee("50", name="Pro"))
    await made.sell("team", seats("10"))
    return made


@pytest.mark.spec("SUB-6", "SUB-3")
async def test_end_at_the_periods_end__can_be_undone_until_then(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    ending = (await desk.change(held, Cancellation())).subscription
    assert (ending.version.status, ending.version.cancel_at) == (Status.ACTIVE, day(5, 1))

    going_on = await desk.undo_cancellation(held)
    await desk.market.bill(day(5, 1))

    assert going_on.version.cancel_at is None
    assert (await desk.now(held)).version.status is Status.ACTIVE
    assert await desk.totals() == [D("20.00"), D("20.00")]
    [planned] = await desk.planned(held)
    assert (planned.status, planned.outcome) == (
        ScheduledStatus.CANCELED,
        "the cancellation was undone",
    )
    assert [one.version.reason for one in await desk.history(held)] == ["", "tests", "tests"]
    with pytest.raises(TransitionRefusedError):
        await desk.undo_cancellation(held)


@pytest.mark.spec("SUB-6", "SUB-7")
async def test_end_at_the_periods_end__comes_by_itself_and_bills_nothing_more(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await desk.change(held, to_plan("pro"), PERIOD_END)
    await desk.change(held, Cancellation())
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(6, 1))

    now = await desk.now(held)
    assert (now.version.status, now.version.valid_from) == (Status.CANCELED, day(5, 1))
    assert await desk.totals() == [D("20.00")]
    assert {one.status for one in await desk.planned(held)} == {
        ScheduledStatus.APPLIED,
        ScheduledStatus.CANCELED,
    }
    assert (await desk.now(held, as_of=day(4, 20))).version.cancel_at == day(5, 1)


@pytest.mark.spec("SUB-6")
async def test_end_at_an_instant__gives_the_rest_back_as_far_as_it_can(desk: Desk) -> None:
    holder = await desk.market.sign_up()
    held = await desk.take("plan", customer=holder)
    customer_id = held.customer_id
    await desk.market.bill(day(4, 1))
    await desk.market.use(holder, "104", day(4, 1))
    await desk.change(held, Cancellation(), AT, effective_at=day(4, 16))
    await desk.market.bill(day(4, 16))
    await desk.market.bill(day(4, 16, 17))

    # 4 calls beyond 100 at 1.00; 15 of 30 days of 10.00 go back, as far as 4.00 bear it
    assert sorted((line.kind.value, line.amount) for line in (await desk.invoices())[-1].lines) == [
        ("proration", D("-4.00")),
        ("usage", D("104.00")),
        ("usage_credit", D("-100.00")),
    ]
    assert await desk.market.balances() == [D(0)]
    assert (await calls_of(desk, customer_id)).metered is None


@pytest.mark.spec("SUB-6", "SUB-7")
async def test_reactivated__begins_anew_with_its_own_anchor(desk: Desk) -> None:
    held = await desk.take("plan")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 10))
    await desk.change(held, Cancellation(), NOW, Proration.NONE)
    desk.market.clock.advance(day(4, 20))

    again = (await desk.change(held, Reactivation(price_id=None))).subscription
    await desk.market.bill(day(4, 20))
    await desk.market.bill(day(5, 20))

    assert (again.id, again.anchor_at, again.version.number) == (held.id, day(4, 20), 3)
    # usage until the end has an invoice of its own; 10.00 for each period that began
    assert [one for one in await desk.totals() if one] == [D("10.00")] * 3
    assert (await desk.now(held, as_of=day(4, 15))).version.status is Status.CANCELED
    with pytest.raises(TransitionRefusedError):
        await desk.change(held, Reactivation(price_id=None))


@pytest.mark.spec("SUB-7")
async def test_what_the_table_does_not_have__is_refused(desk: Desk) -> None:
    held = await desk.take("basic")
    with pytest.raises(TransitionRefusedError):
        await desk.change(held, Resume())
    await desk.change(held, Pause(resume_at=None))
    with pytest.raises(TransitionRefusedError):
        await desk.change(held, Pause(resume_at=None))
    await desk.change(held, Cancellation(), NOW)
    for change in (Cancellation(), Pause(resume_at=None), Resume(), to_plan("pro")):
        with pytest.raises(TransitionRefusedError):
            await desk.change(held, change, NOW)
    assert [one.version.number for one in await desk.history(held)] == [1, 2, 3]


@pytest.mark.spec("SUB-3")
async def test_change_based_on_an_old_version__is_refused(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.change(held, to_plan("pro"), expected_version=1)
    with pytest.raises(SubscriptionVersionMismatchError):
        await desk.change(held, to_plan("basic"), expected_version=1)


@pytest.mark.spec("SUB-4")
async def test_price_that_is_held_already__makes_no_version(desk: Desk) -> None:
    held = await desk.take("basic")
    changed = await desk.change(held, PriceOverride(price_id=held.version.price_id))
    assert changed.at is None
    assert (await desk.now(held)).version.number == 1


@pytest.mark.spec("SUB-6")
async def test_plan_without_a_price_in_the_currency__is_not_for_it(desk: Desk) -> None:
    request = plan_service_pb2.CreatePlanRequest(slug="euro", name="Euro")
    component = fee("5")
    component.charge.flat.unit_price.currency = "EUR"
    request.prices.append(plan_pb2.NewPrice(currency="EUR", components=[component]))
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        made = await create_plan(tx, desk.market.clock, create_plan_from_proto(request))
    held = await desk.take("basic")
    change = to_plan("euro")
    with pytest.raises(OtherCurrencyError):
        await desk.change(held, replace(change, price_id=made.prices[0].id))


@pytest.mark.spec("SUB-5")
async def test_scheduled_change_that_cannot_be_made_any_more__fails_with_the_reason(
    desk: Desk,
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await desk.change(held, to_plan("pro"), AT, effective_at=day(4, 10))
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await archive_plan(tx, desk.market.clock, ArchivePlan(plan=BySlug("pro")))
    await desk.market.bill(day(4, 10))

    [planned] = await desk.planned(held)
    assert planned.status is ScheduledStatus.FAILED
    assert "archived" in planned.outcome
    assert (await desk.now(held)).version.number == 1


@pytest.mark.spec("SUB-5")
async def test_changes_of_one_instant__are_made_in_the_order_they_were_planned(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await desk.change(held, to_plan("team"), AT, effective_at=day(4, 10))
    await desk.change(held, to_plan("pro"), AT, effective_at=day(4, 10))
    await desk.change(held, to_plan("plan"), AT, effective_at=day(4, 8))
    await desk.market.bill(day(4, 20))

    plans = [one.version.plan_id for one in await desk.history(held)]
    want = ["basic", "plan", "team", "pro"]
    known = {made.plan.id: slug for slug, made in desk.plans.items()}
    assert [known.get(plan_id, "plan") for plan_id in plans] == want


@pytest.mark.spec("SUB-6", "ENT-3")
async def test_plan_with_more_included__gives_it_at_once_and_never_twice(desk: Desk) -> None:
    await desk.sell("big", fee("30"), calls(flat("1")), request=bringing("500"))
    held = await desk.take("plan")
    assert await allowance(desk, held) == D(100)

    await desk.change(held, to_plan("big"))
    assert await allowance(desk, held) == D(500)
    await desk.change(held, to_plan("plan"))
    assert await allowance(desk, held) == D(100)
    await desk.change(held, to_plan("big"))
    assert await allowance(desk, held) == D(500)


@pytest.mark.spec("SEAT-3", "DSL-9")
async def test_seats_added__bring_their_credits_once(desk: Desk) -> None:
    await desk.sell("seated", seats("10"), calls(flat("1")), request=bringing("10", per_seat=True))
    held = await desk.take("seated", seats=2)
    component = await desk.component(held)
    assert await allowance(desk, held) == D(20)

    await desk.change(held, quantity(component, 5))
    assert await allowance(desk, held) == D(50)
    await desk.change(held, quantity(component, 3), NOW)
    await desk.change(held, quantity(component, 5))
    assert await allowance(desk, held) == D(50)
    await desk.change(held, quantity(component, 6))
    assert await allowance(desk, held) == D(60)


@pytest.mark.spec("SUB-6")
async def test_preview__shows_what_the_change_bills_and_leaves_no_trace(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))

    seen = await desk.preview(held, to_plan("pro"), proration=Proration.INVOICE_NOW)
    later = await desk.preview(held, to_plan("pro"), PERIOD_END)
    assert (await desk.now(held)).version.number == 1
    assert await desk.totals() == [D("20.00")]
    await desk.change(held, to_plan("pro"), proration=Proration.INVOICE_NOW)

    [shown] = seen.invoices
    [_, made] = await desk.invoices()
    assert [(one.description, one.amount) for one in shown.lines] == [
        (one.description, one.amount) for one in made.lines
    ]
    assert shown.number is None
    assert seen.next_invoice is not None
    assert seen.next_invoice.total == D("50.00")
    assert not later.invoices
    assert later.next_invoice is not None
    assert later.next_invoice.total == D("50.00")


async def sell_trial(desk: Desk, parent: str) -> None:
    request = bringing("7")
    request.is_trial_plan, request.trial_days = True, 14
    request.trial_parent_plan.slug = parent
    await desk.sell("trial", fee("0", name="Trial"), request=request)


@pytest.mark.spec("TRL-2", "CRD-6")
async def test_trial__becomes_the_paid_plan_by_itself_and_keeps_no_trial_credits(
    desk: Desk,
) -> None:
    await sell_trial(desk, "plan")
    held = await desk.take("trial")
    assert held.version.status is Status.TRIALING
    assert await allowance(desk, held) == D(7)
    [planned] = await desk.planned(held)
    assert planned.due_at == day(4, 15)
    await desk.market.bill(day(4, 1))
    await desk.market.bill(day(4, 15))
    await desk.market.bill(day(5, 15))

    now = await desk.now(held)
    assert (now.version.status, now.anchor_at) == (Status.ACTIVE, day(4, 15))
    assert await allowance(desk, held) == D(100)
    assert [one for one in await desk.totals() if one] == [D("10.00"), D("10.00")]


@pytest.mark.spec("TRL-2")
async def test_trial_canceled__ends_with_the_trial_and_costs_nothing(desk: Desk) -> None:
    await sell_trial(desk, "pro")
    held = await desk.take("trial")
    ending = (await desk.change(held, Cancellation())).subscription
    await desk.market.bill(day(4, 15))
    await desk.market.bill(day(5, 15))

    assert ending.version.cancel_at == day(4, 15)
    assert (await desk.now(held)).version.status is Status.CANCELED
    assert sum(await desk.totals()) == 0


@pytest.mark.spec("TRL-2")
async def test_trial_of_a_plan_that_is_not_sold_any_more__is_canceled_at_its_end(
    desk: Desk,
) -> None:
    await sell_trial(desk, "pro")
    held = await desk.take("trial")
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await archive_plan(tx, desk.market.clock, ArchivePlan(plan=BySlug("pro")))
    await desk.market.bill(day(4, 15))

    assert (await desk.now(held)).version.status is Status.CANCELED


@pytest.mark.spec("TRL-2", "SUB-6")
async def test_trial_that_is_bought_early__is_billed_from_then_on(desk: Desk) -> None:
    await sell_trial(desk, "pro")
    held = await desk.take("trial")
    desk.market.clock.advance(day(4, 5))
    await desk.change(held, to_plan("pro"))
    await desk.market.bill(day(4, 5))
    await desk.market.bill(day(5, 5))

    assert (await desk.now(held)).anchor_at == day(4, 5)
    assert [one for one in await desk.totals() if one] == [D("50.00"), D("50.00")]


@pytest.mark.spec("SUB-6")
async def test_instant_without_a_date__is_refused(desk: Desk) -> None:
    held = await desk.take("basic")
    with pytest.raises(InvalidInput):
        await desk.change(held, to_plan("pro"), AT)


@pytest.mark.spec("SUB-6", "DSL-4")
async def test_amount_off_the_price_after_a_reactivation__is_taken_anew(desk: Desk) -> None:
    off = price_terms_pb2.Discount(
        amount_off=money("6"), duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER
    )
    await desk.sell("less", fee("20", name="Less"), discounts=(off,))
    held = await desk.take("less")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 10))
    await desk.change(held, Cancellation(), NOW, Proration.NONE)
    await desk.change(held, Reactivation(price_id=None))
    await desk.market.bill(day(4, 10))
    await desk.market.bill(day(5, 10))

    assert await desk.totals() == [D("14.00")] * 3
