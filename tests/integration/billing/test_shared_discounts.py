"""Usage that had shared its price's amount off with a fee is taken back: the amount stays off the fee (DSL-4, EVT-4).

A fee of 10.00 and calls at 1.00, both at the end of a month, 10.00 off once. 30 calls cost 22.50 and the fee 7.50; had
the calls never been there, the fee would have cost 0.00.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import price_pb2, price_terms_pb2

from candela_server.billing.settle_taken_back import settle_taken_back
from candela_server.subscription.change import Cancellation
from candela_server.subscription.model import Subscription

from tests.helpers.changing import NOW, Desk
from tests.helpers.market import Market, calls, fee, flat, money
from tests.integration.billing.test_late_usage_after_end import look as look_at_ended
from tests.integration.billing.test_voided_ends import notes, pay

D = Decimal
GRACE = timedelta(hours=2)
JANUARY, FEBRUARY, MARCH, APRIL = (
    datetime(2026, month, day, 15, tzinfo=UTC)
    for month, day in ((1, 31), (2, 28), (3, 31), (4, 30))
)
IN_FEBRUARY, IN_MARCH = (datetime(2026, month, 10, 15, tzinfo=UTC) for month in (2, 3))


async def february_with_30_calls(desk: Desk) -> tuple[Subscription, str]:
    """It is 10 March, and February is billed and paid."""
    market = desk.market
    late_fee = fee("10")
    late_fee.timing = price_pb2.BILLING_TIMING_IN_ARREARS
    ten_off = price_terms_pb2.Discount(
        amount_off=money("10"), duration=price_terms_pb2.DISCOUNT_DURATION_ONCE
    )
    await market.sell(late_fee, calls(flat("1")), discounts=[ten_off])
    customer = await market.sign_up()
    held = await desk.take("plan", customer=customer)
    await market.bill(JANUARY)
    market.clock.advance(IN_FEBRUARY)
    key = await market.use(customer, "30", IN_FEBRUARY)
    await close(market, FEBRUARY)
    await pay(desk, len(await desk.invoices()) - 1)
    assert (await market.lines())[-1] == [("recurring", "7.50"), ("usage", "22.50")]
    market.clock.advance(IN_MARCH)
    return held, key


async def close(market: Market, at: datetime) -> None:
    await market.bill(at)
    await market.bill(at + GRACE)


@pytest.mark.spec("DSL-4", "EVT-4")
async def test_usage_taken_back__comes_back_whole_by_the_next_invoice_and_a_note(
    market: Market,
) -> None:
    desk = Desk(market)
    _, key = await february_with_30_calls(desk)
    await market.take_back(key)
    await close(market, MARCH)
    made = await settle_taken_back(
        market.db, market.events, market.merchant_id, now=market.clock.now()
    )
    await close(market, APRIL)

    # 30.00 are owed: March's fee bears 10.00, a note the other 20.00, and April's invoice nothing more.
    assert made == 1
    assert (await market.lines())[-2:] == [
        [("recurring", "10.00"), ("usage", "0.00"), ("adjustment", "-10.00")],
        [("recurring", "10.00"), ("usage", "0.00")],
    ]
    assert [one.total for one in await notes(desk)] == [D(20)]


@pytest.mark.spec("DSL-4", "EVT-4", "SUB-6")
async def test_usage_taken_back_after_the_end__comes_back_by_notes_on_both_lines(
    market: Market,
) -> None:
    desk = Desk(market)
    held, key = await february_with_30_calls(desk)
    await desk.change(held, Cancellation(), NOW)
    await close(market, IN_MARCH)
    market.clock.advance(IN_MARCH + timedelta(days=1))
    await market.take_back(key)
    for hours in (25, 26, 27):
        await look_at_ended(market, IN_MARCH + timedelta(hours=hours))

    [note] = await notes(desk)
    february = (await desk.invoices())[0]
    assert (note.invoice_id, note.total) == (february.id, D(30))
    assert {line.invoice_line_id: line.amount for line in note.lines} == {
        line.id: line.amount for line in february.lines
    }
