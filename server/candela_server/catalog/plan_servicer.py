"""Answers gRPC for plans; their versions are in `plan_version_servicer.py`."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import plan_pb2
from candela.catalog.v1 import plan_service_pb2 as plan_pb
from candela.catalog.v1 import plan_service_pb2_grpc as plan_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import position

from . import read, version_wire, wire
from .archive_plan import archive_plan
from .create_plan import create_plan
from .model import Plan
from .plan_version_servicer import PlanVersionMethods, shown_versions
from .price_wire import price_to_proto
from .rules.free_plan import plan_is_free
from .update_plan import update_plan


class PlanServicer(PlanVersionMethods, plan_grpc.PlanServiceServicer):
    """PlanService."""

    async def CreatePlan(
        self, request: plan_pb.CreatePlanRequest, context: Any
    ) -> plan_pb.CreatePlanResponse:
        """Makes a whole plan, all of it or nothing (CAT-1)."""
        command = wire.create_plan_from_proto(request)

        async def act(tx: Tx) -> plan_pb.CreatePlanResponse:
            made = await create_plan(tx, self._clock, command)
            slugs = {str(feature.id): feature.slug for feature in made.features}
            return plan_pb.CreatePlanResponse(
                plan=wire.plan_to_proto(made.plan, free=plan_is_free(made.prices)),
                version=wire.plan_version_to_proto(made.version, slugs, made.credit_definitions),
                prices=[price_to_proto(price) for price in made.prices],
                features=[wire.feature_to_proto(feature) for feature in made.features],
                metrics=[wire.metric_to_proto(metric) for metric in made.metrics],
                warnings=made.warnings,
            )

        return await self._mutations.run(request, plan_pb.CreatePlanResponse, act)

    async def GetPlan(
        self, request: plan_pb.GetPlanRequest, context: Any
    ) -> plan_pb.GetPlanResponse:
        """One plan with what is sold now."""
        with FieldViolations() as fields:
            ref = fields.read("plan", wire.ref_from_proto, "plan", request.plan)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            plan = await read.get_plan(tx, ref)
            prices = await read.list_prices_on_sale(tx, plan.id)
            response = plan_pb.GetPlanResponse(
                plan=wire.plan_to_proto(plan, free=plan_is_free(prices)),
                prices=[price_to_proto(price) for price in prices],
            )
            if plan.current_version_id is not None:
                version = await read.get_plan_version(tx, plan.current_version_id)
                response.version.CopyFrom((await shown_versions(tx, [version]))[0])
        return response

    async def ListPlans(
        self, request: plan_pb.ListPlansRequest, context: Any
    ) -> plan_pb.ListPlansResponse:
        """One page of plans."""
        scope, wanted = self.page("plans", request, str(request.include_archived))
        async with self._db.reading(scope.merchant_id) as tx:
            found = await read.list_plans(
                tx,
                limit=wanted.fetch_limit,
                after=wanted.after,
                include_archived=request.include_archived,
            )
            page = make_page(scope, wanted, found, position)
            plans = [await _shown(tx, plan) for plan in page.items]
        return plan_pb.ListPlansResponse(plans=plans, next_page_token=page.next_token)

    async def UpdatePlan(
        self, request: plan_pb.UpdatePlanRequest, context: Any
    ) -> plan_pb.UpdatePlanResponse:
        """Changes what people read (CAT-3)."""
        command = version_wire.update_plan_from_proto(request)

        async def act(tx: Tx) -> plan_pb.UpdatePlanResponse:
            return plan_pb.UpdatePlanResponse(plan=await _shown(tx, await update_plan(tx, command)))

        return await self._mutations.run(request, plan_pb.UpdatePlanResponse, act)

    async def ArchivePlan(
        self, request: plan_pb.ArchivePlanRequest, context: Any
    ) -> plan_pb.ArchivePlanResponse:
        """Takes a plan out of sale."""
        command = version_wire.archive_plan_from_proto(request)

        async def act(tx: Tx) -> plan_pb.ArchivePlanResponse:
            plan = await archive_plan(tx, self._clock, command)
            return plan_pb.ArchivePlanResponse(plan=await _shown(tx, plan))

        return await self._mutations.run(request, plan_pb.ArchivePlanResponse, act)


async def _shown(tx: Tx, plan: Plan) -> plan_pb2.Plan:
    return wire.plan_to_proto(plan, free=plan_is_free(await read.list_prices_on_sale(tx, plan.id)))
