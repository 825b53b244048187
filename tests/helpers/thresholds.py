"""Customers whose usage is invoiced once it reaches a threshold, and what is done then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from candela.catalog.v1 import price_pb2

from candela_server.billing.bill_thresholds import bill_thresholds
from candela_server.billing.model import (
    Invoice,
)
from candela_server.billing.settle_ahead import settle_ahead
from candela_server.billing.void_invoice import void_invoice
from candela_server.customer.model import Customer
from candela_server.subscription.model import Subscription

from tests.helpers.changing import Desk
from tests.helpers.market import Market, calls, flat, money

FEBRUARY, MARCH = (datetime(2026, month, day, 15, tzinfo=UTC) for month, day in ((2, 28), (3, 31)))
GRACE = timedelta(hours=2)


def day(of_february: int, hour: int = 12) -> datetime:
    """An instant of the running period, which began on 31 January."""
    return datetime(2026, 2, of_february, hour, tzinfo=UTC)


async def use(market: Market, who: Customer, amount: str, at: datetime) -> str:
    """Calls of this very moment."""
    market.clock.advance(at)
    return await market.use(who, amount, at)


async def look(market: Market, now: datetime) -> int:
    """What the worker does each minute."""
    market.clock.advance(now)
    return await bill_thresholds(market.db, market.events, market.merchant_id, now=now)


async def settle(market: Market) -> int:
    """What the worker does each hour."""
    now = market.clock.now()
    return await settle_ahead(market.db, market.events, market.merchant_id, now=now)


async def close(market: Market, *ends: datetime) -> None:
    """Bills these periods' ends, and finalizes."""
    for end in ends:
        await market.bill(end)
        await market.bill(end + GRACE)


async def void(market: Market, invoice: Invoice) -> None:
    """Voids an invoice."""
    async with market.db.writing(market.merchant_id) as tx:
        await void_invoice(tx, market.clock, invoice.id, reason="by mistake")


class Ahead(NamedTuple):
    """Somebody who was billed ahead: the customer, the subscription, and the key of the event that brought it about."""

    customer: Customer
    held: Subscription
    key: str


async def subscribe(market: Market, *components: price_pb2.PriceComponent) -> Customer:
    """Somebody whose usage is invoiced from 50 dollars on; a dollar a call unless said otherwise."""
    await market.sell(*(components or [calls(flat("1"))]), threshold=money("50"))
    return await market.subscribe()


async def billed_ahead(market: Market, amount: str, *components: price_pb2.PriceComponent) -> Ahead:
    """The same, who used so much on 5 February that it was invoiced at once."""
    await market.sell(*(components or [calls(flat("1"))]), threshold=money("50"))
    customer = await market.sign_up()
    held = await Desk(market).take("plan", customer=customer)
    key = await use(market, customer, amount, day(5))
    assert await look(market, day(5)) == 1
    return Ahead(customer, held, key)
