"""Answers gRPC for the seats that users hold (SEAT-4)."""

from __future__ import annotations

from typing import Any

from candela.subscription.v1 import seat_pb2, seat_service_pb2_grpc
from candela.subscription.v1 import seat_service_pb2 as pb

from candela_server.catalog.price import ComponentId
from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.customer.wire import user_ref_from_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.kernel.read_fields import optional, typed_id
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room

from . import read, seat_store, wire
from .assign_seat import SeatOfUser, assign_seat, release_seat
from .model import SubscriptionId
from .seat import Seat


class SeatServicer(Room, seat_service_pb2_grpc.SeatServiceServicer):
    """SeatService."""

    async def AssignSeat(
        self, request: pb.AssignSeatRequest, context: Any
    ) -> pb.AssignSeatResponse:
        """A user gets a seat."""
        command = _seat_of_user_from_proto(request)

        async def act(tx: Tx) -> pb.AssignSeatResponse:
            return pb.AssignSeatResponse(
                seat=_seat_to_proto(await assign_seat(tx, self._clock, command))
            )

        return await self._mutations.run(request, pb.AssignSeatResponse, act)

    async def ReleaseSeat(
        self, request: pb.ReleaseSeatRequest, context: Any
    ) -> pb.ReleaseSeatResponse:
        """A user's seat is free."""
        command = _seat_of_user_from_proto(request)

        async def act(tx: Tx) -> pb.ReleaseSeatResponse:
            released = await release_seat(tx, self._clock, command)
            return pb.ReleaseSeatResponse(seat=_seat_to_proto(released) if released else None)

        return await self._mutations.run(request, pb.ReleaseSeatResponse, act)

    async def ListSeats(self, request: pb.ListSeatsRequest, context: Any) -> pb.ListSeatsResponse:
        """One page of who holds seats."""
        subscription_id = wire.subscription_id_from_proto(request.subscription_id)
        scope, wanted = self.page("seats", request, f"{subscription_id}:{request.include_released}")
        async with self._db.reading(scope.merchant_id) as tx:
            await read.get_subscription(tx, subscription_id)
            found = await seat_store.page_seats(
                tx,
                subscription_id,
                include_released=request.include_released,
                limit=wanted.fetch_limit,
                after=wanted.after,
            )
        page = make_page(scope, wanted, found, lambda one: (one.assigned_at, one.id))
        return pb.ListSeatsResponse(
            seats=[_seat_to_proto(one) for one in page.items], next_page_token=page.next_token
        )


def _seat_of_user_from_proto(request: Any) -> SeatOfUser:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        component_id = fields.read(
            "price_component_id", optional(typed_id("comp")), request.price_component_id
        )
        return SeatOfUser(
            subscription_id=SubscriptionId(
                fields.read("subscription_id", typed_id("sub"), request.subscription_id)
            ),
            component_id=ComponentId(component_id) if component_id else None,
            user=fields.read("user", user_ref_from_proto, request.user),
        )


def _seat_to_proto(seat: Seat) -> seat_pb2.Seat:
    """The seat as the contract shows it."""
    return seat_pb2.Seat(
        subscription_id=seat.subscription_id,
        price_component_id=seat.component_id,
        user_id=seat.user_id,
        assigned_at=timestamp_to_proto(seat.assigned_at),
        released_at=optional_timestamp_to_proto(seat.released_at),
    )
