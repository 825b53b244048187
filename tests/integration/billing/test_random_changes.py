"""Random lives of subscriptions against an independent sum over days (SEAT-1, SUB-6)."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from candela_server.subscription.change import Change, Pause, Resume
from candela_server.subscription.model import Proration, Status, Subscription

from tests.helpers.changing import NOW, Desk, quantity, to_plan
from tests.helpers.market import Market, fee
from tests.integration.billing.test_changed_subscriptions import day, seats

D = Decimal
START, END = day(4, 1), day(7, 1)
FEES = {"basic": D("20"), "pro": D("49.99")}
SEAT = D("7.77")
Days = dict[date, tuple[str, int]]


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00 UTC."""
    market.clock.advance(START)
    made = Desk(market)
    for slug, amount in FEES.items():
        await made.sell(slug, fee(str(amount), name=slug))
    await made.sell("team", seats(str(SEAT)))
    return made


def cost(slug: str, seats_held: int) -> Decimal:
    return FEES[slug] if slug in FEES else SEAT * seats_held


def owed(states: Days) -> Decimal:
    """Each month of each plan: the sum of its days' shares, rounded once; and the last month, begun just now, whole."""
    shares: defaultdict[tuple[int, str], Fraction] = defaultdict(Fraction)
    current = states[START.date()]
    on = START.date()
    while on < END.date():
        current = states.get(on, current)
        slug, held = current
        days = {4: 30, 5: 31, 6: 30}[on.month]
        if slug:
            shares[on.month, slug] += Fraction(cost(slug, held)) / days
        on += timedelta(days=1)
    current = states.get(END.date(), current)
    last = cost(*current) if current[0] else D(0)
    # exact shares, rounded half up to the cent
    return last + sum(
        (D(int(share * 100 + Fraction(1, 2))) / 100 for share in shares.values()), D(0)
    )


async def next_change(
    desk: Desk, held: Subscription, chance: random.Random
) -> tuple[Change, tuple[str, int]]:
    """Something that can be done now, and what is held afterwards."""
    now = (await desk.now(held)).version
    slugs = {desk.plans[slug].plan.id: slug for slug in desk.plans}
    slug = slugs[now.plan_id]
    count = int(next(iter(now.quantities.values()), D(1)))
    if now.status is Status.PAUSED:
        return Resume(), (slug, count)
    kind = chance.choice(["plan", "plan", "seats", "pause"])
    if kind == "pause":
        return Pause(resume_at=None), ("", 0)
    if kind == "seats" and slug == "team":
        wanted = chance.randint(1, 9)
        return quantity(await desk.component(held), wanted), (slug, wanted)
    other = chance.choice([*FEES, "team"])
    return to_plan(other), (other, count if other == slug == "team" else 1)


@pytest.mark.spec("SEAT-1", "SUB-6", "INV-8")
@pytest.mark.parametrize("seed", range(24))
async def test_random_life__bills_what_its_days_come_to(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    held = await desk.take("basic")
    states: Days = {START.date(): ("basic", 1)}
    await desk.market.bill(START)
    moments = sorted(chance.randint(1, 91 * 24 - 1) for _ in range(chance.randint(3, 14)))
    renewals = [day(5, 1), day(6, 1)]
    for hours in moments:
        at = START + timedelta(hours=hours, minutes=7)
        while renewals and renewals[0] <= at:
            await desk.market.bill(renewals.pop(0))
        desk.market.clock.advance(at)
        change, after = await next_change(desk, held, chance)
        proration = chance.choice([Proration.INVOICE_NOW, Proration.NEXT_INVOICE])
        await desk.change(held, change, NOW, proration)
        states[at.astimezone(UTC).date()] = after
        if chance.random() < 0.3:
            await desk.market.bill(at)
    for renewal in renewals:
        await desk.market.bill(renewal)
    await desk.market.bill(END)

    invoices = await desk.invoices()
    assert all(one.total >= 0 for one in invoices)
    total = sum((one.total for one in invoices), D(0))
    given_back_later = invoices[-1].created_at < END or invoices[-1].total == 0
    want = owed(states)
    assert total >= want if given_back_later else total == want
