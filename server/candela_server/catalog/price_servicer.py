"""Answers gRPC for prices."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import price_service_pb2 as price_pb
from candela.catalog.v1 import price_service_pb2_grpc as price_grpc

from candela_server.contract.values import interval_to_proto
from candela_server.kernel import read_fields
from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import price_store, read, wire
from .add_price import add_price
from .archive_price import archive_price
from .price import PriceId
from .price_wire import price_from_proto, price_to_proto


class PriceServicer(Room, price_grpc.PriceServiceServicer):
    """PriceService."""

    async def CreatePrice(
        self, request: price_pb.CreatePriceRequest, context: Any
    ) -> price_pb.CreatePriceResponse:
        """Adds a price to a plan (CAT-2)."""
        with FieldViolations() as fields:
            ref = fields.read("plan", wire.ref_from_proto, "plan", request.plan)
            new = fields.read("price", price_from_proto, request.price)

        async def act(tx: Tx) -> price_pb.CreatePriceResponse:
            price, warnings = await add_price(tx, self._clock, ref, new)
            return price_pb.CreatePriceResponse(price=price_to_proto(price), warnings=warnings)

        return await self._mutations.run(request, price_pb.CreatePriceResponse, act)

    async def ArchivePrice(
        self, request: price_pb.ArchivePriceRequest, context: Any
    ) -> price_pb.ArchivePriceResponse:
        """Takes a price out of sale (CAT-5)."""
        with FieldViolations() as fields:
            price_id = fields.read("price_id", read_fields.typed_id("price"), request.price_id)

        async def act(tx: Tx) -> price_pb.ArchivePriceResponse:
            price = await archive_price(tx, self._clock, PriceId(price_id))
            return price_pb.ArchivePriceResponse(price=price_to_proto(price))

        return await self._mutations.run(request, price_pb.ArchivePriceResponse, act)

    async def GetPrice(
        self, request: price_pb.GetPriceRequest, context: Any
    ) -> price_pb.GetPriceResponse:
        """One price."""
        with FieldViolations() as fields:
            price_id = fields.read("price_id", read_fields.typed_id("price"), request.price_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            price = await read.get_price(tx, PriceId(price_id))
        return price_pb.GetPriceResponse(price=price_to_proto(price))

    async def ListPrices(
        self, request: price_pb.ListPricesRequest, context: Any
    ) -> price_pb.ListPricesResponse:
        """One page of a plan's prices."""
        with FieldViolations() as fields:
            ref = fields.read("plan", wire.ref_from_proto, "plan", request.plan)
        scope, wanted = self.page("prices", request, f"{ref!r}:{request.include_archived}")
        async with self._db.reading(scope.merchant_id) as tx:
            plan = await read.get_plan(tx, ref)
            found = await price_store.list_prices_of_plan(
                tx,
                plan.id,
                limit=wanted.fetch_limit,
                after=wanted.after,
                include_archived=request.include_archived,
            )
        page = make_page(scope, wanted, found, position)
        return price_pb.ListPricesResponse(
            prices=[price_to_proto(price) for price in page.items],
            next_page_token=page.next_token,
        )

    async def PreviewRecurrence(
        self, request: price_pb.PreviewRecurrenceRequest, context: Any
    ) -> price_pb.PreviewRecurrenceResponse:
        """When a rule would bill (DSL-5)."""
        with FieldViolations() as fields:
            recurrence = fields.read(
                "recurrence_rule",
                read_fields.recurrence,
                request.recurrence_rule,
                request.time_zone or "UTC",
            )
            anchor_at = fields.read("anchor_at", read_fields.instant, request.anchor_at)
            count = fields.read(
                "period_count", read_fields.whole_number(1, 120), request.period_count or 12
            )
        return price_pb.PreviewRecurrenceResponse(
            periods=[
                interval_to_proto(recurrence.period(anchor_at, number)) for number in range(count)
            ]
        )
