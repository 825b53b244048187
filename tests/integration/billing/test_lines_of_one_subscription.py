"""What one subscription was billed is found without reading what all others were (INV-1, INV-5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from candela_server.billing import billed_store, store
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Subscription, SubscriptionId

from tests.helpers.changing import Desk
from tests.helpers.explaining import Explaining
from tests.helpers.included_calls import day
from tests.helpers.market import Market, fee

OTHER_DAYS = 200
LONG_AGO = day(1, 1)


async def read_lines(tx: Tx, ids: list[SubscriptionId]) -> Any:
    return await billed_store.list_billed_lines(tx, ids, since=LONG_AGO)


async def read_voided_lines(tx: Tx, ids: list[SubscriptionId]) -> Any:
    return await billed_store.list_voided_lines(tx, ids, since=LONG_AGO)


async def read_closed_periods(tx: Tx, ids: list[SubscriptionId]) -> Any:
    return await billed_store.list_closed_periods(
        tx, ids, [], since=LONG_AGO, hasty_since=LONG_AGO, everything=True
    )


async def read_invoices(tx: Tx, ids: list[SubscriptionId]) -> Any:
    return await store.page_invoices(
        tx, customer_id=None, subscription_id=ids[0], statuses=[], limit=51, after=None
    )


@pytest.fixture
async def held(market: Market) -> Subscription:
    """A subscription with two invoices, beside one that was billed every day."""
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    await desk.sell("daily", fee("1", rule="FREQ=DAILY"))
    await desk.sell("monthly", fee("10"))
    await desk.take("daily", customer=await market.sign_up())
    await market.bill(day(4, 1))
    await _bill_daily(market, until=day(4, 1) + timedelta(days=OTHER_DAYS))
    held = await desk.take("monthly", customer=await market.sign_up())
    await market.bill(market.clock.now())
    return held


async def _bill_daily(market: Market, *, until: datetime) -> None:
    while market.clock.now() < until:
        market.clock.advance(market.clock.now() + timedelta(days=1))
        await market.bill(market.clock.now())


@pytest.mark.spec("INV-1", "INV-5")
async def test_what_one_subscription_was_billed__is_found_without_the_lines_of_others(
    market: Market, held: Subscription
) -> None:
    questions: list[Callable[[Tx, list[SubscriptionId]], Awaitable[Any]]] = [
        read_lines,
        read_voided_lines,
        read_closed_periods,
        read_invoices,
    ]

    async with market.events.writer() as connection:
        await connection.execute("SET LOCAL ROLE NONE")
        await connection.execute("ANALYZE invoice_line, invoice")
    read: dict[str, tuple[float, float]] = {}
    async with market.db.reading(market.merchant_id) as tx:
        # The table is small enough to be read whole; of a large one the database would not think so.
        await tx.execute("SET LOCAL enable_seqscan = off")
        for ask in questions:
            explaining = Explaining(tx)
            await ask(cast(Tx, explaining), [held.id])
            read[ask.__name__] = (
                explaining.rows_looked_at("invoice_line"),
                explaining.rows_looked_at("invoice"),
            )

    assert len(await market.invoices()) > OTHER_DAYS
    assert all(lines <= 1 and invoices <= 1 for lines, invoices in read.values()), read
