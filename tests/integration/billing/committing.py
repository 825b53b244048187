"""Plans with minimum commitments, and somebody who holds one of them since 1 April 2026."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from candela.catalog.v1 import plan_pb2, plan_service_pb2, price_pb2, price_terms_pb2

from candela_server.billing.model import Invoice
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.model import Customer
from candela_server.subscription.model import Subscription

from tests.helpers.changing import Desk
from tests.helpers.market import Market, calls, fee, flat, money

GRACE = timedelta(hours=2)


def day(month: int, of_month: int, hour: int = 15) -> datetime:
    """An instant of 2026, in the afternoon."""
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


async def sell(
    desk: Desk,
    slug: str,
    *components: price_pb2.PriceComponent,
    least: str,
    rule: str = "FREQ=MONTHLY",
) -> None:
    """A plan of which a period costs at least so much."""
    request = plan_service_pb2.CreatePlanRequest(slug=slug, name=slug)
    request.prices.append(
        plan_pb2.NewPrice(
            currency="USD",
            components=components,
            minimum_commitment=price_terms_pb2.MinimumCommitment(
                amount=money(least), recurrence_rule=rule
            ),
        )
    )
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        desk.plans[slug] = await create_plan(tx, desk.market.clock, create_plan_from_proto(request))


async def open_desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; calls are 1.00 each. "plan" costs 30.00 a month, "least" at least 90.00, "most" at
    least 300.00 with a fee of 60.00."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await market.sell(fee("30"), calls(flat("1")))
    await sell(made, "least", calls(flat("1")), least="90")
    await sell(made, "most", fee("60", name="Most"), calls(flat("1")), least="300")
    return made


async def begin(desk: Desk, slug: str) -> tuple[Customer, Subscription]:
    """A new customer takes a plan, and is billed for what it asks in advance."""
    customer = await desk.market.sign_up()
    held = await desk.take(slug, customer=customer)
    await desk.market.bill(day(4, 1))
    return customer, held


async def run(desk: Desk, at: datetime) -> None:
    """Bills, and finalizes once the grace is over."""
    await desk.market.bill(at)
    await desk.market.bill(at + GRACE)


def kinds(invoice: Invoice) -> list[tuple[str, str]]:
    """The kind and amount of each line that asks for something."""
    return sorted((str(line.kind), f"{line.amount:f}") for line in invoice.lines if line.amount)
