"""Answers gRPC for previews of invoices; those of changes wait for the changes."""

from __future__ import annotations

from typing import Any

from candela.billing.v1 import preview_service_pb2 as pb
from candela.billing.v1 import preview_service_pb2_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import typed_id
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription.model import SubscriptionId

from . import wire
from .preview_next_invoice import preview_next_invoice


class PreviewServicer(preview_service_pb2_grpc.PreviewServiceServicer):
    """PreviewService (INV-5)."""

    def __init__(self, db: Postgres, events: EventStore, clock: Clock) -> None:
        """Takes what it reads from and tells time by."""
        self._db = db
        self._events = events
        self._clock = clock

    async def PreviewNextInvoice(
        self, request: pb.PreviewNextInvoiceRequest, context: Any
    ) -> pb.PreviewNextInvoiceResponse:
        """What the next invoice would be; no invoice when nothing will be billed any more."""
        with FieldViolations() as fields:
            subscription_id = SubscriptionId(
                fields.read("subscription_id", typed_id("sub"), request.subscription_id)
            )
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            draft = await preview_next_invoice(tx, self._events, self._clock, subscription_id)
        return pb.PreviewNextInvoiceResponse(
            invoice=None if draft is None else wire.preview_to_proto(draft)
        )
