"""Answers gRPC for features."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import feature_service_pb2 as feature_pb
from candela.catalog.v1 import feature_service_pb2_grpc as feature_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import read, version_wire, wire
from .archive_feature import archive_feature
from .create_feature import create_feature
from .refs import BySlug
from .servicer import rest_after
from .switch_feature import SwitchFeature, switch_feature
from .update_feature import update_feature


class FeatureServicer(Room, feature_grpc.FeatureServiceServicer):
    """FeatureService."""

    async def CreateFeature(
        self, request: feature_pb.CreateFeatureRequest, context: Any
    ) -> feature_pb.CreateFeatureResponse:
        """Adds a feature."""
        with FieldViolations() as fields:
            new = fields.read("feature", wire.new_feature_from_proto, request.feature)

        async def act(tx: Tx) -> feature_pb.CreateFeatureResponse:
            metric = (
                await read.get_metric_in_use(tx, BySlug(new.metric_slug))
                if new.metric_slug
                else None
            )
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
        scope, wanted = self.page("features", request, str(request.include_archived))
        async with self._db.reading(scope.merchant_id) as tx:
            found = await read.list_features(tx)
        listed = [one for one in found if request.include_archived or one.archived_at is None]
        page = make_page(scope, wanted, rest_after(listed, wanted), position)
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

    async def UpdateFeature(
        self, request: feature_pb.UpdateFeatureRequest, context: Any
    ) -> feature_pb.UpdateFeatureResponse:
        """Changes a feature's name, description, default value or metric."""
        command = version_wire.update_feature_from_proto(request)

        async def act(tx: Tx) -> feature_pb.UpdateFeatureResponse:
            feature = await update_feature(tx, command)
            return feature_pb.UpdateFeatureResponse(feature=wire.feature_to_proto(feature))

        return await self._mutations.run(request, feature_pb.UpdateFeatureResponse, act)

    async def ArchiveFeature(
        self, request: feature_pb.ArchiveFeatureRequest, context: Any
    ) -> feature_pb.ArchiveFeatureResponse:
        """Takes a feature out of use for new plan versions."""
        command = version_wire.archive_feature_from_proto(request)

        async def act(tx: Tx) -> feature_pb.ArchiveFeatureResponse:
            feature = await archive_feature(tx, self._clock, command)
            return feature_pb.ArchiveFeatureResponse(feature=wire.feature_to_proto(feature))

        return await self._mutations.run(request, feature_pb.ArchiveFeatureResponse, act)
