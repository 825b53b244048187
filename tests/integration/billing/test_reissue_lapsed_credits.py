"""An invoice that is made again finds all the credit of its period, also what had expired meanwhile (INV-6, DSL-7)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.billing.reissue_invoice import reissue_invoice

from tests.helpers.included_calls import bringing
from tests.helpers.market import Market, calls, fee, flat

D = Decimal


def day(month: int, of_month: int, hour: int = 15) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


@pytest.mark.spec("INV-6", "DSL-7", "CRD-5")
async def test_reissue_with_late_usage_within_the_allowance__asks_for_nothing(
    market: Market,
) -> None:
    market.clock.advance(day(4, 1))
    await market.sell(fee("5"), calls(flat("1")), request=bringing("100", existing=False))
    customer = await market.subscribe()
    await market.bill(day(4, 1))
    await market.use(customer, "120", day(4, 1))
    await market.bill(day(5, 1))
    await market.bill(day(5, 1, 17))
    await market.use(customer, "10", day(5, 1))
    await market.bill(day(6, 1))
    await market.bill(day(6, 1, 17))
    await market.use(customer, "50", day(5, 9))
    may = (await market.invoices())[-1]

    async with market.db.writing(market.merchant_id) as tx:
        await reissue_invoice(tx, market.events, market.clock, may.id, reason="a mistake")
    await market.bill(day(6, 1, 19))

    # 5.00 a month; April: 20 beyond its 100; May: 10, and then 60, within its own
    totals = [one.total for one in await market.invoices()]
    assert totals == [D("5.00"), D("25.00"), D("5.00"), D("5.00")]
    # April's is spent, what May's has left has expired again, June's is whole
    assert await market.balances() == [D("0"), D("0"), D("100")]
