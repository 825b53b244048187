"""Random lives of subscriptions against an independent sum over days (SEAT-1, SUB-6, DSL-10)."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from candela_server.subscription.change import Change, Pause, Resume
from candela_server.subscription.model import Proration, Status, Subscription

from tests.helpers.changing import NOW, Desk, quantity, swap, to_plan, to_price
from tests.helpers.market import Market, fee
from tests.integration.billing.committing import sell
from tests.integration.billing.test_changed_subscriptions import day, seats

D = Decimal
START, END = day(4, 1), day(7, 1)
FEES = {"basic": D("20"), "pro": D("49.99"), "committed": D("12.34")}
LEAST = {"committed": D("61.70")}
SEAT = D("7.77")


@dataclass(frozen=True)
class Held:
    """A plan, which component of it is held, and what that costs a month; no plan in a pause."""

    slug: str
    component: str
    monthly: Decimal


NOTHING = Held("", "", D(0))
Days = dict[date, Held]


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00 UTC."""
    market.clock.advance(START)
    made = Desk(market)
    for slug, amount in FEES.items():
        if slug in LEAST:
            await sell(made, slug, fee(str(amount), name=slug), least=str(LEAST[slug]))
        else:
            await made.sell(slug, fee(str(amount), name=slug))
    await made.sell("team", seats(str(SEAT)))
    return made


def whole(slug: str, count: int = 1) -> Held:
    """A plan as it is sold."""
    return Held(slug, slug, SEAT * count if slug == "team" else FEES[slug])


def cents(exactly: Fraction) -> Decimal:
    """Rounded half up to the cent."""
    return D(int(exactly * 100 + Fraction(1, 2))) / 100


def owed(states: Days, *, with_least: bool = True) -> Decimal:
    """Each month of each component: the sum of its days' shares, rounded once; of each plan, at least its days'
    share of the least; and the last month, begun just now, whole."""
    shares: defaultdict[tuple[int, str], dict[str, Fraction]] = defaultdict(
        lambda: defaultdict(Fraction)
    )
    least: defaultdict[tuple[int, str], Fraction] = defaultdict(Fraction)
    current, on = states[START.date()], START.date()
    while on < END.date():
        current = states.get(on, current)
        days = {4: 30, 5: 31, 6: 30}[on.month]
        if current.slug:
            shares[on.month, current.slug][current.component] += Fraction(current.monthly) / days
            least[on.month, current.slug] += Fraction(LEAST.get(current.slug, D(0))) / days
        on += timedelta(days=1)
    current = states.get(END.date(), current)
    total = current.monthly
    for key, components in shares.items():
        charged = sum(map(cents, components.values()), D(0))
        total += max(charged, cents(least[key])) if with_least else charged
    return total


async def next_change(
    desk: Desk, held: Subscription, before: Held, chance: random.Random
) -> tuple[Change, Held]:
    """Something that can be done now, and what is held afterwards."""
    now = (await desk.now(held)).version
    if now.status is Status.PAUSED:
        return Resume(), before
    kind = chance.choice(["plan", "plan", "seats", "pause", "swap"])
    if kind == "pause":
        return Pause(resume_at=None), NOTHING
    if kind == "seats" and before.slug == "team":
        wanted = chance.randint(1, 9)
        return quantity(await desk.component(held), wanted), whole("team", wanted)
    if kind == "swap" and before.slug != "team":
        if before.component != before.slug and chance.random() < 0.5:
            sold = desk.plans[before.slug].prices[0].id
            return to_price(sold), whole(before.slug)
        amount = D(chance.randint(0, 9000)) / 100
        name = f"{before.slug} {chance.random()}"
        going = await desk.component(held)
        return swap(going, fee(f"{amount:f}", name=name)), Held(before.slug, name, amount)
    other = chance.choice([*FEES, "team"])
    if other == "team" and before.slug == "team":
        return to_plan(other), before
    return to_plan(other), whole(other)


@pytest.mark.spec("SEAT-1", "SUB-6", "INV-8", "DSL-10")
@pytest.mark.parametrize("seed", range(32))
async def test_random_life__bills_what_its_days_come_to(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    held = await desk.take("basic")
    running = whole("basic")
    states: Days = {START.date(): running}
    await desk.market.bill(START)
    moments = sorted(chance.randint(1, 91 * 24 - 1) for _ in range(chance.randint(3, 14)))
    renewals = [day(5, 1), day(6, 1)]
    for hours in moments:
        at = START + timedelta(hours=hours, minutes=7)
        while renewals and renewals[0] <= at:
            await desk.market.bill(renewals.pop(0))
        desk.market.clock.advance(at)
        change, after = await next_change(desk, held, running, chance)
        proration = chance.choice([Proration.INVOICE_NOW, Proration.NEXT_INVOICE])
        await desk.change(held, change, NOW, proration)
        if after.slug:
            running = after
        states[at.astimezone(UTC).date()] = after
        if chance.random() < 0.3:
            await desk.market.bill(at)
    for renewal in renewals:
        await desk.market.bill(renewal)
    await desk.market.bill(END)

    invoices = await desk.invoices()
    assert all(one.total >= 0 for one in invoices)
    total = sum((one.total for one in invoices), D(0))
    if invoices[-1].created_at < END:
        # Paused: the next invoice gives back what is left, and asks for the rest of a commitment.
        assert total >= owed(states, with_least=False)
    elif invoices[-1].total == 0:
        assert total >= owed(states)
    else:
        assert total == owed(states)
