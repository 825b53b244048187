"""Lives that end, and changes at the same time as each other and as billing, against a sum over days (SUB-6, fault 64).

Whatever was done in whatever order: what was billed and not given back is what the days of the history come to.
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import price_pb2, price_terms_pb2

from candela_server.billing import credit_note_store
from candela_server.kernel.errors import CandelaError
from candela_server.subscription.change import Cancellation, Change, Pause, Resume
from candela_server.subscription.model import Proration, Status, Subscription

from tests.helpers.changing import NOW, Desk, quantity, to_plan
from tests.helpers.day_sums import Sold, owed
from tests.helpers.market import Market, fee, money
from tests.integration.billing.test_changed_subscriptions import day, seats

D = Decimal
START, END = day(4, 16), day(8, 9)
FOREVER = price_terms_pb2.DISCOUNT_DURATION_FOREVER
PLANS = {
    "basic": Sold(amount="20", percent_off=25),
    "year": Sold(amount="365", months=12),
    "first": Sold(amount="31", months=0, amount_off="6"),
    "team": Sold(amount="7.77", seats=True, amount_off="5"),
}
CHARGED = [Proration.INVOICE_NOW, Proration.NEXT_INVOICE]


def off(amount: str) -> price_terms_pb2.Discount:
    return price_terms_pb2.Discount(amount_off=money(amount), duration=FOREVER)


def with_off(one: price_pb2.PriceComponent, amount: str) -> price_pb2.PriceComponent:
    one.discounts.append(off(amount))
    return one


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 16 April 2026, 15:00 UTC."""
    market.clock.advance(START)
    made = Desk(market)
    quarter = price_terms_pb2.Discount(percent="25", duration=FOREVER)
    await made.sell("basic", fee("20", name="Basic"), discounts=(quarter,))
    await made.sell("year", fee("365", name="Year", rule="FREQ=YEARLY"))
    await made.sell(
        "first", with_off(fee("31", name="First", rule="FREQ=MONTHLY;BYMONTHDAY=1"), "6")
    )
    await made.sell("team", with_off(seats("7.77"), "5"))
    return made


async def kept(desk: Desk) -> Decimal:
    """What was billed and not given back."""
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        notes = await credit_note_store.page_credit_notes(
            tx, invoice_id=None, limit=10_000, after=None
        )
    return sum(await desk.totals(), D(0)) - sum((one.total for one in notes), D(0))


async def end(desk: Desk, held: Subscription, at: datetime) -> None:
    """Ends it, if that has not happened, and checks what it has cost."""
    desk.market.clock.advance(at)
    if (await desk.now(held)).version.status is not Status.CANCELED:
        await desk.change(held, Cancellation(), NOW, Proration.NEXT_INVOICE)
    await desk.market.bill(at + timedelta(hours=2))
    history = await desk.history(held)
    plans = {desk.plans[slug].plan.id: sold for slug, sold in PLANS.items()}

    assert [one.version.number for one in history] == list(range(1, len(history) + 1))
    assert await kept(desk) == owed(history, plans, until=at.date())
    assert all(one.total >= 0 for one in await desk.invoices())


async def some_change(desk: Desk, held: Subscription, chance: random.Random) -> Change:
    """Something that may be possible."""
    now = (await desk.now(held)).version
    if now.status is Status.PAUSED and chance.random() < 0.8:
        return Resume()
    kind = chance.choice(["plan", "plan", "seats", "pause"])
    if kind == "pause":
        return Pause(resume_at=None)
    if kind == "seats" and now.quantities:
        return quantity(next(iter(now.quantities)), chance.randint(1, 9))
    return to_plan(chance.choice(list(PLANS)))


@pytest.mark.spec("SUB-6", "SEAT-1", "DSL-4", "INV-8")
@pytest.mark.parametrize("seed", range(16))
async def test_random_life_that_ends__keeps_what_its_days_come_to(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    held = await desk.take(chance.choice(["basic", "year", "first"]))
    await desk.market.bill(START)
    hours = int((END - START).total_seconds() // 3600)
    for at in sorted(chance.randint(1, hours - 1) for _ in range(chance.randint(2, 12))):
        instant = START + timedelta(hours=at, minutes=7)
        await desk.market.bill(instant)
        try:
            await desk.change(
                held, await some_change(desk, held, chance), NOW, chance.choice(CHARGED)
            )
        except CandelaError:
            continue

    await end(desk, held, END)


@pytest.mark.spec("SUB-6", "SUB-3", "SEAT-1", "INV-2")
@pytest.mark.parametrize("seed", range(12))
async def test_changes_an_end_and_billing_at_once__come_to_what_some_order_of_them_does(
    desk: Desk, seed: int
) -> None:
    chance = random.Random(seed)
    held = await desk.take("team", seats=3)
    await desk.market.bill(START)
    component = await desk.component(held)
    # Some minutes after renewals, too: what is due is billed by whoever comes first.
    moments = [START + timedelta(days=12), day(5, 1), day(5, 16), day(5, 25), day(6, 16)]
    for moment in moments:
        at = moment + timedelta(minutes=7)
        desk.market.clock.advance(at)
        acts = [
            desk.change(
                held, quantity(component, chance.randint(1, 9)), NOW, chance.choice(CHARGED)
            ),
            desk.change(held, to_plan(chance.choice(list(PLANS))), NOW, chance.choice(CHARGED)),
            desk.change(held, to_plan("team"), NOW, chance.choice(CHARGED)),
            desk.market.bill(at),
            desk.market.bill(at),
        ]
        if chance.random() < 0.15 or moment is moments[-1]:
            acts.append(desk.change(held, Cancellation(), NOW, chance.choice(CHARGED)))
        chance.shuffle(acts)
        outcomes = await asyncio.gather(*acts, return_exceptions=True)
        # What came too late for the state that another left is refused with a reason; nothing else goes wrong.
        wrong = [
            one
            for one in outcomes
            if isinstance(one, BaseException) and not isinstance(one, CandelaError)
        ]
        assert not wrong

    assert (await desk.now(held)).version.status is Status.CANCELED
    await end(desk, held, day(6, 20))
