"""Answers gRPC for reservations (ENT-9). Decisions are ordinary mutations; what they decided is then recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from candela.entitlement.v1 import reservation_service_pb2 as pb
from candela.entitlement.v1 import reservation_service_pb2_grpc

from candela_server.customer.model import CustomerById, UserById
from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx

from . import reservation_store, reservation_wire, wire
from .build_snapshot import Who
from .check_entitlement import Checker
from .commit_reservation import commit_reservation
from .consume import ConsumeRefusedError, consume
from .model import Snapshot
from .release_reservation import release_reservation
from .reservation import Reservation, ReservationId, ReservationStatus
from .reserve import reserve
from .rules.reservation import status_at
from .settle_reservation import Settler
from .take_stock import SnapshotOutdatedError, counted_user, present_of
from .turns import Turns

_T = TypeVar("_T")

_TRIES: Final = 5
_PAUSE_S: Final = 0.02
"""A moved test clock or an ended period reaches the snapshots of a process within milliseconds."""


class ReservationServicer(reservation_service_pb2_grpc.ReservationServiceServicer):
    """ReservationService."""

    def __init__(
        self,
        db: Postgres,
        events: EventStore,
        mutations: Mutations,
        clock: Clock,
        checker: Checker,
        settler: Settler,
    ) -> None:
        """Takes what it reads from, writes through, tells time by, knows limits by and records use with."""
        self._db = db
        self._events = events
        self._mutations = mutations
        self._clock = clock
        self._checker = checker
        self._settler = settler
        self._turns = Turns()

    async def Reserve(self, request: pb.ReserveRequest, context: Any) -> pb.ReserveResponse:
        """Holds a quantity."""
        command = reservation_wire.reserve_from_proto(request)

        async def decide(snapshot: Snapshot) -> pb.ReserveResponse:
            async def act(tx: Tx) -> pb.ReserveResponse:
                made, answer = await reserve(tx, self._events, self._clock, snapshot, command)
                return pb.ReserveResponse(
                    reservation=reservation_wire.reservation_to_proto(made, made.status),
                    usage=reservation_wire.usage_to_proto(answer, snapshot),
                )

            return await self._mutations.run(request, pb.ReserveResponse, act)

        return await self._decide(command.who, command.feature, decide)

    async def Commit(self, request: pb.CommitRequest, context: Any) -> pb.CommitResponse:
        """Settles a reservation with the real use."""
        command = reservation_wire.commit_from_proto(request)
        merchant_id = current_caller.get().merchant_id
        known = await self._get(merchant_id, command.reservation_id)
        decided: Reservation | None = None

        async def decide(snapshot: Snapshot) -> pb.CommitResponse:
            async def act(tx: Tx) -> pb.CommitResponse:
                nonlocal decided
                after, answer = await commit_reservation(
                    tx, self._events, self._clock, snapshot, command
                )
                decided = after
                return pb.CommitResponse(
                    reservation=reservation_wire.reservation_to_proto(after, after.status),
                    usage=reservation_wire.usage_to_proto(answer, snapshot),
                )

            return await self._mutations.run(request, pb.CommitResponse, act)

        who = UserById(known.user_id) if known.user_id else CustomerById(known.customer_id)
        response = await self._decide(who, known.feature, decide)
        if decided is None:
            # An earlier call decided, and may not have lived to record it.
            found = await self._get(merchant_id, command.reservation_id)
            await self._settler.settle_again(merchant_id, found)
        elif decided.status is ReservationStatus.COMMITTING:
            await self._settler.settle(merchant_id, decided)
        return response

    async def Release(self, request: pb.ReleaseRequest, context: Any) -> pb.ReleaseResponse:
        """Gives a reservation back."""
        with FieldViolations() as fields:
            reservation_id = fields.read(
                "reservation_id",
                reservation_wire.reservation_id_from_proto,
                request.reservation_id,
            )

        async def act(tx: Tx) -> pb.ReleaseResponse:
            after = await release_reservation(tx, self._clock, reservation_id)
            return pb.ReleaseResponse(
                reservation=reservation_wire.reservation_to_proto(after, after.status)
            )

        return await self._mutations.run(request, pb.ReleaseResponse, act)

    async def Consume(self, request: pb.ConsumeRequest, context: Any) -> pb.ConsumeResponse:
        """Checks and records, or refuses and records nothing."""
        command = reservation_wire.consume_from_proto(request)
        merchant_id = current_caller.get().merchant_id
        decided: Reservation | None = None

        async def decide(snapshot: Snapshot) -> pb.ConsumeResponse:
            async def act(tx: Tx) -> pb.ConsumeResponse:
                nonlocal decided
                taken, answer = await consume(tx, self._events, self._clock, snapshot, command)
                decided = taken
                return pb.ConsumeResponse(
                    consumed=True,
                    entitlement=wire.entitlement_to_proto(answer, snapshot),
                )

            try:
                return await self._mutations.run(request, pb.ConsumeResponse, act)
            except ConsumeRefusedError as refused:
                return pb.ConsumeResponse(
                    entitlement=wire.entitlement_to_proto(refused.answer, snapshot)
                )

        response = await self._decide(command.who, command.feature, decide)
        if not response.consumed:
            return response
        if decided is None:
            async with self._db.reading(merchant_id) as tx:
                found = await reservation_store.find_by_event_key(tx, command.key)
            await self._settler.settle_again(merchant_id, found)
        else:
            await self._settler.settle(merchant_id, decided)
        return response

    async def GetReservation(
        self, request: pb.GetReservationRequest, context: Any
    ) -> pb.GetReservationResponse:
        """One reservation."""
        with FieldViolations() as fields:
            reservation_id = fields.read(
                "reservation_id",
                reservation_wire.reservation_id_from_proto,
                request.reservation_id,
            )
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await reservation_store.get_reservation(tx, reservation_id)
            present = await present_of(tx, self._clock, found.customer_id)
        status = status_at(found, present.customers)
        return pb.GetReservationResponse(
            reservation=reservation_wire.reservation_to_proto(found, status)
        )

    async def _get(self, merchant_id: str, reservation_id: ReservationId) -> Reservation:
        async with self._db.reading(merchant_id) as tx:
            return await reservation_store.get_reservation(tx, reservation_id)

    async def _decide(
        self, who: Who, feature: str, decide: Callable[[Snapshot], Awaitable[_T]]
    ) -> _T:
        """What `decide` makes of a snapshot whose time is not over, in turn with others of the same allowance."""
        merchant_id = current_caller.get().merchant_id
        for tries_left in reversed(range(_TRIES)):
            snapshot = await self._checker.snapshot(merchant_id, who)
            try:
                async with self._turns.take(_allowance(merchant_id, snapshot, feature)):
                    return await decide(snapshot)
            except SnapshotOutdatedError:
                if not tries_left:
                    raise
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError("the last try returns or raises")


def _allowance(merchant_id: str, snapshot: Snapshot, feature: str) -> tuple[str | None, ...]:
    state = snapshot.features.get(feature)
    if state is None or state.metered is None:
        return (merchant_id, snapshot.customer_id)
    user_id = counted_user(snapshot, state.metered)
    return (merchant_id, snapshot.customer_id, state.metered.metric.id, user_id)
