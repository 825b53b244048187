"""A merchant who sells "starter" in two versions and moves subscribers between them, inside the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela.catalog.v1 import (
    credit_definition_pb2,
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
    plan_version_pb2,
)
from candela.subscription.v1 import migration_pb2, subscription_pb2
from candela.subscription.v1 import migration_service_pb2 as pb

from candela_server.catalog.plan_servicer import PlanServicer
from candela_server.customer.create_customer import create_customer
from candela_server.customer.model import Customer
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_test_clock import CreateTestClock, create_test_clock
from candela_server.merchant.model import TestClockId
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres
from candela_server.subscription import tasks
from candela_server.subscription.create_subscription import (
    create_subscription,
)
from candela_server.subscription.migration import MigrationId, PendingWork
from candela_server.subscription.migration_servicer import MigrationServicer
from candela_server.subscription.model import Subscription

from tests.helpers.acting import acting_as
from tests.helpers.catalog import fee
from tests.helpers.commands import signing_up, taking
from tests.helpers.names import fresh

STARTER = plan_pb2.PlanRef(slug="starter")
NOW = subscription_pb2.EFFECTIVE_TIME_NOW
PERIOD_END = subscription_pb2.EFFECTIVE_TIME_PERIOD_END
AT = subscription_pb2.EFFECTIVE_TIME_AT
MOVED = migration_pb2.MIGRATION_OUTCOME_MOVED
SCHEDULED = migration_pb2.MIGRATION_OUTCOME_SCHEDULED
PENDING = migration_pb2.MIGRATION_OUTCOME_PENDING
FAILED = migration_pb2.MIGRATION_OUTCOME_FAILED
RUNNING = migration_pb2.MIGRATION_STATUS_RUNNING
DONE = migration_pb2.MIGRATION_STATUS_DONE
CANCELED = migration_pb2.MIGRATION_STATUS_CANCELED


@dataclass(slots=True)
class Migrations:
    """Acts for one merchant at a fixed time; every mutation has a key of its own unless it has one."""

    db: Postgres
    clock: FixedClock
    merchant_id: str
    old: plan_pb2.PlanVersion = field(init=False)
    new: plan_pb2.PlanVersion = field(init=False)

    async def call(self, method: str, request: Any) -> Any:
        """The answer of a method of plans or migrations, as the servicer gives it."""
        if "idempotency_key" in request.DESCRIPTOR.fields_by_name and not request.idempotency_key:
            request.idempotency_key = fresh("key")
        ordinary = (self.db, Mutations(self.db, self.clock), self.clock, b"secret")
        with acting_as(self.merchant_id, f"tests/{method}"):
            for servicer in (MigrationServicer(*ordinary), PlanServicer(*ordinary)):
                if hasattr(servicer, method):
                    return await getattr(servicer, method)(request, None)
        raise AssertionError(f"no servicer has {method}")

    async def sell_starter(self) -> None:
        """$10 a month with "reports" and 100 calls, which limit usage and have no price."""
        calls = metric_pb2.NewMetric(
            slug="calls",
            name="Calls",
            aggregation=metric_pb2.AGGREGATION_COUNT,
            event_names=["call"],
        )
        features = [
            feature_pb2.NewFeature(
                slug="reports", name="Reports", type=feature_pb2.FEATURE_TYPE_BOOLEAN
            ),
            feature_pb2.NewFeature(
                slug="calls",
                name="Calls",
                type=feature_pb2.FEATURE_TYPE_NUMBER,
                metric=metric_pb2.MetricRef(slug="calls"),
            ),
        ]
        self.old = (
            await self.call(
                "CreatePlan",
                plan_service_pb2.CreatePlanRequest(
                    slug="starter",
                    name="Starter",
                    metrics=[calls],
                    features=[plan_pb2.PlanFeatureInput(new_feature=one) for one in features],
                    prices=[fee("10")],
                    credit_definitions=[monthly_calls("100")],
                ),
            )
        ).version

    async def publish_next(self, included: str = "250") -> plan_pb2.PlanVersion:
        """The same with "exports" too, and more calls."""
        exports = feature_pb2.NewFeature(
            slug=f"exports-{included}", name="Exports", type=feature_pb2.FEATURE_TYPE_BOOLEAN
        )
        existing = [feature_pb2.FeatureRef(slug=slug) for slug in ("reports", "calls")]
        draft = (
            await self.call(
                "CreatePlanVersion",
                plan_version_pb2.CreatePlanVersionRequest(
                    plan=STARTER,
                    features=[
                        *(plan_pb2.PlanFeatureInput(existing=one) for one in existing),
                        plan_pb2.PlanFeatureInput(new_feature=exports),
                    ],
                    credit_definitions=[monthly_calls(included)],
                    message="Exports for everybody",
                ),
            )
        ).version
        self.new = (
            await self.call(
                "PublishPlanVersion",
                plan_version_pb2.PublishPlanVersionRequest(plan_version_id=draft.id),
            )
        ).version
        return self.new

    async def test_clock(self, now_at: datetime) -> TestClockId:
        """A test clock at rest."""
        async with self.db.writing(self.merchant_id) as tx:
            return (
                await create_test_clock(tx, self.clock, CreateTestClock(now_at=now_at, name="t"))
            ).id

    async def subscriber(
        self, name: str, test_clock_id: TestClockId | None = None, plan: str = "starter"
    ) -> Subscription:
        """A new customer who takes the plan as it is sold now."""
        [made] = await self.subscribers([name], test_clock_id, plan)
        return made

    async def subscribers(
        self,
        names: Sequence[str],
        test_clock_id: TestClockId | None = None,
        plan: str = "starter",
    ) -> list[Subscription]:
        """Many of them, in one transaction."""
        async with self.db.writing(self.merchant_id) as tx:
            made = []
            for name in names:
                customer = await self._customer(tx, name, test_clock_id)
                made.append(
                    await create_subscription(
                        tx,
                        self.clock,
                        taking(customer.id, plan, time_zone="UTC"),
                    )
                )
            return made

    async def _customer(self, tx: Any, name: str, test_clock_id: TestClockId | None) -> Customer:
        return await create_customer(
            tx,
            self.clock,
            signing_up(name, external_id=name, test_clock_id=test_clock_id),
        )

    def wanted(
        self,
        when: int = NOW,
        *,
        subscriptions: Sequence[Subscription] = (),
        effective_at: datetime | None = None,
    ) -> dict[str, Any]:
        """What preview and creation are both asked for: everybody from the old version to the new one."""
        values: dict[str, Any] = {
            "from_plan_version_id": self.old.id,
            "to_plan_version_id": self.new.id,
            "filter": migration_pb2.MigrationFilter(
                subscription_ids=[one.id for one in subscriptions]
            ),
            "when": when,
        }
        if effective_at is not None:
            values["effective_at"] = effective_at
        return values

    async def create(self, **values: Any) -> migration_pb2.Migration:
        """A migration that the worker has not seen yet."""
        request = pb.CreateMigrationRequest(**values)
        return (await self.call("CreateMigration", request)).migration

    async def get(self, migration_id: str) -> migration_pb2.Migration:
        """The migration with its progress."""
        request = pb.GetMigrationRequest(migration_id=migration_id)
        return (await self.call("GetMigration", request)).migration

    async def work(
        self,
        migration_id: str,
        *,
        test_clock_id: TestClockId | None = None,
        chunk: int = 500,
    ) -> int:
        """What the worker does with it."""
        return await tasks.move_subscribers(
            self.db,
            self.clock,
            PendingWork(
                merchant_id=self.merchant_id,
                migration_id=MigrationId(migration_id),
                test_clock_id=test_clock_id,
            ),
            chunk=chunk,
        )

    async def results(self, migration_id: str) -> dict[str, migration_pb2.MigrationResult]:
        """What became of each subscription, by its id; read page by page."""
        found: dict[str, migration_pb2.MigrationResult] = {}
        token = ""
        while True:
            page = await self.call(
                "ListMigrationResults",
                pb.ListMigrationResultsRequest(
                    migration_id=migration_id, page_size=100, page_token=token
                ),
            )
            found |= {one.subscription_id: one for one in page.results}
            token = page.next_page_token
            if not token:
                return found


def monthly_calls(included: str) -> credit_definition_pb2.NewCreditDefinition:
    """So many calls a month."""
    return credit_definition_pb2.NewCreditDefinition(
        name="Included calls",
        scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
        application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
        feature="calls",
        default_amount=str(Decimal(included)),
        renew_on_billing=True,
        billing_visible=True,
        basis=credit_definition_pb2.CREDIT_BASIS_CUSTOMER,
    )
