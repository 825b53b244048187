"""Answers gRPC for plans and their versions."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import plan_service_pb2 as plan_pb
from candela.catalog.v1 import plan_service_pb2_grpc as plan_grpc
from candela.catalog.v1 import plan_version_pb2 as version_pb

from candela_server.kernel import read_fields
from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx

from . import read, store, wire
from .create_plan import create_plan
from .model import PlanVersionId
from .price_wire import price_to_proto
from .rules.free_plan import plan_is_free
from .servicer import Room, position


class PlanServicer(Room, plan_grpc.PlanServiceServicer):
    """PlanService: whole plans and reading; drafts, diffs and cosmetic edits are not served yet."""

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
            plans = [
                wire.plan_to_proto(
                    plan, free=plan_is_free(await read.list_prices_on_sale(tx, plan.id))
                )
                for plan in page.items
            ]
        return plan_pb.ListPlansResponse(plans=plans, next_page_token=page.next_token)

    async def GetPlanVersion(
        self, request: version_pb.GetPlanVersionRequest, context: Any
    ) -> version_pb.GetPlanVersionResponse:
        """One version."""
        with FieldViolations() as fields:
            version_id = fields.read(
                "plan_version_id", read_fields.typed_id("plv"), request.plan_version_id
            )
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            version = await read.get_plan_version(tx, PlanVersionId(version_id))
            shown = (await shown_versions(tx, [version]))[0]
        return version_pb.GetPlanVersionResponse(version=shown)

    async def ListPlanVersions(
        self, request: version_pb.ListPlanVersionsRequest, context: Any
    ) -> version_pb.ListPlanVersionsResponse:
        """One page of a plan's versions."""
        with FieldViolations() as fields:
            ref = fields.read("plan", wire.ref_from_proto, "plan", request.plan)
        scope, wanted = self.page("plan_versions", request, repr(ref))
        async with self._db.reading(scope.merchant_id) as tx:
            plan = await read.get_plan(tx, ref)
            found = await store.list_versions_of_plan(
                tx, plan.id, limit=wanted.fetch_limit, after=wanted.after
            )
            page = make_page(scope, wanted, found, position)
            shown = await shown_versions(tx, page.items)
        return version_pb.ListPlanVersionsResponse(versions=shown, next_page_token=page.next_token)


async def shown_versions(tx: Tx, versions: Any) -> list[Any]:
    """The versions as the contract shows them, with the slugs of their features and their credits."""
    slugs = {str(feature.id): feature.slug for feature in await read.list_features(tx)}
    return [
        wire.plan_version_to_proto(
            version, slugs, tuple(await read.list_credit_definitions(tx, version.id))
        )
        for version in versions
    ]
