"""Answers gRPC for tax settings."""

from __future__ import annotations

from typing import Any

from candela.billing.v1 import tax_service_pb2 as pb
from candela.billing.v1 import tax_service_pb2_grpc

from candela_server.kernel.caller import current_caller
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room

from . import tax_store, tax_wire
from .update_tax_settings import update_tax_settings


class TaxServicer(Room, tax_service_pb2_grpc.TaxServiceServicer):
    """TaxService (TAX-2)."""

    async def GetTaxSettings(
        self, request: pb.GetTaxSettingsRequest, context: Any
    ) -> pb.GetTaxSettingsResponse:
        """How the merchant's invoices are taxed."""
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            settings = await tax_store.get_tax_settings(tx)
        return pb.GetTaxSettingsResponse(tax_settings=tax_wire.settings_to_proto(settings))

    async def UpdateTaxSettings(
        self, request: pb.UpdateTaxSettingsRequest, context: Any
    ) -> pb.UpdateTaxSettingsResponse:
        """Changes how invoices are taxed that are finalized from now on."""
        command = tax_wire.update_tax_settings_from_proto(request)

        async def act(tx: Tx) -> pb.UpdateTaxSettingsResponse:
            settings = await update_tax_settings(tx, command)
            return pb.UpdateTaxSettingsResponse(tax_settings=tax_wire.settings_to_proto(settings))

        return await self._mutations.run(request, pb.UpdateTaxSettingsResponse, act)
