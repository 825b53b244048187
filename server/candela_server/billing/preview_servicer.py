"""Answers gRPC for previews of invoices: the next one, and those that a change would cause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from candela.billing.v1 import preview_service_pb2 as pb
from candela.billing.v1 import preview_service_pb2_grpc

from candela_server.contract.values import timestamp_to_proto
from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import typed_id
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription import change_wire
from candela_server.subscription.create_subscription import CreateSubscription
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.preview_token import HOLDS_FOR, Previewable, token_of
from candela_server.subscription.wire import create_subscription_from_proto

from . import wire
from .credit_note_wire import credit_note_to_proto
from .preview_change import preview_change, preview_creation
from .preview_given_back import preview_given_back
from .preview_next_invoice import preview_next_invoice

_T = TypeVar("_T")
_READERS: dict[str, Callable[[Any], Previewable]] = {
    "create_subscription": create_subscription_from_proto,
    "change_plan": change_wire.change_plan_from_proto,
    "override_price": change_wire.override_price_from_proto,
    "change_quantity": change_wire.change_quantity_from_proto,
    "swap_component": change_wire.swap_component_from_proto,
    "pause_subscription": change_wire.pause_from_proto,
    "resume_subscription": change_wire.resume_from_proto,
    "cancel_subscription": change_wire.cancel_from_proto,
    "reactivate_subscription": change_wire.reactivate_from_proto,
    "undo_cancellation": change_wire.undo_cancellation_from_proto,
}


class PreviewServicer(preview_service_pb2_grpc.PreviewServiceServicer):
    """PreviewService (INV-5, SUB-6)."""

    def __init__(self, db: Postgres, events: EventStore, clock: Clock, secret: bytes) -> None:
        """Takes what it reads from, tells time by, and signs tokens with."""
        self._db = db
        self._events = events
        self._clock = clock
        self._secret = secret

    async def PreviewNextInvoice(
        self, request: pb.PreviewNextInvoiceRequest, context: Any
    ) -> pb.PreviewNextInvoiceResponse:
        """What the next invoice would be; no invoice when nothing will be billed any more."""
        with FieldViolations() as fields:
            subscription_id = SubscriptionId(
                fields.read("subscription_id", typed_id("sub"), request.subscription_id)
            )

        async def look(tx: Tx) -> pb.PreviewNextInvoiceResponse:
            draft = await preview_next_invoice(tx, self._events, self._clock, subscription_id)
            notes = await preview_given_back(tx, self._events, self._clock, subscription_id, draft)
            return pb.PreviewNextInvoiceResponse(
                invoice=None if draft is None else wire.preview_to_proto(draft),
                credit_notes=[credit_note_to_proto(one) for one in notes],
            )

        return await self._undone(look)

    async def PreviewSubscriptionChange(
        self, request: pb.PreviewSubscriptionChangeRequest, context: Any
    ) -> pb.PreviewSubscriptionChangeResponse:
        """The invoices that a change would cause, and a token for causing exactly these."""
        chosen = request.WhichOneof("change")
        with FieldViolations() as fields:
            if chosen is None:
                fields.add("change", "must say what would be done")
            command = fields.read(
                chosen or "change", _READERS.get(chosen or "", _nothing), _field(request, chosen)
            )

        async def look(tx: Tx) -> pb.PreviewSubscriptionChangeResponse:
            if isinstance(command, CreateSubscription):
                seen = await preview_creation(tx, self._events, self._clock, command)
            else:
                seen = await preview_change(tx, self._events, self._clock, command)
            return pb.PreviewSubscriptionChangeResponse(
                invoices=[wire.preview_to_proto(one) for one in seen.invoices],
                credit_notes=[credit_note_to_proto(one) for one in seen.credit_notes],
                next_invoice=wire.preview_to_proto(seen.next_invoice)
                if seen.next_invoice
                else None,
                preview_token=token_of(self._secret, tx.merchant_id, command, seen.shown),
                expires_at=timestamp_to_proto(seen.shown.at + HOLDS_FOR),
            )

        return await self._undone(look)

    async def _undone(self, look: Callable[[Tx], Awaitable[_T]]) -> _T:
        """What `look` saw in a transaction of which nothing is kept."""
        async with self._db.rehearsing(current_caller.get().merchant_id) as tx:
            return await look(tx)


def _field(request: pb.PreviewSubscriptionChangeRequest, name: str | None) -> Any:
    return getattr(request, name) if name else None


def _nothing(request: Any) -> Previewable:
    raise ValueError("must be set")
