"""Subscriptions whose start lies ahead: listed and called off, billed and granted nothing before (SUB-5, SUB-2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.billing.preview_change import preview_creation
from candela_server.catalog.refs import BySlug
from candela_server.customer.model import Customer
from candela_server.entitlement.model import Denial
from candela_server.kernel.errors import InvalidInput
from candela_server.subscription.change import Cancellation, ScheduledStatus, Start
from candela_server.subscription.create_subscription import (
    CreateSubscription,
    create_subscription,
)
from candela_server.subscription.model import (
    DuplicateSubscriptionError,
    Status,
    Subscription,
    TransitionRefusedError,
)
from candela_server.subscription.schedule_change import cancel_scheduled_change
from candela_server.subscription.scheduled_wire import scheduled_to_proto

from tests.helpers.changing import AT, Desk, quantity, to_plan
from tests.helpers.commands import taking
from tests.helpers.included_calls import use
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.test_subscription_lives import (
    bringing,
    calls_of,
    day,
    sell_trial,
)

D = Decimal


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "plan" is 20.00 a month in advance, and 1.00 a call beyond 100."""
    market.clock.advance(day(4, 1))
    await market.sell(fee("20"), calls(flat("1")), request=bringing("100", existing=False))
    return Desk(market)


def from_11_april(holder: Customer) -> CreateSubscription:
    return taking(holder.id, "plan", start_at=day(4, 11), reason="agreed")


async def agree(desk: Desk, wanted: CreateSubscription) -> Subscription:
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        return await create_subscription(tx, desk.market.clock, wanted)


@pytest.mark.spec("SUB-5", "SUB-2", "SUB-7", "CRD-5")
async def test_start_that_lies_ahead__bills_and_grants_from_then_on_and_nothing_before(
    desk: Desk,
) -> None:
    holder = await desk.market.sign_up()
    held = await agree(desk, from_11_april(holder))
    [planned] = await desk.planned(held)
    shown = scheduled_to_proto(planned)
    await desk.market.bill(day(4, 10))
    before = await calls_of(desk, holder)
    waiting = (await desk.now(held), await desk.totals())
    await desk.market.bill(day(4, 11))
    begun, state = await desk.now(held), await calls_of(desk, holder)
    await use(desk, holder, "130", day(4, 20))
    await desk.market.bill(day(5, 11))

    assert (planned.due_at, planned.status) == (day(4, 11), ScheduledStatus.PENDING)
    assert isinstance(planned.change, Start)
    assert shown.start.price_id == held.version.price_id
    assert (waiting[0].version.status, waiting[1]) == (Status.INCOMPLETE, [])
    assert before.denial is Denial.NO_ACTIVE_SUBSCRIPTION
    assert (begun.version.status, begun.anchor_at) == (Status.ACTIVE, day(4, 11))
    assert begun.version.valid_from == day(4, 11)
    assert state.denial is None
    assert state.metered is not None
    assert (state.metered.limit, state.metered.window.start_at) == (D(100), day(4, 11))
    # 20.00 from 11 April; then 20.00 from 11 May and 30 calls of April's 130.
    assert await desk.totals() == [D("20.00"), D("50.00")]
    [done] = await desk.planned(held)
    assert done.status is ScheduledStatus.APPLIED


@pytest.mark.spec("SUB-5", "SUB-2")
async def test_start_noticed_late__counts_from_the_instant_that_was_agreed(desk: Desk) -> None:
    held = await agree(desk, from_11_april(await desk.market.sign_up()))
    await desk.market.bill(day(5, 20))

    now = await desk.now(held)
    assert (now.version.valid_from, now.anchor_at) == (day(4, 11), day(4, 11))
    assert await desk.totals() == [D("20.00"), D("20.00")]


