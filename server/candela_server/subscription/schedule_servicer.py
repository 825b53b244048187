"""Answers gRPC for changes that wait for their time (SUB-5)."""

from __future__ import annotations

from typing import Any

from candela.subscription.v1 import scheduled_change_pb2 as pb

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.page import TokenScope, make_page, read_page_request
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx

from . import read, scheduled_store, scheduled_wire, wire
from .schedule_change import cancel_scheduled_change, schedule_change


class ScheduleMethods:
    """The part of SubscriptionService that plans changes."""

    _db: Postgres
    _mutations: Mutations
    _clock: Clock
    _page_secret: bytes

    async def ScheduleChange(
        self, request: pb.ScheduleChangeRequest, context: Any
    ) -> pb.ScheduleChangeResponse:
        """A change is planned."""
        wanted = scheduled_wire.schedule_change_from_proto(request)

        async def act(tx: Tx) -> pb.ScheduleChangeResponse:
            planned = await schedule_change(tx, self._clock, wanted)
            return pb.ScheduleChangeResponse(
                scheduled_change=scheduled_wire.scheduled_to_proto(planned)
            )

        return await self._mutations.run(request, pb.ScheduleChangeResponse, act)

    async def ListScheduledChanges(
        self, request: pb.ListScheduledChangesRequest, context: Any
    ) -> pb.ListScheduledChangesResponse:
        """One page of what is planned, in the order of time."""
        subscription_id = wire.subscription_id_from_proto(request.subscription_id)
        scope = self._scope("scheduled_changes", f"{subscription_id}:{request.include_ended}")
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            await read.get_subscription(tx, subscription_id)
            found = await scheduled_store.page_scheduled(
                tx,
                subscription_id,
                include_ended=request.include_ended,
                limit=wanted.fetch_limit,
                after=wanted.after,
            )
        page = make_page(scope, wanted, found, lambda one: (one.due_at, one.id))
        return pb.ListScheduledChangesResponse(
            scheduled_changes=[scheduled_wire.scheduled_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )

    async def CancelScheduledChange(
        self, request: pb.CancelScheduledChangeRequest, context: Any
    ) -> pb.CancelScheduledChangeResponse:
        """What has not happened is called off."""
        wanted = scheduled_wire.scheduled_change_id_from_proto(request.scheduled_change_id)

        async def act(tx: Tx) -> pb.CancelScheduledChangeResponse:
            after = await cancel_scheduled_change(tx, self._clock, wanted)
            return pb.CancelScheduledChangeResponse(
                scheduled_change=scheduled_wire.scheduled_to_proto(after)
            )

        return await self._mutations.run(request, pb.CancelScheduledChangeResponse, act)

    def _scope(self, list_name: str, wanted: str) -> TokenScope:
        return TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name=list_name,
            filter=wanted,
        )
