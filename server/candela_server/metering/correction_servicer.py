"""Answers gRPC for corrections and backfills: the part of IngestionService that is no data plane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from candela.metering.v1 import ingestion_service_pb2 as pb
from candela.metering.v1 import ingestion_service_pb2_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Mutations, Request, Response, was_replayed
from candela_server.storage.postgres import Postgres, Tx

from . import correction_wire as wire
from .backfills import close_backfill, create_backfill, get_backfill, revert_backfill
from .correct_usage import Corrected, tell_counters, tell_counters_again
from .prepare_events import Preparer
from .read_counters import Counters
from .record_backfill import BackfillRecorder
from .replace_event import prepare_replacement, replace_event
from .void_events import preview_void, void_events

_Response = TypeVar("_Response", bound=Response)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionDesk:
    """What corrections work with."""

    db: Postgres
    events: EventStore
    mutations: Mutations
    counters: Counters
    preparer: Preparer
    recorder: BackfillRecorder
    clock: Clock


class CorrectionMethods(ingestion_service_pb2_grpc.IngestionServiceServicer):
    """The methods of IngestionService that correct events."""

    def __init__(self, desk: CorrectionDesk) -> None:
        """Takes what corrections work with."""
        self._desk = desk

    async def PreviewVoidEvents(
        self, request: pb.PreviewVoidEventsRequest, context: Any
    ) -> pb.PreviewVoidEventsResponse:
        """What VoidEvents would void and change."""
        preview = await preview_void(
            self._desk.db,
            self._desk.events,
            current_caller.get().merchant_id,
            self._desk.clock,
            wire.preview_void_from_proto(request),
        )
        return pb.PreviewVoidEventsResponse(
            event_count=preview.event_count,
            changes=[wire.change_to_proto(change) for change in preview.changes],
            unmeasured_metric_ids=preview.unmeasured,
        )

    async def VoidEvents(
        self, request: pb.VoidEventsRequest, context: Any
    ) -> pb.VoidEventsResponse:
        """Makes events count no longer."""
        command = wire.void_events_from_proto(request)

        async def act(tx: Tx) -> tuple[pb.VoidEventsResponse, Corrected | None]:
            voided = await void_events(tx, self._desk.clock, command)
            return pb.VoidEventsResponse(voided_count=voided.count), voided.corrected

        return await self._correct(request, pb.VoidEventsResponse, act)

    async def ReplaceEvent(
        self, request: pb.ReplaceEventRequest, context: Any
    ) -> pb.ReplaceEventResponse:
        """Records one event in another's place."""
        command = wire.replace_event_from_proto(request)
        desk = self._desk
        replacement = await prepare_replacement(
            desk.db,
            desk.events,
            desk.preparer,
            desk.clock,
            current_caller.get().merchant_id,
            command,
            wire.event_in_place_of,
        )

        async def act(tx: Tx) -> tuple[pb.ReplaceEventResponse, Corrected | None]:
            done = await replace_event(tx, desk.clock, command, replacement)
            response = pb.ReplaceEventResponse(
                replaced=wire.stored_event_to_proto(done.replaced),
                event=wire.stored_event_to_proto(done.event),
            )
            return response, done.corrected

        return await self._correct(request, pb.ReplaceEventResponse, act)

    async def CreateBackfill(
        self, request: pb.CreateBackfillRequest, context: Any
    ) -> pb.CreateBackfillResponse:
        """Opens a backfill."""
        command = wire.create_backfill_from_proto(request)

        async def act(tx: Tx) -> pb.CreateBackfillResponse:
            created = await create_backfill(tx, self._desk.clock, command)
            return pb.CreateBackfillResponse(backfill=wire.backfill_to_proto(created))

        return await self._desk.mutations.run(request, pb.CreateBackfillResponse, act)

    async def CloseBackfill(
        self, request: pb.CloseBackfillRequest, context: Any
    ) -> pb.CloseBackfillResponse:
        """Lets a backfill's events count."""
        backfill_id = wire.backfill_id_from_proto(request.backfill_id)

        async def act(tx: Tx) -> tuple[pb.CloseBackfillResponse, Corrected | None]:
            done = await close_backfill(tx, self._desk.clock, backfill_id)
            response = pb.CloseBackfillResponse(backfill=wire.backfill_to_proto(done.backfill))
            return response, done.corrected

        return await self._correct(request, pb.CloseBackfillResponse, act)

    async def RevertBackfill(
        self, request: pb.RevertBackfillRequest, context: Any
    ) -> pb.RevertBackfillResponse:
        """Takes a backfill's events out again."""
        backfill_id, reason = wire.revert_backfill_from_proto(request)

        async def act(tx: Tx) -> tuple[pb.RevertBackfillResponse, Corrected | None]:
            done = await revert_backfill(tx, self._desk.clock, backfill_id, reason)
            response = pb.RevertBackfillResponse(backfill=wire.backfill_to_proto(done.backfill))
            return response, done.corrected

        return await self._correct(request, pb.RevertBackfillResponse, act)

    async def GetBackfill(
        self, request: pb.GetBackfillRequest, context: Any
    ) -> pb.GetBackfillResponse:
        """One backfill."""
        backfill_id = wire.backfill_id_from_proto(request.backfill_id)
        async with self._desk.db.reading(current_caller.get().merchant_id) as tx:
            found = await get_backfill(tx, backfill_id)
        return pb.GetBackfillResponse(backfill=wire.backfill_to_proto(found))

    async def _correct(
        self,
        request: Request,
        response_class: type[_Response],
        act: Callable[[Tx], Awaitable[tuple[_Response, Corrected | None]]],
    ) -> _Response:
        """Runs a mutation that changes usage, and answers when the next check of any server sees it."""
        corrected: list[Corrected] = []

        async def run(tx: Tx) -> _Response:
            corrected.clear()
            response, changed = await act(tx)
            if changed is not None:
                corrected.append(changed)
            return response

        was_replayed.set(False)
        response = await self._desk.mutations.run(request, response_class, run)
        for one in corrected:
            await tell_counters(self._desk.events, self._desk.counters, one)
        if was_replayed.get():
            async with self._desk.db.reading(current_caller.get().merchant_id) as tx:
                await tell_counters_again(tx, self._desk.counters, self._desk.clock)
        return response
