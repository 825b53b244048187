"""Answers gRPC for features, metrics, plans, prices and credit definitions."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import (
    credit_definition_service_pb2 as definition_pb,
)
from candela.catalog.v1 import (
    credit_definition_service_pb2_grpc as definition_grpc,
)
from candela.catalog.v1 import feature_service_pb2 as feature_pb
from candela.catalog.v1 import feature_service_pb2_grpc as feature_grpc
from candela.catalog.v1 import metric_service_pb2 as metric_pb
from candela.catalog.v1 import metric_service_pb2_grpc as metric_grpc
from candela.catalog.v1 import plan_service_pb2 as plan_pb
from candela.catalog.v1 import plan_service_pb2_grpc as plan_grpc
from candela.catalog.v1 import plan_version_pb2 as version_pb
from candela.catalog.v1 import price_service_pb2 as price_pb
from candela.catalog.v1 import price_service_pb2_grpc as price_grpc

from candela_server.contract.values import interval_to_proto
from candela_server.kernel import read_fields
from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import PageRequest, TokenScope, make_page, read_page_request
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx

from . import definition_store, price_store, read, store, wire
from .create_feature import create_feature
from .create_metric import create_metric
from .create_plan import create_plan
from .definition_wire import credit_definition_to_proto
from .model import CreditDefinitionId, Feature, Metric, Plan, PlanVersion, PlanVersionId
from .price import PriceId
from .price_wire import price_to_proto
from .refs import BySlug
from .rules.free_plan import plan_is_free
from .switch_feature import SwitchFeature, switch_feature


class _Room:
    """What each servicer of this room holds."""

    def __init__(
        self, db: Postgres, mutations: Mutations, clock: Clock, page_secret: bytes
    ) -> None:
        """Takes what it reads from, writes through, and tells time by."""
        self._db = db
        self._mutations = mutations
        self._clock = clock
        self._page_secret = page_secret

    def _page(
        self, list_name: str, request: Any, wanted: str = ""
    ) -> tuple[TokenScope, PageRequest]:
        scope = TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name=list_name,
            filter=wanted,
        )
        return scope, read_page_request(scope, request.page_size, request.page_token)


class FeatureServicer(_Room, feature_grpc.FeatureServiceServicer):
    """FeatureService."""

    async def CreateFeature(
        self, request: feature_pb.CreateFeatureRequest, context: Any
    ) -> feature_pb.CreateFeatureResponse:
        """Adds a feature."""
        with FieldViolations() as fields:
            new = fields.read("feature", wire.new_feature_from_proto, request.feature)

        async def act(tx: Tx) -> feature_pb.CreateFeatureResponse:
            metric = await read.get_metric(tx, BySlug(new.metric_slug)) if new.metric_slug else None
            feature = await create_feature(tx, self._clock, new, metric.id if metric else None)
            return feature_pb.CreateFeatureResponse(feature=wire.feature_to_proto(feature))

        return await self._mutations.run(request, feature_pb.CreateFeatureResponse, act)

    async def GetFeature(
        self, request: feature_pb.GetFeatureRequest, context: Any
    ) -> feature_pb.GetFeatureResponse:
        """One feature."""
        with FieldViolations() as fields:
            ref = fields.read("feature", wire.ref_from_proto, "feat", request.feature)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            feature = await read.get_feature(tx, ref)
        return feature_pb.GetFeatureResponse(feature=wire.feature_to_proto(feature))

    async def ListFeatures(
        self, request: feature_pb.ListFeaturesRequest, context: Any
    ) -> feature_pb.ListFeaturesResponse:
        """One page of features."""
        scope, wanted = self._page("features", request, str(request.include_archived))
        async with self._db.reading(scope.merchant_id) as tx:
            found = await read.list_features(tx)
        listed = [one for one in found if request.include_archived or one.archived_at is None]
        page = make_page(scope, wanted, _after(listed, wanted), _position)
        return feature_pb.ListFeaturesResponse(
            features=[wire.feature_to_proto(feature) for feature in page.items],
            next_page_token=page.next_token,
        )

    async def DisableFeature(
        self, request: feature_pb.DisableFeatureRequest, context: Any
    ) -> feature_pb.DisableFeatureResponse:
        """Switches a feature off for everybody (ENT-11)."""
        with FieldViolations() as fields:
            ref = fields.read("feature", wire.ref_from_proto, "feat", request.feature)

        async def act(tx: Tx) -> feature_pb.DisableFeatureResponse:
            feature = await switch_feature(tx, self._clock, SwitchFeature(feature=ref, on=False))
            return feature_pb.DisableFeatureResponse(feature=wire.feature_to_proto(feature))

        return await self._mutations.run(request, feature_pb.DisableFeatureResponse, act)

    async def EnableFeature(
        self, request: feature_pb.EnableFeatureRequest, context: Any
    ) -> feature_pb.EnableFeatureResponse:
        """Switches a feature on again."""
        with FieldViolations() as fields:
            ref = fields.read("feature", wire.ref_from_proto, "feat", request.feature)

        async def act(tx: Tx) -> feature_pb.EnableFeatureResponse:
            feature = await switch_feature(tx, self._clock, SwitchFeature(feature=ref, on=True))
            return feature_pb.EnableFeatureResponse(feature=wire.feature_to_proto(feature))

        return await self._mutations.run(request, feature_pb.EnableFeatureResponse, act)


class MetricServicer(_Room, metric_grpc.MetricServiceServicer):
    """MetricService."""

    async def CreateMetric(
        self, request: metric_pb.CreateMetricRequest, context: Any
    ) -> metric_pb.CreateMetricResponse:
        """Adds a metric."""
        with FieldViolations() as fields:
            new = fields.read("metric", wire.new_metric_from_proto, request.metric)

        async def act(tx: Tx) -> metric_pb.CreateMetricResponse:
            metric = await create_metric(tx, self._clock, new)
            return metric_pb.CreateMetricResponse(metric=wire.metric_to_proto(metric))

        return await self._mutations.run(request, metric_pb.CreateMetricResponse, act)

    async def GetMetric(
        self, request: metric_pb.GetMetricRequest, context: Any
    ) -> metric_pb.GetMetricResponse:
        """One metric."""
        with FieldViolations() as fields:
            ref = fields.read("metric", wire.ref_from_proto, "met", request.metric)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            metric = await read.get_metric(tx, ref)
        return metric_pb.GetMetricResponse(metric=wire.metric_to_proto(metric))

    async def ListMetrics(
        self, request: metric_pb.ListMetricsRequest, context: Any
    ) -> metric_pb.ListMetricsResponse:
        """One page of metrics."""
        scope, wanted = self._page("metrics", request, str(request.include_archived))
        async with self._db.reading(scope.merchant_id) as tx:
            found = await read.list_metrics(tx)
        listed = [one for one in found if request.include_archived or one.archived_at is None]
        page = make_page(scope, wanted, _after(listed, wanted), _position)
        return metric_pb.ListMetricsResponse(
            metrics=[wire.metric_to_proto(metric) for metric in page.items],
            next_page_token=page.next_token,
        )


class PlanServicer(_Room, plan_grpc.PlanServiceServicer):
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
                response.version.CopyFrom((await _shown_versions(tx, [version]))[0])
        return response

    async def ListPlans(
        self, request: plan_pb.ListPlansRequest, context: Any
    ) -> plan_pb.ListPlansResponse:
        """One page of plans."""
        scope, wanted = self._page("plans", request, str(request.include_archived))
        async with self._db.reading(scope.merchant_id) as tx:
            found = await read.list_plans(
                tx,
                limit=wanted.fetch_limit,
                after=wanted.after,
                include_archived=request.include_archived,
            )
            page = make_page(scope, wanted, found, _position)
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
            shown = (await _shown_versions(tx, [version]))[0]
        return version_pb.GetPlanVersionResponse(version=shown)

    async def ListPlanVersions(
        self, request: version_pb.ListPlanVersionsRequest, context: Any
    ) -> version_pb.ListPlanVersionsResponse:
        """One page of a plan's versions."""
        with FieldViolations() as fields:
            ref = fields.read("plan", wire.ref_from_proto, "plan", request.plan)
        scope, wanted = self._page("plan_versions", request, repr(ref))
        async with self._db.reading(scope.merchant_id) as tx:
            plan = await read.get_plan(tx, ref)
            found = await store.list_versions_of_plan(
                tx, plan.id, limit=wanted.fetch_limit, after=wanted.after
            )
            page = make_page(scope, wanted, found, _position)
            shown = await _shown_versions(tx, page.items)
        return version_pb.ListPlanVersionsResponse(versions=shown, next_page_token=page.next_token)


class PriceServicer(_Room, price_grpc.PriceServiceServicer):
    """PriceService: reading and previews; adding to and archiving from a plan are not served yet."""

    async def GetPrice(
        self, request: price_pb.GetPriceRequest, context: Any
    ) -> price_pb.GetPriceResponse:
        """One price."""
        with FieldViolations() as fields:
            price_id = fields.read("price_id", read_fields.typed_id("price"), request.price_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            price = await read.get_price(tx, PriceId(price_id))
        return price_pb.GetPriceResponse(price=price_to_proto(price))

    async def ListPrices(
        self, request: price_pb.ListPricesRequest, context: Any
    ) -> price_pb.ListPricesResponse:
        """One page of a plan's prices."""
        with FieldViolations() as fields:
            ref = fields.read("plan", wire.ref_from_proto, "plan", request.plan)
        scope, wanted = self._page("prices", request, f"{ref!r}:{request.include_archived}")
        async with self._db.reading(scope.merchant_id) as tx:
            plan = await read.get_plan(tx, ref)
            found = await price_store.list_prices_of_plan(
                tx,
                plan.id,
                limit=wanted.fetch_limit,
                after=wanted.after,
                include_archived=request.include_archived,
            )
        page = make_page(scope, wanted, found, _position)
        return price_pb.ListPricesResponse(
            prices=[price_to_proto(price) for price in page.items],
            next_page_token=page.next_token,
        )

    async def PreviewRecurrence(
        self, request: price_pb.PreviewRecurrenceRequest, context: Any
    ) -> price_pb.PreviewRecurrenceResponse:
        """When a rule would bill (DSL-5)."""
        with FieldViolations() as fields:
            recurrence = fields.read(
                "recurrence_rule",
                read_fields.recurrence,
                request.recurrence_rule,
                request.time_zone or "UTC",
            )
            anchor_at = fields.read("anchor_at", read_fields.instant, request.anchor_at)
            count = fields.read(
                "period_count", read_fields.whole_number(1, 120), request.period_count or 12
            )
        return price_pb.PreviewRecurrenceResponse(
            periods=[
                interval_to_proto(recurrence.period(anchor_at, number)) for number in range(count)
            ]
        )


class CreditDefinitionServicer(_Room, definition_grpc.CreditDefinitionServiceServicer):
    """CreditDefinitionService: reading; definitions are made with their plan for now."""

    async def GetCreditDefinition(
        self, request: definition_pb.GetCreditDefinitionRequest, context: Any
    ) -> definition_pb.GetCreditDefinitionResponse:
        """One definition."""
        with FieldViolations() as fields:
            definition_id = fields.read(
                "credit_definition_id",
                read_fields.typed_id("cdef"),
                request.credit_definition_id,
            )
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await read.get_credit_definition(tx, CreditDefinitionId(definition_id))
        return definition_pb.GetCreditDefinitionResponse(
            credit_definition=credit_definition_to_proto(found)
        )

    async def ListCreditDefinitions(
        self, request: definition_pb.ListCreditDefinitionsRequest, context: Any
    ) -> definition_pb.ListCreditDefinitionsResponse:
        """One page of definitions."""
        with FieldViolations() as fields:
            ref = (
                fields.read("plan", wire.ref_from_proto, "plan", request.plan)
                if request.HasField("plan")
                else None
            )
        scope, wanted = self._page("credit_definitions", request, repr(ref))
        async with self._db.reading(scope.merchant_id) as tx:
            plan = await read.get_plan(tx, ref) if ref else None
            found = await definition_store.page_credit_definitions(
                tx,
                plan_id=plan.id if plan else None,
                limit=wanted.fetch_limit,
                after=wanted.after,
            )
        page = make_page(scope, wanted, found, _position)
        return definition_pb.ListCreditDefinitionsResponse(
            credit_definitions=[credit_definition_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )


async def _shown_versions(tx: Tx, versions: Any) -> list[Any]:
    slugs = {str(feature.id): feature.slug for feature in await read.list_features(tx)}
    return [
        wire.plan_version_to_proto(
            version, slugs, tuple(await read.list_credit_definitions(tx, version.id))
        )
        for version in versions
    ]


def _position(item: Feature | Metric | Plan | PlanVersion | Any) -> Any:
    return item.created_at, item.id


def _after(items: list[Any], wanted: PageRequest) -> list[Any]:
    """The part of a short, whole list that the page asks for."""
    after = wanted.after
    rest = items if after is None else [item for item in items if _position(item) > after]
    return rest[: wanted.fetch_limit]
