"""However often usage is invoiced before its period ends, all invoices come to what one would (INV-2, INV-8)."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import price_terms_pb2

from candela_server.billing import credit_note_store
from candela_server.billing.bill_thresholds import bill_thresholds
from candela_server.billing.model import InvoiceStatus, InvoiceTransitionRefusedError
from candela_server.billing.void_invoice import void_invoice
from candela_server.customer.model import Customer
from candela_server.subscription.change import Cancellation

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, calls, fee, graduated, money
from tests.helpers.thresholds import settle

D = Decimal
START = datetime(2026, 1, 31, 15, tzinfo=UTC)
ENDS = [
    datetime(2026, month, day, 15, tzinfo=UTC)
    for month, day in ((2, 28), (3, 31), (4, 30), (5, 31))
]
GRACE = timedelta(hours=2)


def charge(chance: random.Random) -> price_terms_pb2.ChargeModel:
    """Any of those whose units do not all cost alike."""
    tiers = graduated().graduated.tiers
    made = chance.choice(
        [
            graduated(),
            price_terms_pb2.ChargeModel(volume=price_terms_pb2.VolumeCharge(tiers=tiers)),
            price_terms_pb2.ChargeModel(
                package=price_terms_pb2.PackageCharge(
                    package_size="300", package_price=money("7.77")
                )
            ),
        ]
    )
    made.free_units = chance.choice(["0", "250"])
    if chance.random() < 0.3:
        made.minimum.CopyFrom(money("33.33"))
    if chance.random() < 0.3:
        made.maximum.CopyFrom(money("99.99"))
    return made


async def billed(market: Market, customer: Customer) -> list[Decimal]:
    """What each of the customer's invoices asks for, and what notes give back."""
    async with market.db.reading(market.merchant_id) as tx:
        notes = await credit_note_store.page_credit_notes(tx, invoice_id=None, limit=99, after=None)
    return [
        *(
            one.total
            for one in await market.invoices()
            if one.customer_id == customer.id and one.status is not InvoiceStatus.VOID
        ),
        *(-note.total for note in notes if note.customer_id == customer.id),
    ]


async def void_one(market: Market, customer: Customer, chance: random.Random) -> None:
    """Voids some threshold invoice of the customer, whether its period is over or not."""
    ahead = [
        one
        for one in await market.invoices()
        if one.customer_id == customer.id
        and one.status is InvoiceStatus.FINALIZED
        and all(line.kind == "threshold" for line in one.lines)
    ]
    with suppress(InvoiceTransitionRefusedError):  # a note has given some of it back
        if not ahead:
            return
        async with market.db.writing(market.merchant_id) as tx:
            await void_invoice(tx, market.clock, chance.choice(ahead).id, reason="")


@pytest.mark.spec("INV-2", "INV-8", "EVT-9")
@pytest.mark.parametrize("seed", range(12))
async def test_the_same_usage_with_and_without_a_threshold__comes_to_the_same_cent(
    market: Market, seed: int
) -> None:
    chance = random.Random(seed)
    components = [fee("200"), calls(charge(chance))]
    discounts = (
        [
            price_terms_pb2.Discount(
                percent="12.5", duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER
            )
        ]
        if chance.random() < 0.5
        else []
    )
    threshold = money(str(chance.choice([1, 20, 60])))
    await market.sell(*components, discounts=discounts, threshold=threshold)
    desk = Desk(market)
    await desk.sell("plain", *components, discounts=tuple(discounts))
    plain, watched = await market.sign_up(), await market.sign_up()
    await desk.take("plain", customer=plain)
    await desk.take("plan", customer=watched)
    await market.bill(START)
    begins = START
    for end in ENDS:
        at, keys = begins, []
        for _ in range(chance.randint(0, 8)):
            at += (end - at) * chance.random() / 3
            market.clock.advance(at)
            match chance.randint(0, 5):
                case 0 if keys:
                    for key in keys.pop(chance.randrange(len(keys))):
                        await market.take_back(key)
                case 1:
                    await void_one(market, watched, chance)
                case _:
                    late = begins > START and chance.random() < 0.2
                    when = begins - timedelta(days=3) if late else at
                    amount = str(chance.randint(1, 700))
                    keys.append([await market.use(one, amount, when) for one in (plain, watched)])
            await bill_thresholds(market.db, market.events, market.merchant_id, now=at)
        await market.bill(end)
        await market.bill(end + GRACE)
        if chance.random() < 0.5:
            await settle(market)
        begins = end + GRACE

    await settle(market)
    assert all(one.total >= 0 for one in await market.invoices())
    once, often = [sum(await billed(market, one), D(0)) for one in (plain, watched)]
    if any(one.status is InvoiceStatus.VOID for one in await market.invoices()):
        # What was voided last is on the invoice after it.
        await market.bill(datetime(2026, 6, 30, 15, tzinfo=UTC))
        await market.bill(datetime(2026, 6, 30, 15, tzinfo=UTC) + GRACE)
        await settle(market)
        once, often = [sum(await billed(market, one), D(0)) for one in (plain, watched)]
    assert often == once


@pytest.mark.spec("INV-2", "SUB-6", "INV-8")
@pytest.mark.parametrize("seed", range(10))
async def test_the_same_life_with_and_without_a_threshold__comes_to_the_same_cent(
    market: Market, seed: int
) -> None:
    chance = random.Random(seed)
    components = [fee("30"), calls(charge(chance))]
    await market.sell(*components, threshold=money(str(chance.choice([1, 20, 60]))))
    desk = Desk(market)
    await desk.sell("plain", *components)
    for slug in ("other", "other plain"):
        await desk.sell(slug.replace(" ", "-"), fee("12"))
    customers = {
        "plan": await market.sign_up(),
        "plain": await market.sign_up(),
    }
    held = {slug: await desk.take(slug, customer=one) for slug, one in customers.items()}
    other = {"plan": "other", "plain": "other-plain"}
    await market.bill(START)
    is_away, at = False, START
    for end in ENDS[:3]:
        for _ in range(chance.randint(2, 7)):
            at += (end - at) * chance.random() / 3
            market.clock.advance(at)
            if chance.random() < 0.3:
                is_away = not is_away
                for slug, one in held.items():
                    await desk.change(one, to_plan(other[slug] if is_away else slug), NOW)
            else:
                amount = str(chance.randint(1, 700))
                for one in customers.values():
                    await market.use(one, amount, at)
            await bill_thresholds(market.db, market.events, market.merchant_id, now=at)
        await market.bill(end)
        await market.bill(end + GRACE)
        at = end + GRACE
    market.clock.advance(at + timedelta(days=1))
    for one in held.values():
        await desk.change(one, Cancellation(), NOW)
    await market.bill(at + timedelta(days=2))
    await settle(market)

    kept = {slug: sum(await billed(market, one), D(0)) for slug, one in customers.items()}
    assert kept["plan"] == kept["plain"]
