"""Answers gRPC for comparisons within a subscription's history (SUB-3)."""

from __future__ import annotations

from typing import Any

from candela.subscription.v1 import subscription_diff_pb2 as pb

from candela_server.kernel.caller import current_caller
from candela_server.storage.postgres import Postgres

from . import wire
from .diff_versions import diff_versions


class HistoryMethods:
    """The part of SubscriptionService that compares versions."""

    _db: Postgres

    async def DiffSubscriptionVersions(
        self, request: pb.DiffSubscriptionVersionsRequest, context: Any
    ) -> pb.DiffSubscriptionVersionsResponse:
        """What differs between two versions."""
        subscription_id = wire.subscription_id_from_proto(request.subscription_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await diff_versions(
                tx,
                subscription_id,
                from_version=request.from_version,
                to_version=request.to_version,
            )
        return pb.DiffSubscriptionVersionsResponse(
            differences=[
                pb.SubscriptionVersionDifference(path=one.path, before=one.before, after=one.after)
                for one in found
            ]
        )
