"""A merchant who sells the plan "Team", inside the process: what integration tests of the pipeline begin with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.create_plan import CreatedPlan, create_plan
from candela_server.catalog.refs import BySlug
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.create_customer import CreateCustomer, create_customer
from candela_server.customer.model import Customer, CustomerById
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Postgres
from candela_server.subscription.create_subscription import (
    CreateSubscription,
    create_subscription,
)
from candela_server.subscription.model import CollectionMethod, Subscription

from demo.team_plan import team_plan


@dataclass(slots=True)
class Shop:
    """Acts for one merchant at a fixed time."""

    db: Postgres
    clock: FixedClock
    merchant_id: str

    async def sell_team_plan(self) -> CreatedPlan:
        """The S1 plan."""
        async with self.db.writing(self.merchant_id) as tx:
            return await create_plan(tx, self.clock, create_plan_from_proto(team_plan("team")))

    async def sign_up(self, name: str, *, test_clock_id: TestClockId | None = None) -> Customer:
        """A customer in New York, on real time, which is this shop's clock, unless a test clock is named."""
        async with self.db.writing(self.merchant_id) as tx:
            return await create_customer(
                tx,
                self.clock,
                CreateCustomer(
                    name=name,
                    external_id=name,
                    email=None,
                    business_name=None,
                    tax_id=None,
                    address=None,
                    time_zone="America/New_York",
                    metadata={},
                    test_clock_id=test_clock_id,
                ),
            )

    async def subscribe(
        self,
        customer: Customer,
        seats: int,
        start_at: datetime | None = None,
        *,
        allow_duplicate: bool = False,
    ) -> Subscription:
        """Takes the plan "team"."""
        async with self.db.writing(self.merchant_id) as tx:
            return await create_subscription(
                tx,
                self.clock,
                CreateSubscription(
                    customer=CustomerById(customer.id),
                    plan=BySlug("team"),
                    price_id=None,
                    currency=None,
                    seats=Decimal(seats),
                    quantities={},
                    start_at=start_at,
                    time_zone=None,
                    collection_method=CollectionMethod.SEND_INVOICE,
                    allow_duplicate=allow_duplicate,
                    metadata={},
                    reason="",
                ),
            )
