"""Plans that include calls, who holds them in April 2026, and what is left to them as plans follow each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from candela.catalog.v1 import (
    credit_definition_pb2,
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
)

from candela_server.billing.expire_lapsed import expire_lapsed
from candela_server.billing.model import InvoiceStatus, LineKind
from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement.model import FeatureState
from candela_server.subscription.change import Cancellation, Reactivation
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.checking import answer_for, usage_of
from tests.helpers.market import Market, calls, fee, flat
from tests.helpers.snapshots import build_snapshot

SMALL, BIG, OTHER = Decimal(100), Decimal(1000), Decimal(250)


def day(month: int, of_month: int, hour: int = 15) -> datetime:
    """An instant of 2026; subscriptions begin at three in the afternoon."""
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


def bringing(
    amount: str, *, per_seat: bool = False, existing: bool = True
) -> plan_service_pb2.CreatePlanRequest:
    """A plan that includes so many calls a month."""
    basis = credit_definition_pb2.CREDIT_BASIS_SEAT if per_seat else 0
    return plan_service_pb2.CreatePlanRequest(
        features=[plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug="calls"))]
        if existing
        else [],
        credit_definitions=[
            credit_definition_pb2.NewCreditDefinition(
                name="Included calls",
                scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
                feature="calls",
                default_amount=amount,
                renew_on_billing=True,
                billing_visible=True,
                basis=basis,
            )
        ],
    )


async def calls_of(desk: Desk, customer: Customer | str) -> FeatureState:
    """What the customer may do with calls now."""
    customer_id = customer if isinstance(customer, str) else customer.id
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        made = await build_snapshot(tx, desk.market.clock, CustomerById(customer_id))
    return made.features["calls"]


async def use(desk: Desk, holder: Customer, amount: str, at: datetime) -> None:
    """Calls of that moment."""
    desk.market.clock.advance(at)
    await desk.market.use(holder, amount, at)


async def sweep(desk: Desk) -> None:
    """What the worker does with credits each hour."""
    await expire_lapsed(
        desk.market.db, desk.market.events, desk.market.merchant_id, now=desk.market.clock.now()
    )


async def sell_included(
    market: Market, *, priced: bool, metric: metric_pb2.NewMetric | None = None
) -> Desk:
    """It is 1 April 2026, 15:00; "small", "big" and "other" bring 100, 1,000 and 250 calls a month.

    Beyond these a call is a dollar where it is priced; where it is not, no more can be used.
    """
    market.clock.advance(day(4, 1))
    desk = Desk(market)
    await market.sell(fee("1"), calls(flat("1")), metric=metric)
    usage = (calls(flat("1")),) if priced else ()
    for slug, amount in (("small", SMALL), ("big", BIG), ("other", OTHER)):
        await desk.sell(slug, fee("10", name=slug), *usage, request=bringing(str(amount)))
    return desk


async def left(desk: Desk, holder: Customer) -> Decimal:
    """What a check says is left of the calls now."""
    market = desk.market
    answer = await answer_for(market.db, market.events, market.clock, market.merchant_id, holder)
    remaining = usage_of(answer).remaining
    assert remaining is not None
    return remaining


async def units_billed(desk: Desk) -> Decimal:
    """The calls that invoices ask money for: a dollar each."""
    lines = [
        line
        for one in await desk.invoices()
        if one.status is not InvoiceStatus.VOID
        for line in one.lines
        if line.kind in (LineKind.USAGE, LineKind.USAGE_CREDIT)
    ]
    return sum((line.amount for line in lines), Decimal(0))


@dataclass(slots=True)
class Holding:
    """Somebody who holds one of the plans since 1 April, was billed for that, and changes within the month."""

    desk: Desk
    holder: Customer
    held: Subscription

    async def use(self, amount: str, of_april: int) -> None:
        """So many calls on a day of April."""
        await use(self.desk, self.holder, amount, day(4, of_april))

    async def move(self, plan: str, of_april: int) -> None:
        """To another plan on a day of April; days cost and bring nothing back."""
        self.desk.market.clock.advance(day(4, of_april))
        await self.desk.change(self.held, to_plan(plan), proration=Proration.NONE)

    async def end(self, of_april: int) -> None:
        """Ends at once, on a day of April."""
        self.desk.market.clock.advance(day(4, of_april))
        await self.desk.change(self.held, Cancellation(), NOW, Proration.NONE)

    async def come_back(self, month: int, of_month: int) -> None:
        """Begins again."""
        self.desk.market.clock.advance(day(month, of_month))
        await self.desk.change(self.held, Reactivation(price_id=None))

    async def left(self) -> Decimal:
        """What a check says is left of the calls now."""
        return await left(self.desk, self.holder)


async def hold(desk: Desk, plan: str = "small", *, used: str | None = None) -> Holding:
    """A new customer takes the plan and is billed for it; so many calls are used on 5 April."""
    holder = await desk.market.sign_up()
    made = Holding(desk, holder, await desk.take(plan, customer=holder))
    await desk.market.bill(day(4, 1))
    if used is not None:
        await made.use(used, 5)
    return made