@pytest.mark.spec("SUB-5", "SUB-6")
@pytest.mark.parametrize("by", ["the start is called off", "it is canceled"])
async def test_start_that_is_called_off__ends_the_subscription_and_bills_nothing(
    desk: Desk, by: str
) -> None:
    holder = await desk.market.sign_up()
    held = await agree(desk, from_11_april(holder))
    [planned] = await desk.planned(held)
    if by == "it is canceled":
        await desk.change(held, Cancellation())
    else:
        async with desk.market.db.writing(desk.market.merchant_id) as tx:
            after = await cancel_scheduled_change(tx, desk.market.clock, planned.id)
        assert after.status is ScheduledStatus.CANCELED
    await desk.market.bill(day(4, 11))
    await desk.market.bill(day(5, 11))

    assert (await desk.now(held)).version.status is Status.CANCELED
    assert [one.status for one in await desk.planned(held)] == [ScheduledStatus.CANCELED]
    assert await desk.totals() == []
    assert (await calls_of(desk, holder)).denial is Denial.NO_ACTIVE_SUBSCRIPTION


@pytest.mark.spec("SUB-5", "SUB-6")
async def test_end_that_is_planned_before_the_start__stays_planned(desk: Desk) -> None:
    held = await agree(desk, from_11_april(await desk.market.sign_up()))
    await desk.change(held, Cancellation(), AT, effective_at=day(4, 21))
    await desk.market.bill(day(4, 11))
    begun = await desk.now(held)
    await desk.market.bill(day(4, 21))

    assert (begun.version.status, begun.version.cancel_at) == (Status.ACTIVE, day(4, 21))
    assert (await desk.now(held)).version.status is Status.CANCELED


@pytest.mark.spec("SUB-5", "TRL-2")
async def test_trial_that_begins_later__has_all_its_days(desk: Desk) -> None:
    await sell_trial(desk, "plan")
    wanted = replace(from_11_april(await desk.market.sign_up()), plan=BySlug("trial"))
    held = await agree(desk, wanted)
    await desk.market.bill(day(4, 11))
    trying = await desk.now(held)
    await desk.market.bill(day(4, 25))

    assert trying.version.status is Status.TRIALING
    assert [one.due_at for one in await desk.planned(held)] == [day(4, 11), day(4, 25)]
    assert (await desk.now(held)).version.status is Status.ACTIVE
    # The trial is billed nothing, the plan after it 20.00.
    assert await desk.totals() == [D("0.00"), D("20.00")]


@pytest.mark.spec("SUB-5", "SUB-9")
async def test_second_start_of_a_family__must_be_meant_unless_the_first_ends_before(
    desk: Desk,
) -> None:
    twice, following = await desk.market.sign_up(), await desk.market.sign_up()
    await agree(desk, from_11_april(twice))
    with pytest.raises(DuplicateSubscriptionError):
        await agree(desk, from_11_april(twice))
    with pytest.raises(DuplicateSubscriptionError):
        await agree(desk, replace(from_11_april(twice), start_at=None))
    await agree(desk, replace(from_11_april(twice), allow_duplicate=True))

    first = await agree(desk, replace(from_11_april(following), start_at=None))
    await desk.change(first, Cancellation(), AT, effective_at=day(4, 11))
    second = await agree(desk, from_11_april(following))
    await desk.market.bill(day(4, 11))
    assert (await desk.now(second)).version.status is Status.ACTIVE


@pytest.mark.spec("SUB-5", "SUB-7")
async def test_terms_before_the_start__stand_and_a_start_too_far_ahead_is_refused(
    desk: Desk,
) -> None:
    await desk.sell("other", fee("30"))
    holder = await desk.market.sign_up()
    held = await agree(desk, from_11_april(holder))
    with pytest.raises(TransitionRefusedError):
        await desk.change(held, to_plan("other"))
    with pytest.raises(TransitionRefusedError):
        await desk.change(held, quantity(await desk.component(held), 2))
    far = replace(from_11_april(holder), start_at=day(4, 11) + timedelta(days=400))
    with pytest.raises(InvalidInput) as caught:
        await agree(desk, far)
    assert [one.field for one in caught.value.violations] == ["start_at"]


@pytest.mark.spec("SUB-5", "SUB-6")
async def test_preview_of_a_later_start__bills_nothing_now_and_shows_the_first_invoice(
    desk: Desk,
) -> None:
    wanted = from_11_april(await desk.market.sign_up())

    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        seen = await preview_creation(tx, desk.market.events, desk.market.clock, wanted)
    assert seen.invoices == []
    assert seen.next_invoice is not None
    assert seen.next_invoice.total == D("20.00")
