"""The catalog's servicers on real stores, called as one merchant; what tests of several acts begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from candela.catalog.v1 import (
    credit_definition_pb2,
    feature_pb2,
    plan_pb2,
    plan_service_pb2,
    plan_version_pb2,
)

from candela_server.catalog.credit_definition_servicer import CreditDefinitionServicer
from candela_server.catalog.feature_servicer import FeatureServicer
from candela_server.catalog.metric_servicer import MetricServicer
from candela_server.catalog.plan_servicer import PlanServicer
from candela_server.kernel.clock import FixedClock
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres

from demo.team_plan import team_plan
from tests.helpers.acting import acting_as
from tests.helpers.names import fresh

TEAM = plan_pb2.PlanRef(slug="team")


@dataclass(slots=True)
class Catalog:
    """Calls a merchant's catalog; each call gets an idempotency key of its own unless it has one."""

    db: Postgres
    clock: FixedClock
    merchant_id: str

    async def call(self, method: str, request: Any) -> Any:
        """The answer of a method, as the servicer gives it."""
        if "idempotency_key" in request.DESCRIPTOR.fields_by_name and not request.idempotency_key:
            request.idempotency_key = fresh("key")
        mutations = Mutations(self.db, self.clock)
        with acting_as(self.merchant_id, f"tests/{method}"):
            for servicer_class in (
                PlanServicer,
                FeatureServicer,
                MetricServicer,
                CreditDefinitionServicer,
            ):
                if hasattr(servicer_class, method):
                    servicer = servicer_class(self.db, mutations, self.clock, b"secret")
                    return await getattr(servicer, method)(request, None)
        raise AssertionError(f"no servicer has {method}")

    async def sell_team_plan(self, **changes: Any) -> plan_service_pb2.CreatePlanResponse:
        """The S1 plan, with some fields of its request changed."""
        request = team_plan("team")
        for field, value in changes.items():
            setattr(request, field, value)
        got: plan_service_pb2.CreatePlanResponse = await self.call("CreatePlan", request)
        return got

    async def draft(
        self, *features: plan_pb2.PlanFeatureInput, message: str = "", **rest: Any
    ) -> plan_pb2.PlanVersion:
        """A draft of the plan "team"."""
        got = await self.call(
            "CreatePlanVersion",
            plan_version_pb2.CreatePlanVersionRequest(
                plan=TEAM, features=features, message=message, **rest
            ),
        )
        version: plan_pb2.PlanVersion = got.version
        return version

    async def publish(self, version_id: str) -> plan_pb2.PlanVersion:
        """The version, published."""
        got = await self.call(
            "PublishPlanVersion",
            plan_version_pb2.PublishPlanVersionRequest(plan_version_id=version_id),
        )
        version: plan_pb2.PlanVersion = got.version
        return version

    async def current_version_id(self) -> str:
        """What new subscriptions to "team" get."""
        got = await self.call("GetPlan", plan_service_pb2.GetPlanRequest(plan=TEAM))
        current: str = got.plan.current_version_id
        assert got.version.id == current
        return current

    async def versions(self) -> list[plan_pb2.PlanVersion]:
        """The history of "team"."""
        got = await self.call(
            "ListPlanVersions", plan_version_pb2.ListPlanVersionsRequest(plan=TEAM)
        )
        return list(got.versions)

    async def difference(self, from_id: str, to_id: str) -> list[tuple[str, str, str]]:
        """What differs from one version to another."""
        got = await self.call(
            "DiffPlanVersions",
            plan_version_pb2.DiffPlanVersionsRequest(
                from_plan_version_id=from_id, to_plan_version_id=to_id
            ),
        )
        return [(one.path, one.before, one.after) for one in got.differences]


def existing(slug: str, number: str = "") -> plan_pb2.PlanFeatureInput:
    """A feature that exists, granted in full or as a number."""
    value = feature_pb2.FeatureValue(number=number) if number else None
    return plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug=slug), value=value)


def monthly_credits(
    feature: str, amount: str, name: str = "Bonus"
) -> credit_definition_pb2.NewCreditDefinition:
    """Credits of a plan, renewed with every billing period."""
    return credit_definition_pb2.NewCreditDefinition(
        name=name,
        scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
        application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
        feature=feature,
        default_amount=amount,
        renew_on_billing=True,
    )
