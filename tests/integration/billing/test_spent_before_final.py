"""What a period used of a gift or a pack is spent when the period is over, though its invoice is a draft (ENT-4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.billing.model import InvoiceStatus
from candela_server.entitlement.model import Metered
from candela_server.subscription.model import Subscription

from tests.helpers.changing import Desk
from tests.helpers.crediting import give, revoke
from tests.helpers.included_calls import bringing, calls_of, day
from tests.helpers.market import Market, calls, fee, flat

D = Decimal


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "plan" brings 100 calls a month, and more are a dollar each."""
    market.clock.advance(day(4, 1))
    await market.sell(fee("10"), calls(flat("1")), request=bringing("100", existing=False))
    return Desk(market)


async def limit(desk: Desk, held: Subscription) -> tuple[Decimal | None, Decimal | None]:
    """The limit, and what credits there are."""
    metered: Metered | None = (await calls_of(desk, held.customer_id)).metered
    assert metered is not None
    return metered.limit, metered.credits.allowance if metered.credits else None


@pytest.mark.spec("ENT-4", "CRD-9", "CRD-10", "INV-3")
async def test_gift_used_in_a_period_whose_invoice_is_a_draft__is_not_there_again(
    desk: Desk,
) -> None:
    holder = await desk.market.sign_up()
    held = await desk.take("plan", customer=holder)
    await give(desk.market.shop, holder, "50", feature="calls")
    await desk.market.bill(day(4, 1))
    await desk.market.use(holder, "130", day(4, 1))
    before = await limit(desk, held)
    await desk.market.bill(day(5, 1))
    drafts = [one for one in await desk.market.invoices() if one.status is InvoiceStatus.DRAFT]
    during = await limit(desk, held)
    await desk.market.bill(day(5, 1) + timedelta(days=3))
    after = await limit(desk, held)

    assert len(drafts) == 1
    assert before == (150, 150)
    assert during == (120, 120)
    assert after == during


@pytest.mark.spec("ENT-4", "CRD-10")
async def test_gift_that_is_revoked_while_a_draft_counts_on_it__never_shows_less_than_nothing(
    desk: Desk,
) -> None:
    holder = await desk.market.sign_up()
    held = await desk.take("plan", customer=holder)
    gift = await give(desk.market.shop, holder, "50", feature="calls")
    await desk.market.bill(day(4, 1))
    await desk.market.use(holder, "130", day(4, 1))
    await desk.market.bill(day(5, 1))
    await revoke(desk.market.shop, gift.id)

    assert await limit(desk, held) == (100, 100)
