"""Answers gRPC for ingestion and usage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from candela.metering.v1 import (
    ingestion_service_pb2,
    usage_service_pb2,
    usage_service_pb2_grpc,
)

from candela_server.contract.values import interval_to_proto
from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.page import TokenScope, make_page, read_page_request
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from . import wire
from .list_unmatched_names import list_unmatched_names
from .model import Outcome, refusal
from .read_usage import get_usage, query_usage
from .rejected_event_servicer import RejectedEventServicer
from .rejected_event_wire import unmatched_name_to_proto
from .stream_events import stream_events


class IngestionServicer(RejectedEventServicer):
    """IngestionService."""

    async def RecordEvent(
        self, request: ingestion_service_pb2.RecordEventRequest, context: Any
    ) -> ingestion_service_pb2.RecordEventResponse:
        """One event; a refused one fails the call."""
        recorded = await self._ingestor.record(current_caller.get().merchant_id, [request.event])
        if recorded.outcomes[0] is Outcome.REJECTED:
            raise refusal(recorded.rejections[0])
        return ingestion_service_pb2.RecordEventResponse(
            outcome=wire.outcome_to_proto(recorded.outcomes[0])
        )

    async def RecordEvents(
        self, request: ingestion_service_pb2.RecordEventsRequest, context: Any
    ) -> ingestion_service_pb2.RecordEventsResponse:
        """A batch."""
        recorded = await self._ingestor.record(current_caller.get().merchant_id, request.events)
        return wire.recorded_to_proto(recorded)

    async def StreamEvents(
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[ingestion_service_pb2.StreamEventsResponse]:
        """Chunk after chunk."""
        merchant_id = current_caller.get().merchant_id
        async for acknowledgement in stream_events(self._ingestor, merchant_id, request_iterator):
            yield wire.acknowledgement_to_proto(acknowledgement)


class UsageServicer(usage_service_pb2_grpc.UsageServiceServicer):
    """UsageService."""

    def __init__(self, db: Postgres, events: EventStore, clock: Clock, page_secret: bytes) -> None:
        """Takes what it reads from, tells time by, and signs page tokens with."""
        self._db = db
        self._events = events
        self._clock = clock
        self._page_secret = page_secret

    async def GetUsage(
        self, request: usage_service_pb2.GetUsageRequest, context: Any
    ) -> usage_service_pb2.GetUsageResponse:
        """One number per metric."""
        usage = await get_usage(
            self._db,
            self._events,
            current_caller.get().merchant_id,
            self._clock,
            wire.get_usage_from_proto(request),
        )
        return usage_service_pb2.GetUsageResponse(
            customer_id=usage.who.customer_id,
            user_id=usage.who.user_id,
            window=interval_to_proto(usage.window),
            usages=[wire.usage_to_proto(one) for one in usage.usages],
        )

    async def QueryUsage(
        self, request: usage_service_pb2.QueryUsageRequest, context: Any
    ) -> usage_service_pb2.QueryUsageResponse:
        """One number per bucket."""
        usage = await query_usage(
            self._db,
            self._events,
            current_caller.get().merchant_id,
            self._clock,
            wire.query_usage_from_proto(request),
        )
        return usage_service_pb2.QueryUsageResponse(
            customer_id=usage.who.customer_id,
            user_id=usage.who.user_id,
            metric_id=usage.metric.id,
            buckets=[wire.bucket_to_proto(bucket) for bucket in usage.buckets],
            fill_status=wire.fill_status_to_proto(usage.filled),
        )

    async def ListUnmatchedEventNames(
        self, request: usage_service_pb2.ListUnmatchedEventNamesRequest, context: Any
    ) -> usage_service_pb2.ListUnmatchedEventNamesResponse:
        """One page of names that no metric reads."""
        scope = TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name="unmatched_event_names",
        )
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            fetched = await list_unmatched_names(
                tx, limit=wanted.fetch_limit, after=wanted.after[1] if wanted.after else ""
            )
        # The list's order is the name's; the instant in the token is only what every token holds.
        page = make_page(scope, wanted, fetched, lambda one: (one.first_event_at, one.name))
        return usage_service_pb2.ListUnmatchedEventNamesResponse(
            names=[unmatched_name_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )
