"""A merchant in April 2026 whose checks are asked every way there is: what tests of credit within periods share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from candela.entitlement.v1 import entitlement_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.billing.auto_top_up import buy_below_thresholds
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.credit.model import CreditGrant
from candela_server.customer.model import Customer
from candela_server.entitlement.model import UsageNow

from tests.helpers.changing import Desk
from tests.helpers.checking import answer_for, usage_of
from tests.helpers.crediting import grant_now
from tests.helpers.included_calls import bringing, day
from tests.helpers.market import Market, calls, fee, flat
from tests.helpers.waiting import eventually
from tests.integration.credit.test_life_of_credits import terms_without_price
from tests.integration.entitlement.reserving import Desk as Server
from tests.integration.entitlement.reserving import Shop, open_desk

D = Decimal


@dataclass(slots=True, kw_only=True)
class Year:
    """A merchant in April 2026, and a server process that answers its checks."""

    desk: Desk
    server: Server

    async def start(
        self, *, priced: bool, rule: str = "", lasts: timedelta | None = None
    ) -> Customer:
        """It is 1 April, 15:00; a customer takes 10 calls a month, or by a rule. More cost a dollar each, or are
        refused."""
        self.desk.market.clock.advance(day(4, 1))
        terms = bringing("10", existing=False)
        if rule and lasts:
            definition = terms.credit_definitions[0]
            definition.renew_on_billing, definition.renewal_rule = False, rule
            definition.refill_amount = definition.default_amount
            definition.expires_after.FromTimedelta(lasts)
        if priced:
            await self.desk.market.sell(fee("1"), calls(flat("1")), request=terms)
        else:
            await self.desk.sell("plan", fee("1"), request=terms_without_price(terms))
        holder = await self.desk.market.sign_up()
        await self.desk.take("plan", customer=holder)
        await self.desk.market.bill(day(4, 1))
        return holder

    async def use(self, holder: Customer, amount: str, *, at: datetime) -> None:
        """So many calls, told at once or, of an instant that is past, late. The clock never goes back."""
        clock = self.desk.market.clock
        clock.advance(max(clock.now(), at))
        await self.desk.market.use(holder, amount, at)

    async def usage(self, holder: Customer) -> UsageNow:
        """Where the customer stands: the server's whole way, its data plane and the rollups must say the same."""
        market = self.desk.market
        slow = usage_of(
            await answer_for(market.db, market.events, market.clock, market.merchant_id, holder)
        )
        question = pb.CheckRequest(customer_id=holder.id, feature="calls").SerializeToString()

        async def agrees() -> bool:
            answer = await self.server.quick.check(market.merchant_id, question)
            return _of(pb.CheckResponse.FromString(answer).entitlement.usage) == shown(slow)

        # What another process changed is heard of a moment later.
        await eventually(agrees)
        assert shown(usage_of(await self.server.check(holder, "calls"))) == shown(slow)
        return slow

    async def left(self, holder: Customer) -> Decimal:
        """What remains."""
        remaining = (await self.usage(holder)).remaining
        assert remaining is not None
        return remaining

    async def bill(self) -> None:
        """April ends, and so does the grace of its invoices."""
        await self.desk.market.bill(day(5, 1))
        await self.desk.market.bill(day(5, 2))
        market = self.desk.market
        assert await reconcile_credits(market.db, market.merchant_id) == []

    async def balance(self, grant: CreditGrant) -> Decimal:
        """What a grant has left."""
        return (await grant_now(self.desk.market.shop, grant.id)).balance


def shown(usage: UsageNow) -> tuple[Decimal, Decimal | None, Decimal | None, Decimal]:
    """Used, limit, remaining, overage."""
    return usage.used, usage.limit, usage.remaining, usage.overage


def _of(usage: entitlement_pb2.Usage) -> tuple[Decimal, Decimal | None, Decimal | None, Decimal]:
    return D(usage.used), D(usage.limit), D(usage.remaining), D(usage.overage)


@asynccontextmanager
async def open_year(market: Market, redis_url: str) -> AsyncIterator[Year]:
    """A merchant who sells nothing yet, and a server process."""
    shop = Shop(market.db, market.clock, market.merchant_id)
    async with open_desk(shop, market.events, redis_url) as server:
        yield Year(desk=Desk(market), server=server)


async def look(market: Market) -> int:
    """What the worker does every minute."""
    return await buy_below_thresholds(market.db, market.events, market.clock, market.merchant_id)
