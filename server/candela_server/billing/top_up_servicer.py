"""Answers gRPC for bought credits, beside what the credit room answers for all others (CRD-9).

Here because a pack is sold by an invoice, of which the credit room knows nothing.
"""

from __future__ import annotations

from typing import Any

from candela.credit.v1 import credit_service_pb2 as pb

from candela_server.credit.servicer import CreditServicer
from candela_server.credit.wire import grant_to_proto
from candela_server.kernel.caller import current_caller
from candela_server.storage.postgres import Tx

from . import top_up_wire
from .auto_top_up import get_auto_top_up, update_auto_top_up
from .buy_top_up import top_up_credits


class TopUpServicer(CreditServicer):
    """CreditService, whole."""

    async def TopUpCredits(
        self, request: pb.TopUpCreditsRequest, context: Any
    ) -> pb.TopUpCreditsResponse:
        """Sells a pack."""
        command = top_up_wire.top_up_from_proto(request)

        async def act(tx: Tx) -> pb.TopUpCreditsResponse:
            grant, invoice = await top_up_credits(tx, self._clock, command)
            return pb.TopUpCreditsResponse(grant=grant_to_proto(grant), invoice_id=invoice.id)

        return await self._mutations.run(request, pb.TopUpCreditsResponse, act)

    async def UpdateAutoTopUp(
        self, request: pb.UpdateAutoTopUpRequest, context: Any
    ) -> pb.UpdateAutoTopUpResponse:
        """Sets when packs are bought by themselves."""
        command = top_up_wire.auto_top_up_from_proto(request)

        async def act(tx: Tx) -> pb.UpdateAutoTopUpResponse:
            setting = await update_auto_top_up(tx, self._clock, command)
            return pb.UpdateAutoTopUpResponse(auto_top_up=top_up_wire.auto_top_up_to_proto(setting))

        return await self._mutations.run(request, pb.UpdateAutoTopUpResponse, act)

    async def GetAutoTopUp(
        self, request: pb.GetAutoTopUpRequest, context: Any
    ) -> pb.GetAutoTopUpResponse:
        """The setting."""
        ref, feature = top_up_wire.get_auto_top_up_from_proto(request)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            setting = await get_auto_top_up(tx, ref, feature)
        return pb.GetAutoTopUpResponse(
            auto_top_up=top_up_wire.auto_top_up_to_proto(setting) if setting else None
        )
