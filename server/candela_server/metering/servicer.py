"""Answers gRPC for ingestion and usage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from candela.metering.v1 import (
    ingestion_service_pb2,
    usage_service_pb2,
)

from candela_server.contract.values import interval_to_proto
from candela_server.kernel.caller import current_caller

from . import wire
from .correction_servicer import CorrectionDesk, CorrectionMethods
from .history_servicer import HistoryServicer
from .ingest_events import Ingestor
from .model import Outcome, refusal
from .read_usage import get_usage, query_usage
from .rejected_event_servicer import RejectedEventServicer
from .stream_events import stream_events


class IngestionServicer(CorrectionMethods, RejectedEventServicer):
    """IngestionService."""

    def __init__(self, ingestor: Ingestor, desk: CorrectionDesk, page_secret: bytes) -> None:
        """Takes what it hands events to, what corrections work with, and signs page tokens with."""
        CorrectionMethods.__init__(self, desk)
        RejectedEventServicer.__init__(
            self, ingestor, desk.db, desk.mutations, desk.clock, page_secret
        )

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
        merchant_id = current_caller.get().merchant_id
        if request.HasField("backfill_id"):
            recorded = await self._desk.recorder.record(
                merchant_id, request.backfill_id, request.events
            )
        else:
            recorded = await self._ingestor.record(merchant_id, request.events)
        return wire.recorded_to_proto(recorded)

    async def StreamEvents(
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[ingestion_service_pb2.StreamEventsResponse]:
        """Chunk after chunk."""
        merchant_id = current_caller.get().merchant_id
        async for acknowledgement in stream_events(
            self._ingestor, merchant_id, request_iterator, self._desk.recorder
        ):
            yield wire.acknowledgement_to_proto(acknowledgement)


class UsageServicer(HistoryServicer):
    """UsageService."""

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
            left_out_metric_ids=[metric.id for metric in usage.left_out],
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
            fill_status=wire.fill_status_to_proto(usage.fill_status),
        )
