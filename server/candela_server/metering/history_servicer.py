"""Answers gRPC for what events there are, and for metrics over events that were there before them."""

from __future__ import annotations

from typing import Any

from candela.metering.v1 import usage_service_pb2 as usage_pb
from candela.metering.v1 import usage_service_pb2_grpc as usage_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import format_decimal
from candela_server.kernel.page import TokenScope, encode_token, make_page, read_page_request
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx

from . import history_wire, wire
from .fill_metric import fill_metric, get_metric_fill
from .list_events import list_events
from .list_unmatched_names import list_unmatched_names
from .preview_metric import preview_metric


class HistoryServicer(usage_grpc.UsageServiceServicer):
    """The part of UsageService that looks at events and at history."""

    def __init__(
        self,
        db: Postgres,
        events: EventStore,
        clock: Clock,
        page_secret: bytes,
        mutations: Mutations,
    ) -> None:
        """Takes what it reads from, tells time by, signs page tokens with, and writes through."""
        self._db = db
        self._events = events
        self._clock = clock
        self._page_secret = page_secret
        self._mutations = mutations

    async def ListEvents(
        self, request: usage_pb.ListEventsRequest, context: Any
    ) -> usage_pb.ListEventsResponse:
        """One page of events."""
        ask = history_wire.list_events_from_proto(request)
        scope = self._scope("events", history_wire.filter_of(request))
        wanted = read_page_request(scope, request.page_size, request.page_token)
        page = await list_events(self._db, self._events, scope.merchant_id, ask, wanted)
        return usage_pb.ListEventsResponse(
            events=[history_wire.listed_event_to_proto(one) for one in page.events],
            next_page_token=encode_token(scope, page.next_after) if page.next_after else "",
        )

    async def PreviewMetric(
        self, request: usage_pb.PreviewMetricRequest, context: Any
    ) -> usage_pb.PreviewMetricResponse:
        """What a metric would measure."""
        preview = await preview_metric(
            self._db,
            self._events,
            current_caller.get().merchant_id,
            self._clock,
            history_wire.preview_metric_from_proto(request),
        )
        return usage_pb.PreviewMetricResponse(
            value=format_decimal(preview.value), event_count=preview.event_count
        )

    async def FillMetric(
        self, request: usage_pb.FillMetricRequest, context: Any
    ) -> usage_pb.FillMetricResponse:
        """Starts to read history into a metric."""
        command = history_wire.fill_metric_from_proto(request)

        async def act(tx: Tx) -> usage_pb.FillMetricResponse:
            fill = await fill_metric(tx, self._clock, command)
            return usage_pb.FillMetricResponse(fill=history_wire.fill_to_proto(fill))

        return await self._mutations.run(request, usage_pb.FillMetricResponse, act)

    async def GetMetricFill(
        self, request: usage_pb.GetMetricFillRequest, context: Any
    ) -> usage_pb.GetMetricFillResponse:
        """How far reading history has come."""
        with FieldViolations() as fields:
            ref = fields.read("metric", wire.metric_ref_from_proto, request.metric)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            fill = await get_metric_fill(tx, ref)
        return usage_pb.GetMetricFillResponse(fill=history_wire.fill_to_proto(fill))

    async def ListUnmatchedEventNames(
        self, request: usage_pb.ListUnmatchedEventNamesRequest, context: Any
    ) -> usage_pb.ListUnmatchedEventNamesResponse:
        """One page of names that no metric reads."""
        scope = self._scope("unmatched_event_names", "")
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            fetched = await list_unmatched_names(
                tx, limit=wanted.fetch_limit, after=wanted.after[1] if wanted.after else ""
            )
        # The list's order is the name's; the instant in the token is only what every token holds.
        page = make_page(scope, wanted, fetched, lambda one: (one.first_event_at, one.name))
        return usage_pb.ListUnmatchedEventNamesResponse(
            names=[history_wire.unmatched_name_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )

    def _scope(self, list_name: str, filter_text: str) -> TokenScope:
        return TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name=list_name,
            filter=filter_text,
        )
