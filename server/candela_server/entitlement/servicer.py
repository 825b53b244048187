"""Answers gRPC for entitlements. Data plane: see quick_check.py for the budget."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from candela.entitlement.v1 import entitlement_service_pb2 as pb
from candela.entitlement.v1 import entitlement_service_pb2_grpc

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.customer.model import (
    CustomerByExternalId,
    CustomerById,
    CustomerNotFoundError,
    UserNotFoundError,
)
from candela_server.kernel.caller import current_caller

from . import watch_wire, wire
from .check_entitlement import Checker
from .model import FeatureState, Snapshot
from .quick_check import QuickChecks
from .snapshot_facts import Who
from .watch_hub import WatchHub


class EntitlementServicer(entitlement_service_pb2_grpc.EntitlementServiceServicer):
    """The whole of EntitlementService."""

    def __init__(self, checker: Checker, quick: QuickChecks, hub: WatchHub) -> None:
        """Takes who answers, who answers quickly, and who knows what changes."""
        self._checker = checker
        self._hub = hub
        self.quick = quick
        # What the server calls instead of the methods below: bytes in, bytes out.
        self.from_bytes = {"Check": quick.check, "CheckMany": quick.check_many}

    async def Check(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:
        """One feature (ENT-5)."""
        merchant_id = current_caller.get().merchant_id
        answer = await self.quick.check(merchant_id, request.SerializeToString())
        return pb.CheckResponse.FromString(answer)

    async def CheckMany(self, request: pb.CheckManyRequest, context: Any) -> pb.CheckManyResponse:
        """Many features, in request order; one bad question spoils no other (ENT-5)."""
        merchant_id = current_caller.get().merchant_id
        answer = await self.quick.check_many(merchant_id, request.SerializeToString())
        return pb.CheckManyResponse.FromString(answer)

    async def ListEntitlements(
        self, request: pb.ListEntitlementsRequest, context: Any
    ) -> pb.ListEntitlementsResponse:
        """Every feature of the catalog, by slug."""
        merchant_id = current_caller.get().merchant_id
        who = wire.who_from_proto(request)
        snapshot = await self._checker.snapshot(merchant_id, who, request.min_revision)
        customer_id = _known(snapshot, who)
        answers = await self._checker.check_states(
            merchant_id,
            [(snapshot, state, wire.ONE) for _, state in sorted(snapshot.features.items())],
        )
        return pb.ListEntitlementsResponse(
            customer_id=customer_id,
            entitlements=[wire.entitlement_to_proto(answer, snapshot) for answer in answers],
            freshness=wire.freshness_to_proto(snapshot, answers),
        )

    async def GetFeatureUsage(
        self, request: pb.GetFeatureUsageRequest, context: Any
    ) -> pb.GetFeatureUsageResponse:
        """Used, limit and credits of usage features."""
        merchant_id = current_caller.get().merchant_id
        who = wire.who_from_proto(request)
        snapshot = await self._checker.snapshot(merchant_id, who)
        customer_id = _known(snapshot, who)
        slugs = sorted(set(request.features) or snapshot.features)
        states = [state for slug in slugs if (state := _state(snapshot, slug)).metered is not None]
        answers = await self._checker.check_states(
            merchant_id, [(snapshot, state, wire.ONE) for state in states]
        )
        return pb.GetFeatureUsageResponse(
            customer_id=customer_id,
            features=[wire.feature_usage_to_proto(answer) for answer in answers],
            freshness=wire.freshness_to_proto(snapshot, answers),
        )

    async def Watch(
        self, request: pb.WatchRequest, context: Any
    ) -> AsyncIterator[pb.WatchResponse]:
        """What customers are entitled to, and every change of it (ENT-8)."""
        merchant_id = current_caller.get().merchant_id
        customer_ids = watch_wire.customer_ids_from_proto(request)
        async with aclosing(
            self._hub.watch(merchant_id, customer_ids, request.resume_token)
        ) as stream:
            async for told in stream:
                yield watch_wire.told_to_proto(told)


def _state(snapshot: Snapshot, slug: str) -> FeatureState:
    state = snapshot.features.get(slug)
    if state is None:
        raise FeatureNotFoundError(slug)
    return state


def _known(snapshot: Snapshot, who: Who) -> str:
    if snapshot.customer_id is not None:
        return snapshot.customer_id
    if isinstance(who, CustomerById | CustomerByExternalId):
        raise CustomerNotFoundError(who)
    raise UserNotFoundError(who)
