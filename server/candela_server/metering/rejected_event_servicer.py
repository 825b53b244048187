"""Answers gRPC for dead letters: the part of IngestionService that is not the data plane (EVT-11)."""

from __future__ import annotations

from typing import Any

from candela.metering.v1 import ingestion_service_pb2 as ingestion_pb
from candela.metering.v1 import ingestion_service_pb2_grpc as ingestion_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.page import PageRequest, TokenScope, make_page, read_page_request
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx

from . import rejected_event_store as store
from . import rejected_event_wire as wire
from .ingest_events import Ingestor
from .rejected_event import RejectedEvent
from .replay_rejected_events import replay_rejected_events


class RejectedEventServicer(ingestion_grpc.IngestionServiceServicer):
    """The methods over rejected events."""

    def __init__(
        self,
        ingestor: Ingestor,
        db: Postgres,
        mutations: Mutations,
        clock: Clock,
        page_secret: bytes,
    ) -> None:
        """Takes what it replays through, reads from, and tells time by."""
        self._ingestor = ingestor
        self._db = db
        self._mutations = mutations
        self._clock = clock
        self._page_secret = page_secret

    async def ListRejectedEvents(
        self, request: ingestion_pb.ListRejectedEventsRequest, context: Any
    ) -> ingestion_pb.ListRejectedEventsResponse:
        """One page of dead letters, oldest first."""
        since = wire.received_since_from_proto(request)
        scope = TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name="rejected_events",
            filter=f"{request.include_replayed}:{since.isoformat() if since else ''}",
        )
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            fetched = await store.page_letters(
                tx,
                limit=wanted.fetch_limit,
                after=wanted.after,
                include_replayed=request.include_replayed,
                received_since=since,
            )
        fits = PageRequest(size=wire.fitting(fetched, wanted.size), after=wanted.after)
        page = make_page(scope, fits, fetched, _position)
        return ingestion_pb.ListRejectedEventsResponse(
            rejected_events=[wire.rejected_event_to_proto(letter) for letter in page.items],
            next_page_token=page.next_token,
        )

    async def ReplayRejectedEvents(
        self, request: ingestion_pb.ReplayRejectedEventsRequest, context: Any
    ) -> ingestion_pb.ReplayRejectedEventsResponse:
        """Counts what can be counted by now."""
        ids = wire.replayed_ids_from_proto(request)
        after_id = wire.after_id_from_proto(request)

        async def act(tx: Tx) -> ingestion_pb.ReplayRejectedEventsResponse:
            replayed = await replay_rejected_events(
                tx, self._ingestor, self._clock, wire.event_from_bytes, ids, after_id
            )
            return wire.replayed_to_proto(replayed)

        return await self._mutations.run(request, ingestion_pb.ReplayRejectedEventsResponse, act)


def _position(letter: RejectedEvent) -> Any:
    return letter.received_at, letter.id
