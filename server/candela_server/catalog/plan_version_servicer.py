"""Answers gRPC for the versions of plans: PlanService's other half."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from candela.catalog.v1 import plan_pb2
from candela.catalog.v1 import plan_version_pb2 as version_pb

from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import read, store, version_wire, wire
from .archive_plan_version import ArchivePlanVersion, archive_plan_version
from .create_plan_version import create_plan_version
from .diff_plan_versions import diff_plan_versions
from .model import PlanVersion
from .publish_plan_version import PublishPlanVersion, publish_plan_version
from .update_plan_version import update_plan_version


class PlanVersionMethods(Room):
    """The methods of PlanService that are about versions (CAT-3, CAT-9)."""

    async def CreatePlanVersion(
        self, request: version_pb.CreatePlanVersionRequest, context: Any
    ) -> version_pb.CreatePlanVersionResponse:
        """Begins a draft."""
        command = version_wire.create_plan_version_from_proto(request)

        async def act(tx: Tx) -> version_pb.CreatePlanVersionResponse:
            draft = await create_plan_version(tx, self._clock, command)
            return version_pb.CreatePlanVersionResponse(version=await _shown(tx, draft))

        return await self._mutations.run(request, version_pb.CreatePlanVersionResponse, act)

    async def UpdatePlanVersion(
        self, request: version_pb.UpdatePlanVersionRequest, context: Any
    ) -> version_pb.UpdatePlanVersionResponse:
        """Replaces what a draft grants."""
        command = version_wire.update_plan_version_from_proto(request)

        async def act(tx: Tx) -> version_pb.UpdatePlanVersionResponse:
            draft = await update_plan_version(tx, self._clock, command)
            return version_pb.UpdatePlanVersionResponse(version=await _shown(tx, draft))

        return await self._mutations.run(request, version_pb.UpdatePlanVersionResponse, act)

    async def PublishPlanVersion(
        self, request: version_pb.PublishPlanVersionRequest, context: Any
    ) -> version_pb.PublishPlanVersionResponse:
        """Freezes a draft and sells it."""
        with FieldViolations() as fields:
            version_id = fields.read(
                "plan_version_id", version_wire.version_id_from_proto, request.plan_version_id
            )

        async def act(tx: Tx) -> version_pb.PublishPlanVersionResponse:
            version = await publish_plan_version(
                tx, self._clock, PublishPlanVersion(version_id=version_id)
            )
            return version_pb.PublishPlanVersionResponse(version=await _shown(tx, version))

        return await self._mutations.run(request, version_pb.PublishPlanVersionResponse, act)

    async def ArchivePlanVersion(
        self, request: version_pb.ArchivePlanVersionRequest, context: Any
    ) -> version_pb.ArchivePlanVersionResponse:
        """Takes a version out of sale."""
        with FieldViolations() as fields:
            version_id = fields.read(
                "plan_version_id", version_wire.version_id_from_proto, request.plan_version_id
            )

        async def act(tx: Tx) -> version_pb.ArchivePlanVersionResponse:
            version = await archive_plan_version(tx, ArchivePlanVersion(version_id=version_id))
            return version_pb.ArchivePlanVersionResponse(version=await _shown(tx, version))

        return await self._mutations.run(request, version_pb.ArchivePlanVersionResponse, act)

    async def GetPlanVersion(
        self, request: version_pb.GetPlanVersionRequest, context: Any
    ) -> version_pb.GetPlanVersionResponse:
        """One version."""
        with FieldViolations() as fields:
            version_id = fields.read(
                "plan_version_id", version_wire.version_id_from_proto, request.plan_version_id
            )
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            version = await read.get_plan_version(tx, version_id)
            shown = await _shown(tx, version)
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

    async def DiffPlanVersions(
        self, request: version_pb.DiffPlanVersionsRequest, context: Any
    ) -> version_pb.DiffPlanVersionsResponse:
        """What differs between two versions."""
        with FieldViolations() as fields:
            from_id = fields.read(
                "from_plan_version_id",
                version_wire.version_id_from_proto,
                request.from_plan_version_id,
            )
            to_id = fields.read(
                "to_plan_version_id",
                version_wire.version_id_from_proto,
                request.to_plan_version_id,
            )
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await diff_plan_versions(tx, from_id, to_id)
        return version_pb.DiffPlanVersionsResponse(
            differences=[version_wire.difference_to_proto(one) for one in found]
        )


async def shown_versions(tx: Tx, versions: Sequence[PlanVersion]) -> list[plan_pb2.PlanVersion]:
    """The versions as the contract shows them, with the slugs of their features and their credits."""
    slugs = {str(feature.id): feature.slug for feature in await read.list_features(tx)}
    definitions = await read.list_credit_definitions_of(tx, [version.id for version in versions])
    return [
        wire.plan_version_to_proto(version, slugs, tuple(definitions[version.id]))
        for version in versions
    ]


async def _shown(tx: Tx, version: PlanVersion) -> plan_pb2.PlanVersion:
    return (await shown_versions(tx, [version]))[0]
