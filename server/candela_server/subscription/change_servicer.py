"""Answers gRPC for changes of subscriptions: plan, price, quantity, component, pause and end (SUB-4, SUB-6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from candela.subscription.v1 import subscription_change_pb2 as pb
from candela.subscription.v1 import subscription_pb2

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.storage.mutation import Mutations, Request, Response
from candela_server.storage.postgres import Tx

from . import change_wire, undo_cancellation
from .change import ChangeSubscription
from .make_change import make_change
from .model import Subscription
from .preview_token import Settle, check_amounts, pinned, read_token


class _Answer(Response, Protocol):
    """A response that shows a subscription."""

    def __init__(self, *, subscription: subscription_pb2.Subscription) -> None: ...


_AnswerT = TypeVar("_AnswerT", bound=_Answer)


class ChangeMethods:
    """The part of SubscriptionService that changes what exists."""

    _mutations: Mutations
    _clock: Clock
    _page_secret: bytes
    _settle: Settle

    async def _shown(self, tx: Tx, found: Subscription) -> subscription_pb2.Subscription:
        raise NotImplementedError

    async def ChangePlan(
        self, request: pb.ChangePlanRequest, context: Any
    ) -> pb.ChangePlanResponse:
        """Another plan or price, up or down."""
        command = change_wire.change_plan_from_proto(request)
        return await self._changed(request, command, pb.ChangePlanResponse)

    async def OverridePrice(
        self, request: pb.OverridePriceRequest, context: Any
    ) -> pb.OverridePriceResponse:
        """Another price of the same plan, at once (SUB-4)."""
        command = change_wire.override_price_from_proto(request)
        return await self._changed(request, command, pb.OverridePriceResponse)

    async def ChangeQuantity(
        self, request: pb.ChangeQuantityRequest, context: Any
    ) -> pb.ChangeQuantityResponse:
        """More or fewer units, such as seats (SEAT-1 to SEAT-4)."""
        command = change_wire.change_quantity_from_proto(request)
        return await self._changed(request, command, pb.ChangeQuantityResponse)

    async def SwapComponent(
        self, request: pb.SwapComponentRequest, context: Any
    ) -> pb.SwapComponentResponse:
        """Another component in the place of one, for this subscription alone."""
        command = change_wire.swap_component_from_proto(request)
        return await self._changed(request, command, pb.SwapComponentResponse)

    async def PauseSubscription(
        self, request: pb.PauseSubscriptionRequest, context: Any
    ) -> pb.PauseSubscriptionResponse:
        """Neither granted nor billed for a while."""
        command = change_wire.pause_from_proto(request)
        return await self._changed(request, command, pb.PauseSubscriptionResponse)

    async def ResumeSubscription(
        self, request: pb.ResumeSubscriptionRequest, context: Any
    ) -> pb.ResumeSubscriptionResponse:
        """The pause is over."""
        command = change_wire.resume_from_proto(request)
        return await self._changed(request, command, pb.ResumeSubscriptionResponse)

    async def CancelSubscription(
        self, request: pb.CancelSubscriptionRequest, context: Any
    ) -> pb.CancelSubscriptionResponse:
        """Ends now, when the period does, or at an instant."""
        command = change_wire.cancel_from_proto(request)
        return await self._changed(request, command, pb.CancelSubscriptionResponse)

    async def ReactivateSubscription(
        self, request: pb.ReactivateSubscriptionRequest, context: Any
    ) -> pb.ReactivateSubscriptionResponse:
        """What was canceled begins again."""
        command = change_wire.reactivate_from_proto(request)
        return await self._changed(request, command, pb.ReactivateSubscriptionResponse)

    async def UndoCancellation(
        self, request: pb.UndoCancellationRequest, context: Any
    ) -> pb.UndoCancellationResponse:
        """The cancellation that has not taken effect is called off."""
        command = change_wire.undo_cancellation_from_proto(request)
        return await self._changed(request, command, pb.UndoCancellationResponse)

    async def _changed(
        self,
        request: Request,
        command: ChangeSubscription | undo_cancellation.UndoCancellation,
        answer: type[_AnswerT] | Callable[..., _AnswerT],
    ) -> _AnswerT:
        """The subscription after the change; billed in the same transaction where an invoice is wanted at once."""
        merchant_id = current_caller.get().merchant_id
        shown = None
        if command.preview_token:
            shown = read_token(self._page_secret, merchant_id, command)
            command = pinned(command, shown)

        async def act(tx: Tx) -> _AnswerT:
            changed = await make_change(tx, self._clock, command)
            amounts = await self._settle(tx, changed)
            if shown is not None:
                check_amounts(shown, changed, amounts)
            return answer(subscription=await self._shown(tx, changed.subscription))

        return await self._mutations.run(request, answer, act)  # type: ignore[arg-type]
