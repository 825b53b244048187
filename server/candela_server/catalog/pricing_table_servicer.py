"""Answers gRPC for pricing tables, and what the public HTTP read shows of them (PUB-1)."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import pricing_table_pb2
from candela.catalog.v1 import pricing_table_service_pb2 as table_pb
from candela.catalog.v1 import pricing_table_service_pb2_grpc as table_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.page import make_page
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx
from candela_server.storage.room import Room, position

from . import pricing_table_wire as wire
from . import read_pricing_table
from .archive_pricing_table import archive_pricing_table
from .create_pricing_table import create_pricing_table
from .public_pricing_table import public_pricing_table
from .shown_tables import ShownTables
from .update_pricing_table import update_pricing_table


class PricingTableServicer(Room, table_grpc.PricingTableServiceServicer):
    """PricingTableService."""

    def __init__(self, db: Postgres, mutations: Mutations, clock: Clock, secret: bytes) -> None:
        """As every room, and with the copies of what the public is shown."""
        super().__init__(db, mutations, clock, secret)
        self._shown = ShownTables(self._read_shown)

    async def CreatePricingTable(
        self, request: table_pb.CreatePricingTableRequest, context: Any
    ) -> table_pb.CreatePricingTableResponse:
        """Adds a table."""
        command = wire.create_pricing_table_from_proto(request)

        async def act(tx: Tx) -> table_pb.CreatePricingTableResponse:
            table = await create_pricing_table(tx, self._clock, command)
            return table_pb.CreatePricingTableResponse(
                pricing_table=wire.pricing_table_to_proto(table)
            )

        return await self._mutations.run(request, table_pb.CreatePricingTableResponse, act)

    async def GetPricingTable(
        self, request: table_pb.GetPricingTableRequest, context: Any
    ) -> table_pb.GetPricingTableResponse:
        """One table, archived or not."""
        table_id = wire.pricing_table_id_from_proto(request.pricing_table_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            table = await read_pricing_table.get_pricing_table(tx, table_id)
        return table_pb.GetPricingTableResponse(pricing_table=wire.pricing_table_to_proto(table))

    async def ListPricingTables(
        self, request: table_pb.ListPricingTablesRequest, context: Any
    ) -> table_pb.ListPricingTablesResponse:
        """One page of tables."""
        scope, wanted = self.page("pricing_tables", request)
        async with self._db.reading(scope.merchant_id) as tx:
            found = await read_pricing_table.list_pricing_tables(
                tx, limit=wanted.fetch_limit, after=wanted.after
            )
        page = make_page(scope, wanted, found, position)
        return table_pb.ListPricingTablesResponse(
            pricing_tables=[wire.pricing_table_to_proto(table) for table in page.items],
            next_page_token=page.next_token,
        )

    async def UpdatePricingTable(
        self, request: table_pb.UpdatePricingTableRequest, context: Any
    ) -> table_pb.UpdatePricingTableResponse:
        """Changes the name or the rows."""
        command = wire.update_pricing_table_from_proto(request)

        async def act(tx: Tx) -> table_pb.UpdatePricingTableResponse:
            table = await update_pricing_table(tx, command)
            return table_pb.UpdatePricingTableResponse(
                pricing_table=wire.pricing_table_to_proto(table)
            )

        return await self._mutations.run(request, table_pb.UpdatePricingTableResponse, act)

    async def ArchivePricingTable(
        self, request: table_pb.ArchivePricingTableRequest, context: Any
    ) -> table_pb.ArchivePricingTableResponse:
        """Stops serving a table."""
        table_id = wire.pricing_table_id_from_proto(request.pricing_table_id)

        async def act(tx: Tx) -> table_pb.ArchivePricingTableResponse:
            table = await archive_pricing_table(tx, self._clock, table_id)
            return table_pb.ArchivePricingTableResponse(
                pricing_table=wire.pricing_table_to_proto(table)
            )

        return await self._mutations.run(request, table_pb.ArchivePricingTableResponse, act)

    async def GetPublicPricingTable(
        self, request: table_pb.GetPublicPricingTableRequest, context: Any
    ) -> table_pb.GetPublicPricingTableResponse:
        """What a public page shows."""
        shown = await self.show(current_caller.get().merchant_id, request.slug)
        return table_pb.GetPublicPricingTableResponse(pricing_table=shown)

    async def show(self, merchant_id: str, slug: str) -> pricing_table_pb2.PublicPricingTable:
        """The public table, for gRPC and for HTTP.

        Raises InvalidInput, PricingTableNotFoundError and TooManyPublicReadsError.
        """
        return await self._shown.show(merchant_id, wire.pricing_table_slug_from_proto(slug))

    async def _read_shown(
        self, merchant_id: str, slug: str
    ) -> pricing_table_pb2.PublicPricingTable:
        async with self._db.reading(merchant_id) as tx:
            table = await public_pricing_table(tx, slug)
        return wire.public_pricing_table_to_proto(table)
