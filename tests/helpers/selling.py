"""A merchant who sells the plan "Team", inside the process: what integration tests of the pipeline begin with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.create_plan import CreatedPlan, create_plan
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.customer.create_customer import create_customer
from candela_server.customer.model import Customer
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Postgres
from candela_server.subscription.create_subscription import (
    create_subscription,
)
from candela_server.subscription.model import Subscription

from demo.team_plan import team_plan
from tests.helpers.commands import signing_up, taking


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
                signing_up(
                    name,
                    external_id=name,
                    time_zone="America/New_York",
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
                taking(
                    customer.id,
                    "team",
                    seats=Decimal(seats),
                    start_at=start_at,
                    allow_duplicate=allow_duplicate,
                ),
            )
