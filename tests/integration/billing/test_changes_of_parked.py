"""Changes of a subscription that a safety bound has parked: nothing is invoiced until a person looks (INV-1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from candela_server.billing.release_parked import release_parked
from candela_server.kernel.errors import Reason
from candela_server.subscription import read_schedule
from candela_server.subscription.change import BillingParkedError, Cancellation
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, fee

D = Decimal
BEGINS = datetime(2026, 2, 1, 15, tzinfo=UTC)
PARKED_AT = datetime(2027, 6, 20, 15, tzinfo=UTC)
"""By then 17 months are due at once; the bound is 15 invoices a day."""
NEXT_DAY = PARKED_AT + timedelta(days=1)
RELEASED_AT = PARKED_AT + timedelta(days=2)


async def parked(market: Market) -> tuple[Desk, Subscription]:
    """It is the day after; "basic" is 20.00 and "pro" 50.00 a month."""
    market.clock.advance(BEGINS)
    desk = Desk(market)
    await desk.sell("basic", fee("20", name="Basic"))
    await desk.sell("pro", fee("50", name="Pro"))
    held = await desk.take("basic")
    await market.bill(PARKED_AT)
    market.clock.advance(NEXT_DAY)
    assert await is_parked(desk)
    assert len(await desk.invoices()) == 15
    return desk, held


async def is_parked(desk: Desk) -> bool:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        return bool(await read_schedule.list_parked(tx))


async def release(desk: Desk, held: Subscription) -> None:
    """Two days later, when the bound counts from nought."""
    desk.market.clock.advance(RELEASED_AT)
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await release_parked(tx, desk.market.clock, held.customer_id, reason="it slept")
    await desk.market.bill(RELEASED_AT)


@pytest.mark.spec("INV-1", "SUB-6")
async def test_change_that_asks_for_an_invoice_at_once__is_refused_and_says_what_to_do(
    market: Market,
) -> None:
    desk, held = await parked(market)

    for ask in (desk.change, desk.preview):
        with pytest.raises(BillingParkedError, match="candela parked list") as refused:
            await ask(held, to_plan("pro"), NOW, Proration.INVOICE_NOW)
        assert refused.value.reason is Reason.BILLING_PARKED
        assert refused.value.metadata == {
            "customer_id": held.customer_id,
            "subscription_id": held.id,
            "parked_at": "2027-06-20T15:00:00Z",
        }
    assert (await desk.now(held)).version.number == 1
    await release(desk, held)
    await desk.change(held, to_plan("pro"), NOW, Proration.INVOICE_NOW)

    # From 22 June to 1 July, 9 of 30 days: (50.00 − 20.00) × 9 ÷ 30
    assert (await desk.totals())[-1] == D("9.00")


@pytest.mark.spec("INV-1", "SUB-6")
async def test_other_change__is_made_and_billed_after_the_release(market: Market) -> None:
    desk, held = await parked(market)
    await desk.change(held, to_plan("pro"), NOW, Proration.NEXT_INVOICE)
    await market.bill(NEXT_DAY)

    assert await is_parked(desk)
    assert len(await desk.invoices()) == 15
    await release(desk, held)
    assert not await is_parked(desk)
    # May and June were left; of June 10 of 30 days are Pro's: 30.00 × 10 ÷ 30
    assert sum((await desk.totals())[15:]) == 20 + 20 + D("10.00")


@pytest.mark.spec("INV-1", "SUB-6")
async def test_end__is_made_and_invoices_nothing_before_the_release(market: Market) -> None:
    desk, held = await parked(market)
    await desk.change(held, Cancellation(), NOW, Proration.NONE)
    await market.bill(NEXT_DAY)

    assert len(await desk.invoices()) == 15
