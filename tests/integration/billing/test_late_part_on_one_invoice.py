"""Late usage of an earlier part of a period, on the very invoice that bills the next part (DSL-3, EVT-9, SUB-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from candela.catalog.v1 import price_terms_pb2

from candela_server.subscription.model import Proration

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, calls, fee, flat, money
from tests.integration.billing.test_changed_subscriptions import day

D = Decimal


def tiers(*prices: str) -> list[price_terms_pb2.Tier]:
    """The first price up to 300 in a period, the second beyond."""
    return [
        price_terms_pb2.Tier(up_to="300", unit_price=money(prices[0])),
        price_terms_pb2.Tier(unit_price=money(prices[1])),
    ]


def volume() -> price_terms_pb2.ChargeModel:
    """0.50 each, and 0.35 for all of them where more than 300 are used."""
    return price_terms_pb2.ChargeModel(
        volume=price_terms_pb2.VolumeCharge(tiers=tiers("0.50", "0.35"))
    )


def graduated() -> price_terms_pb2.ChargeModel:
    """0.50 each up to 300, 0.35 for each beyond."""
    return price_terms_pb2.ChargeModel(
        graduated=price_terms_pb2.GraduatedCharge(tiers=tiers("0.50", "0.35"))
    )


def with_free_units() -> price_terms_pb2.ChargeModel:
    """The first 230 for nothing, then 1.00 each."""
    made = flat("1")
    made.free_units = "230"
    return made


@pytest.mark.spec("DSL-3", "EVT-9", "SUB-6", "INV-3")
@pytest.mark.parametrize(
    ("model", "first", "late", "second", "in_grace"),
    [
        # 200 × 0.50 = 100.00; 240 × 0.50 - 100.00 = 20.00; 640 × 0.35 = 224.00, less 240 × 0.50 = 120.00
        (volume(), "100.00", "20.00", "104.00", "107.50"),
        # the same of the first part; 60 × 0.50 and 340 × 0.35 of the second
        (graduated(), "100.00", "20.00", "149.00", "152.50"),
        # 200 of 230 free; then 240 less 230; nothing is free of the second
        (with_free_units(), "0.00", "10.00", "400.00", "410.00"),
    ],
)
async def test_late_usage_of_the_part_before__counts_in_what_the_next_part_costs(
    market: Market,
    model: price_terms_pb2.ChargeModel,
    first: str,
    late: str,
    second: str,
    in_grace: str,
) -> None:
    """200 calls until 11 April, 400 from the 21st, when the plan is joined again; 40 of the first part are told late.

    Ten more of the second part are told while its invoice is a draft.
    """
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    await market.sell(calls(model))
    await desk.sell("other", fee("0", name="Other"))
    customer = await market.sign_up()
    held = await desk.take("plan", customer=customer)
    await market.use(customer, "200", day(4, 1))
    market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("other"), NOW, Proration.INVOICE_NOW)
    await market.bill(day(4, 11, 17))
    market.clock.advance(day(4, 21))
    await desk.change(held, to_plan("plan"), NOW, Proration.INVOICE_NOW)
    market.clock.advance(day(4, 25))
    await market.use(customer, "40", day(4, 3))
    await market.use(customer, "400", day(4, 22))
    await market.bill(day(5, 1))
    draft = await of_calls(market)
    market.clock.advance(day(5, 1, 15))
    await market.use(customer, "10", day(4, 23))
    for at in (day(5, 1, 17), day(6, 1), day(6, 1, 17)):
        await market.bill(at)

    assert draft == [("usage", first), ("usage", second), ("adjustment", late)]
    # Nothing is found wrong with the final one later.
    assert await of_calls(market) == [
        ("usage", first),
        ("usage", in_grace),
        ("adjustment", late),
        ("usage", "0.00"),
    ]


@pytest.mark.spec("DSL-10", "EVT-9", "INV-3")
async def test_late_usage_on_the_invoice_of_a_true_up__fills_the_commitment(market: Market) -> None:
    market.clock.advance(day(4, 1))
    await market.sell(
        calls(flat("1")),
        commitment=price_terms_pb2.MinimumCommitment(
            amount=money("1000"), recurrence_rule="FREQ=MONTHLY;INTERVAL=3"
        ),
    )
    customer = await market.subscribe()
    for month in (4, 5, 6):
        market.clock.advance(day(month, 2))
        await market.use(customer, "100", day(month, 2))
        if month == 6:
            await market.use(customer, "50", day(5, 3))
        await market.bill(day(month + 1, 1))
        draft = (await market.lines())[-1]
        await market.bill(day(month + 1, 1, 17))

    # 1,000.00 in three months, 350.00 of them for calls
    assert draft == [("usage", "100.00"), ("true_up", "650.00"), ("adjustment", "50.00")]
    assert (await market.lines())[-1] == draft
    assert sum(await Desk(market).totals()) == D(1000)


async def of_calls(market: Market) -> list[tuple[str, str]]:
    return [
        (line.kind.value, f"{line.amount:.2f}")
        for one in await market.invoices()
        for line in one.lines
        if line.metric_id is not None
    ]
