"""What becomes of a cut period when a change does not say it: as the merchant has it set (SEAT-1, SEAT-2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.merchant import read as merchant
from candela_server.merchant import store as merchant_store
from candela_server.merchant.model import ProrationTiming
from candela_server.subscription.change import (
    Cancellation,
    ChangeSubscription,
    PreviewStaleError,
    Reactivation,
)
from candela_server.subscription.change_subscription import change_subscription
from candela_server.subscription.model import Proration
from candela_server.subscription.preview_token import check_amounts

from tests.helpers.changing import NOW, PERIOD_END, Desk, quantity, to_plan
from tests.helpers.market import Market, fee
from tests.integration.billing.test_changed_subscriptions import seats

D = Decimal


def day(month: int, of_month: int) -> datetime:
    return datetime(2026, month, of_month, tzinfo=UTC)


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026; "basic" is 30.00 and "pro" 60.00 a month, "team" and "eager" 30.00 a seat."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("basic", fee("30", name="Basic"))
    await made.sell("pro", fee("60", name="Pro"))
    await made.sell("team", seats("30"))
    await made.sell("eager", seats("30", bill_immediately=True))
    return made


async def set_to(desk: Desk, timing: ProrationTiming) -> None:
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        found = await merchant.get_merchant(tx, lock=True)
        settings = replace(found.settings, proration=timing)
        await merchant_store.update_merchant(tx, replace(found, settings=settings))


@pytest.mark.spec("SEAT-1", "SEAT-2", "SUB-6")
@pytest.mark.parametrize(
    ("timing", "at_once", "with_may"),
    [
        # 15 of April's 30 days of Pro for 60.00 less those of Basic for 30.00: 15.00.
        (ProrationTiming.NEXT_INVOICE, [], D("75.00")),
        (ProrationTiming.INVOICE_NOW, [D("15.00")], D("60.00")),
        (ProrationTiming.NONE, [], D("60.00")),
    ],
)
async def test_change_that_does_not_say_it__does_what_the_merchant_has_set(
    desk: Desk, timing: ProrationTiming, at_once: list[Decimal], with_may: Decimal
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await set_to(desk, timing)
    desk.market.clock.advance(day(4, 16))
    seen = await desk.preview(held, to_plan("pro"), NOW)
    changed = await desk.change(held, to_plan("pro"), NOW)
    await desk.market.bill(day(5, 1))

    assert changed.proration == changed.subscription.version.proration == Proration(timing)
    assert [one.total for one in seen.invoices] == at_once
    assert seen.next_invoice is not None
    assert seen.next_invoice.total == with_may
    assert await desk.totals() == [D("30.00"), *at_once, with_may]


@pytest.mark.spec("SEAT-2", "SUB-6")
async def test_change_that_says_it__does_that_whatever_is_set(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await set_to(desk, ProrationTiming.NONE)
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, to_plan("pro"), NOW, Proration.INVOICE_NOW)

    assert await desk.totals() == [D("30.00"), D("15.00")]


@pytest.mark.spec("DSL-6", "SEAT-2", "SEAT-3")
async def test_price_that_bills_seats_immediately__goes_before_the_merchants_default(
    desk: Desk,
) -> None:
    team, eager = await desk.take("team", seats=1), await desk.take("eager", seats=1)
    await desk.market.bill(day(4, 1))
    await set_to(desk, ProrationTiming.NONE)
    desk.market.clock.advance(day(4, 16))
    for held in (team, eager):
        await desk.change(held, quantity(await desk.component(held), 3), NOW)

    assert await desk.totals() == [D("30.00"), D("30.00"), D("30.00")]


@pytest.mark.spec("SUB-5", "SEAT-1")
async def test_planned_change__keeps_what_was_set_when_it_was_planned(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await set_to(desk, ProrationTiming.INVOICE_NOW)
    await desk.change(held, to_plan("pro"), PERIOD_END)
    await set_to(desk, ProrationTiming.NONE)
    [planned] = await desk.planned(held)

    assert planned.proration is Proration.INVOICE_NOW


@pytest.mark.spec("SUB-6")
async def test_end_and_new_beginning__give_nothing_back_under_none_and_bill_the_new_period(
    desk: Desk,
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await set_to(desk, ProrationTiming.NONE)
    desk.market.clock.advance(day(4, 16))
    ended = await desk.change(held, Cancellation(), NOW)
    again = await desk.change(held, Reactivation(price_id=None), NOW)
    await desk.market.bill(day(4, 16))

    assert (ended.proration, again.proration) == (Proration.NONE, Proration.NEXT_INVOICE)
    assert await desk.totals() == [D("30.00"), D("30.00")]


@pytest.mark.spec("SUB-6")
async def test_default_changed_after_the_preview__makes_its_token_stale(desk: Desk) -> None:
    """Neither bills at once, so that the amounts of now are the same: nothing."""
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 16))
    seen = await desk.preview(held, to_plan("pro"), NOW)
    await set_to(desk, ProrationTiming.NONE)
    command = ChangeSubscription(subscription_id=held.id, change=to_plan("pro"), timing=NOW)
    async with desk.market.db.rehearsing(desk.market.merchant_id) as tx:
        changed = await change_subscription(tx, desk.market.clock, command)

    with pytest.raises(PreviewStaleError):
        check_amounts(seen.shown, changed, [])
