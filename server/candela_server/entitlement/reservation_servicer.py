"""Answers gRPC for reservations (ENT-9).

A decision is a mutation as any other, shared with those who ask about the same allowance at the same time; what was
decided is then recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from candela.entitlement.v1 import entitlement_pb2, reservation_pb2, reservation_service_pb2_grpc
from candela.entitlement.v1 import reservation_service_pb2 as pb

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Response
from candela_server.storage.postgres import Postgres, Tx
from candela_server.storage.shared_mutation import AnyRequest, SharedMutations, SharedRequest

from . import reservation_store, reservation_wire, wire
from .allowance_queues import AllowanceQueues
from .check_entitlement import Checker
from .commit_reservation import commit_reservation, terms_of
from .consume import ConsumeRefusedError, consume
from .decide_together import decide_together
from .decision import Allowance, Decided, Decision
from .model import Snapshot
from .release_reservation import release_reservation
from .reservation import Reservation, ReservationId, ReservationStatus
from .reserve import reserve
from .rules.reservation import status_at
from .settle_reservation import Settler
from .snapshot_facts import Who
from .standing import SnapshotOutdatedError, Standing
from .take_stock import lock_allowance, present_of
from .whose_allowance import allowance_of, holder_of, metered_of

_T = TypeVar("_T")
_R = TypeVar("_R", bound=Response)

_TRIES: Final = 5
_PAUSE_S: Final = 0.02
"""A moved test clock or an ended period reaches the snapshots of a process within milliseconds."""


class ReservationServicer(reservation_service_pb2_grpc.ReservationServiceServicer):
    """ReservationService."""

    def __init__(
        self,
        db: Postgres,
        events: EventStore,
        mutations: SharedMutations,
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
        self._queues = AllowanceQueues(self._decide_together, self._settle_abandoned)

    async def Reserve(self, request: pb.ReserveRequest, context: Any) -> pb.ReserveResponse:
        """Holds a quantity."""
        command = reservation_wire.reserve_from_proto(request)
        shared = SharedRequest(request, pb.ReserveResponse)

        async def ask(snapshot: Snapshot) -> pb.ReserveResponse:
            metered = metered_of(snapshot, command.feature)
            decision = Decision(
                request=shared,
                snapshot=snapshot,
                metric=metered.metric if metered else None,
                decide=lambda standing: reserve(standing, snapshot, command),
                respond=lambda decided: pb.ReserveResponse(
                    reservation=_shown(decided),
                    usage=reservation_wire.usage_to_proto(decided.answer, snapshot),
                ),
            )
            return await self._put(
                shared, allowance_of(shared.caller.merchant_id, snapshot, metered), decision
            )

        return await self._ask(command.who, ask)

    async def Commit(self, request: pb.CommitRequest, context: Any) -> pb.CommitResponse:
        """Settles a reservation with the real use."""
        command = reservation_wire.commit_from_proto(request)
        shared = SharedRequest(request, pb.CommitResponse)
        known = await self._get(shared.caller.merchant_id, command.reservation_id)

        async def ask(snapshot: Snapshot) -> pb.CommitResponse:
            def respond(decided: Decided) -> pb.CommitResponse:
                return pb.CommitResponse(
                    reservation=_shown(decided),
                    usage=reservation_wire.usage_to_proto(decided.answer, snapshot),
                )

            return await self._settle_known(
                shared,
                snapshot,
                known,
                lambda standing: commit_reservation(standing, snapshot, command),
                respond,
            )

        return await self._ask(holder_of(known), ask)

    async def Release(self, request: pb.ReleaseRequest, context: Any) -> pb.ReleaseResponse:
        """Gives a reservation back."""
        with FieldViolations() as fields:
            reservation_id = fields.read(
                "reservation_id",
                reservation_wire.reservation_id_from_proto,
                request.reservation_id,
            )
        shared = SharedRequest(request, pb.ReleaseResponse)
        known = await self._get(shared.caller.merchant_id, reservation_id)

        async def ask(snapshot: Snapshot) -> pb.ReleaseResponse:
            return await self._settle_known(
                shared,
                snapshot,
                known,
                lambda standing: release_reservation(standing, known.id),
                lambda decided: pb.ReleaseResponse(reservation=_shown(decided)),
                only_makes_room=True,
            )

        return await self._ask(holder_of(known), ask)

    async def Consume(self, request: pb.ConsumeRequest, context: Any) -> pb.ConsumeResponse:
        """Checks and records, or refuses and records nothing."""
        command = reservation_wire.consume_from_proto(request)
        shared = SharedRequest(request, pb.ConsumeResponse)
        merchant_id = shared.caller.merchant_id

        async def ask(snapshot: Snapshot) -> tuple[pb.ConsumeResponse, Reservation | None]:
            metered = metered_of(snapshot, command.feature)
            decision = Decision(
                request=shared,
                snapshot=snapshot,
                metric=metered.metric if metered else None,
                decide=lambda standing: consume(standing, snapshot, command),
                respond=lambda decided: pb.ConsumeResponse(
                    consumed=True,
                    entitlement=_entitlement(decided, snapshot),
                ),
                event_key=command.key,
            )
            allowance = allowance_of(shared.caller.merchant_id, snapshot, metered)
            return await self._put(shared, allowance, decision), decision.decided

        try:
            response, decided = await self._ask(command.who, ask)
        except ConsumeRefusedError as refused:
            shown = wire.entitlement_to_proto(refused.answer, refused.snapshot)
            return pb.ConsumeResponse(entitlement=shown)
        if decided is not None:
            await self._settler.settle(merchant_id, decided)
            return response
        async with self._db.reading(merchant_id) as tx:
            found = await reservation_store.find_by_event_key(tx, command.key)
        await self._settler.settle_again(merchant_id, found)
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

    async def _settle_known(
        self,
        shared: SharedRequest[_R],
        snapshot: Snapshot,
        known: Reservation,
        decide: Callable[[Standing], Decided],
        respond: Callable[[Decided], _R],
        *,
        only_makes_room: bool = False,
    ) -> _R:
        """Commits or gives back, and records the use if there is any."""
        _, metered = terms_of(snapshot, known)
        decision = Decision(
            request=shared,
            snapshot=snapshot,
            metric=metered.metric if metered else None,
            decide=decide,
            respond=respond,
            reservation_id=known.id,
            only_makes_room=only_makes_room,
        )
        allowance = allowance_of(shared.caller.merchant_id, snapshot, metered, known)
        response = await self._put(shared, allowance, decision)
        decided = decision.decided
        if decided is not None and decided.status is ReservationStatus.COMMITTING:
            await self._settler.settle(shared.caller.merchant_id, decided)
        elif shared.replayed:
            # An earlier call decided, and may not have lived to record it.
            found = await self._get(shared.caller.merchant_id, known.id)
            await self._settler.settle_again(shared.caller.merchant_id, found)
        return response

    async def _put(self, shared: SharedRequest[_R], allowance: Allowance, decision: Decision) -> _R:
        """The request's response, when it was decided and is known everywhere."""
        await self._queues.put(allowance, decision)
        try:
            return await shared.outcome()
        except asyncio.CancelledError:
            self._settle_abandoned(decision)
            raise

    async def _ask(self, who: Who, ask: Callable[[Snapshot], Awaitable[_T]]) -> _T:
        """What `ask` makes of a snapshot whose time is not over."""
        merchant_id = current_caller.get().merchant_id
        for tries_left in reversed(range(_TRIES)):
            snapshot = await self._checker.snapshot(merchant_id, who)
            try:
                return await ask(snapshot)
            except SnapshotOutdatedError:
                if not tries_left:
                    raise
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError("the last try returns or raises")

    async def _decide_together(self, allowance: Allowance, decisions: Sequence[Decision]) -> None:
        of_request = {one.request.name: one for one in decisions}

        async def lock(tx: Tx) -> None:
            await lock_allowance(tx, allowance, decisions)

        async def act(tx: Tx, requests: Sequence[AnyRequest]) -> None:
            fresh = [of_request[one.name] for one in requests]
            await decide_together(tx, self._events, self._clock, allowance, fresh)

        requests = [one.request for one in decisions]
        await self._mutations.run(allowance.merchant_id, requests, lock, act)

    def _settle_abandoned(self, decision: Decision) -> None:
        """The caller has gone, and what was decided stands: its use must not wait for the sweep."""
        decided, stands = decision.decided, decision.request.response is not None
        if stands and decided is not None and decided.status is ReservationStatus.COMMITTING:
            self._settler.settle_soon(decision.request.caller.merchant_id, decided)


def _shown(decided: Decided) -> reservation_pb2.Reservation:
    return reservation_wire.reservation_to_proto(decided.after, decided.after.status)


def _entitlement(decided: Decided, snapshot: Snapshot) -> entitlement_pb2.Entitlement:
    assert decided.answer is not None, "what is consumed is metered"
    return wire.entitlement_to_proto(decided.answer, snapshot)
