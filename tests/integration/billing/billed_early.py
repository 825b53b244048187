"""Somebody with 100 calls a month, parts of whose April are billed before it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela.catalog.v1 import plan_pb2

from candela_server.billing.model import Invoice, InvoiceStatus, LineKind
from candela_server.catalog import read as catalog
from candela_server.catalog.create_price import create_price
from candela_server.catalog.price_wire import price_from_proto
from candela_server.catalog.refs import BySlug
from candela_server.credit.model import CreditGrant
from candela_server.customer.model import Customer
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.billing import Books
from tests.helpers.changing import Desk, to_price
from tests.helpers.crediting import give
from tests.helpers.included_calls import bringing, day
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.checked_year import Year, open_year

D = Decimal


@dataclass(slots=True, kw_only=True)
class Held:
    """Somebody with 100 calls a month since 1 April, 15:00; more cost a dollar each, and are not refused."""

    year: Year
    holder: Customer
    subscription: Subscription
    fee: int = 1

    @property
    def desk(self) -> Desk:
        return self.year.desk

    @property
    def books(self) -> Books:
        return Books(self.desk.market.shop, self.desk.market.events)

    async def use(self, amount: str, at: datetime) -> None:
        await self.year.use(self.holder, amount, at=at)

    async def left(self) -> Decimal:
        """What checks leave, of the server, of its data plane and of the rollups."""
        return await self.year.left(self.holder)

    async def cut(
        self, at: datetime, proration: Proration = Proration.INVOICE_NOW, *, call: str = "1"
    ) -> None:
        """Moves to another price of the plan, where calls cost as much unless told; the fee is a dollar more."""
        market = self.desk.market
        market.clock.advance(at)
        self.fee += 1
        new = plan_pb2.NewPrice(currency="USD", components=[fee(str(self.fee)), calls(flat(call))])
        async with market.db.writing(market.merchant_id) as tx:
            plan = self.desk.plans["plan"].plan.id
            metric = await catalog.get_metric(tx, BySlug("calls"))
            made, _ = await create_price(
                tx, market.clock, plan, price_from_proto(new), {"calls": metric.id}
            )
        await self.desk.change(self.subscription, to_price(made.id), proration=proration)

    async def pass_grace(self) -> None:
        """Lets drafts of now be finalized."""
        await self.books.pass_grace()

    async def billed(self) -> Invoice:
        """The invoice of the cut part's calls."""
        [found] = [
            one
            for one in await self.desk.invoices()
            if one.status is not InvoiceStatus.VOID
            and any(line.kind is LineKind.USAGE for line in one.lines)
        ]
        return found

    async def end(self) -> tuple[Decimal, list[Decimal]]:
        """What all of April's calls cost in the end, and what every grant has left."""
        await self.year.bill()
        lines = [
            line
            for one in await self.desk.invoices()
            if one.status is not InvoiceStatus.VOID
            for line in one.lines
            if line.kind in (LineKind.USAGE, LineKind.USAGE_CREDIT, LineKind.ADJUSTMENT)
        ]
        paid = sum((line.amount for line in lines), D(0))
        return paid, await self.desk.market.balances()


@asynccontextmanager
async def open_held(market: Market, redis_url: str) -> AsyncIterator[Held]:
    """It is 1 April, 15:00, and the month's fee is billed."""
    market.clock.advance(day(4, 1))
    async with open_year(market, redis_url) as year:
        desk = year.desk
        await market.sell(fee("1"), calls(flat("1")))
        await desk.sell("included", fee("1"), calls(flat("1")), request=bringing("100"))
        desk.plans["plan"] = desk.plans["included"]
        holder = await market.sign_up()
        subscription = await desk.take("included", customer=holder)
        await market.bill(day(4, 1))
        yield Held(year=year, holder=holder, subscription=subscription)


async def gift(held: Held) -> CreditGrant:
    """500 calls that never lapse."""
    return await give(held.desk.market.shop, held.holder, "500", feature="calls")
