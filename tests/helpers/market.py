"""A merchant who sells by any price, and whose customers really use it: for tests of the billing pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from candela.catalog.v1 import (
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.type.v1 import money_pb2

from candela_server.billing import store
from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.model import Invoice
from candela_server.billing.run_billing import run_billing
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.create_customer import create_customer
from candela_server.customer.model import Customer, User
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.model import TestClockId
from candela_server.metering.model import Outcome
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription.create_subscription import (
    create_subscription,
)
from candela_server.subscription.model import Subscription

from tests.helpers.commands import signing_up, taking
from tests.helpers.selling import Shop
from tests.integration.metering.builders import Metering, event
from tests.integration.metering.correcting import by_keys, void

FIXED = price_pb2.COMPONENT_KIND_FIXED
SEATS = price_pb2.COMPONENT_KIND_PER_UNIT
USAGE = price_pb2.COMPONENT_KIND_USAGE


def money(amount: str, currency: str = "USD") -> money_pb2.Money:
    """An amount."""
    return money_pb2.Money(currency=currency, amount=amount)


def graduated() -> price_terms_pb2.ChargeModel:
    """The first 1000 at 0.10, what is beyond at 0.05."""
    return price_terms_pb2.ChargeModel(
        graduated=price_terms_pb2.GraduatedCharge(
            tiers=[
                price_terms_pb2.Tier(up_to="1000", unit_price=money("0.10")),
                price_terms_pb2.Tier(unit_price=money("0.05")),
            ]
        )
    )


def flat(amount: str) -> price_terms_pb2.ChargeModel:
    """One price for every unit."""
    return price_terms_pb2.ChargeModel(flat=price_terms_pb2.FlatCharge(unit_price=money(amount)))


def fee(amount: str, *, name: str = "Fee", rule: str = "FREQ=MONTHLY") -> price_pb2.PriceComponent:
    """A fixed amount."""
    return price_pb2.PriceComponent(
        name=name, kind=FIXED, recurrence_rule=rule, charge=flat(amount)
    )


def calls(
    charge: price_terms_pb2.ChargeModel, *, rule: str = "FREQ=MONTHLY"
) -> price_pb2.PriceComponent:
    """Calls by what was used."""
    return price_pb2.PriceComponent(
        name="Calls", kind=USAGE, recurrence_rule=rule, metric="calls", charge=charge
    )


@dataclass(slots=True)
class Market:
    """Acts for one merchant at a fixed time."""

    db: Postgres
    events: EventStore
    clock: FixedClock
    merchant_id: str
    metering: Metering
    keys: count[int] = field(default_factory=count)

    @property
    def shop(self) -> Shop:
        """The same merchant, as those take it who need no ingestion."""
        return Shop(self.db, self.clock, self.merchant_id)

    async def sell(
        self,
        *components: price_pb2.PriceComponent,
        discounts: Sequence[price_terms_pb2.Discount] = (),
        commitment: price_terms_pb2.MinimumCommitment | None = None,
        threshold: money_pb2.Money | None = None,
        request: plan_service_pb2.CreatePlanRequest | None = None,
        metric: metric_pb2.NewMetric | None = None,
    ) -> None:
        """Makes the plan "plan" with one price; its calls are summed unless another metric says how to measure them."""
        request = request or plan_service_pb2.CreatePlanRequest()
        request.slug, request.name = "plan", "Plan"
        if any(component.metric for component in components):
            measured = metric or metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_SUM)
            measured.slug, measured.name, measured.unit_name = "calls", "Calls", "calls"
            measured.event_names[:] = ["call"]
            request.metrics.append(measured)
            request.features.append(
                plan_pb2.PlanFeatureInput(
                    new_feature=feature_pb2.NewFeature(
                        slug="calls",
                        name="Calls",
                        type=feature_pb2.FEATURE_TYPE_NUMBER,
                        metric=metric_pb2.MetricRef(slug="calls"),
                    )
                )
            )
        request.prices.append(
            plan_pb2.NewPrice(
                currency="USD",
                components=components,
                discounts=discounts,
                minimum_commitment=commitment,
                billing_threshold=threshold,
            )
        )
        async with self.db.writing(self.merchant_id) as tx:
            await create_plan(tx, self.clock, create_plan_from_proto(request))

    async def subscribe(
        self, *, seats: int | None = None, test_clock_id: TestClockId | None = None
    ) -> Customer:
        """A new customer in UTC who takes the plan now."""
        customer = await self.sign_up(test_clock_id=test_clock_id)
        await self.hold(customer, seats=seats)
        return customer

    async def sign_up(
        self, *, test_clock_id: TestClockId | None = None, business_name: str | None = None
    ) -> Customer:
        """A new customer in UTC."""
        name = f"customer {next(self.keys)}"
        async with self.db.writing(self.merchant_id) as tx:
            return await create_customer(
                tx,
                self.clock,
                signing_up(
                    name, external_id=name, business_name=business_name, test_clock_id=test_clock_id
                ),
            )

    async def hold(self, customer: Customer, *, seats: int | None = None) -> Subscription:
        """The customer takes the plan now."""
        async with self.db.writing(self.merchant_id) as tx:
            return await create_subscription(
                tx,
                self.clock,
                taking(
                    customer.id,
                    "plan",
                    seats=None if seats is None else Decimal(seats),
                    allow_duplicate=True,
                ),
            )

    async def use(
        self,
        who: Customer | User,
        amount: str,
        at: datetime,
        properties: dict[str, Any] | None = None,
    ) -> str:
        """Records calls that happened at an instant, and answers the event's key."""
        key = f"key {next(self.keys)}"
        recorded = await self.metering.ingestor.record(
            self.merchant_id, [event(key, who, amount, name="call", at=at, properties=properties)]
        )
        assert recorded.outcomes == [Outcome.ACCEPTED], recorded.rejections
        return key

    async def take_back(self, key: str) -> None:
        """Voids an event."""
        assert await void(self.metering, **by_keys(key)) == 1

    async def bill(self, now: datetime) -> int:
        """Finalizes and bills what is due at an instant; answers how many invoices are new."""
        self.clock.advance(now)
        await finalize_due(self.db, self.events, self.merchant_id, now=now)
        return (await run_billing(self.db, self.events, self.merchant_id, now=now)).invoices

    async def invoices(self) -> list[Invoice]:
        """All invoices, oldest first."""
        async with self.db.reading(self.merchant_id) as tx:
            return await store.page_invoices(
                tx, customer_id=None, subscription_id=None, statuses=[], limit=10_000, after=None
            )

    async def lines(self) -> list[list[tuple[str, str]]]:
        """What every invoice says: the kind and amount of each line."""
        return [
            [(line.kind.value, f"{line.amount:.2f}") for line in invoice.lines]
            for invoice in await self.invoices()
        ]

    async def balances(self) -> list[Decimal]:
        """The balances of all grants, the earliest first."""
        async with self.db.reading(self.merchant_id) as tx:
            rows = await tx.fetch(
                """
                SELECT sum(t.amount) AS balance FROM credit_grant g
                JOIN credit_transaction t ON t.merchant_id = g.merchant_id AND t.grant_id = g.id
                WHERE g.merchant_id = $1 GROUP BY g.id, g.effective_at ORDER BY g.effective_at, g.id
                """,
                self.merchant_id,
            )
        return [row["balance"] for row in rows]
