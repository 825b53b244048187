"""Records the use that a commit or a Consume decided, exactly once (ENT-9).

The decision is durable before this begins, in a row that says 'committing' and counts against the limit; so nothing is
lost when a process ends here. Recording goes through ingestion, under the row's event key, with everything in it that
makes up the event: whoever repeats it (the caller's retry, the sweep, another server) sends the same fact, which
counts once. Only then is the row finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

import structlog

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError
from candela_server.kernel.reason import Reason
from candela_server.metering.ingest_events import Ingestor
from candela_server.metering.model import IngestionUnavailableError, Rejection
from candela_server.storage.changes import Changes
from candela_server.storage.postgres import Postgres

from . import reservation_store
from .reservation import Reservation, ReservationId, ReservationStatus, UseNotRecordedError
from .take_stock import present_of

log = structlog.get_logger()

SWEEP_EVERY_S: Final = 5.0
PATIENCE: Final = timedelta(seconds=10)
"""How long whoever decided is left to record it; far longer than that takes."""

_MAX_SWEPT: Final = 200
_MAX_TIDIED: Final = 500
_ATTEMPTS: Final = 3

UsageEvents: TypeAlias = Callable[[Reservation], Sequence[Any]]
"""The usage events of a decided reservation, in the contract's form."""


class Settler:
    """Finishes what was decided. One per process; `start` lets it look after what others left, too."""

    def __init__(
        self,
        db: Postgres,
        ingestor: Ingestor,
        clock: Clock,
        usage_events: UsageEvents,
        changes: Changes | None = None,
    ) -> None:
        """Takes where decisions are, who records, what time it is, how an event is put, and how servers hear."""
        self._db = db
        self._ingestor = ingestor
        self._clock = clock
        self._usage_events = usage_events
        self._changes = changes
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None
        self._consumed: dict[str, list[ReservationId]] = {}

    async def start(self) -> None:
        """Begins to look, every few seconds, for what a crash or an outage left unfinished."""
        self._sweeping = asyncio.create_task(self._keep_sweeping())

    async def stop(self) -> None:
        """Lets what is being recorded end."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self, merchant_id: str, decided: Reservation) -> None:
        """Records the use of a reservation that was just decided; harmless when it is recorded already.

        Goes on when the caller does not wait any more. Raises UseNotRecordedError when the event is refused for good,
        and IngestionUnavailableError when it is not known to be durable yet: the same call again settles it.
        """
        # Shielded: a caller who gives up must not take the recording along.
        await asyncio.shield(self._spawn(self._settle(merchant_id, decided)))

    def settle_soon(self, merchant_id: str, decided: Reservation) -> None:
        """As `settle`, for a caller who has gone; what fails is left to the sweep."""
        self._spawn(self._settle_unasked(merchant_id, decided))

    async def settle_again(self, merchant_id: str, found: Reservation | None) -> None:
        """Makes sure that what an earlier call decided is recorded; None is a Consume that is finished.

        Raises as `settle`.
        """
        if found is None:
            return
        if found.failure is not None:
            raise UseNotRecordedError(found)
        if found.status is ReservationStatus.COMMITTING:
            await self.settle(merchant_id, found)

    async def sweep(self) -> int:
        """Finishes what was decided a while ago and not recorded; answers how many."""
        async with self._db.system() as tx:
            unfinished = await reservation_store.list_unfinished(
                tx, self._clock.now() - PATIENCE, limit=_MAX_SWEPT
            )
        done = 0
        for merchant_id, reservation_id in unfinished:
            try:
                async with self._db.reading(merchant_id) as tx:
                    found = await reservation_store.find_reservation(tx, reservation_id)
                await self.settle_again(merchant_id, found)
                done += 1
            except CandelaError:
                log.warning("reservation_not_settled", reservation_id=reservation_id, exc_info=True)
        return done

    async def _settle_unasked(self, merchant_id: str, decided: Reservation) -> None:
        try:
            await self._settle(merchant_id, decided)
        except CandelaError:
            log.warning("reservation_not_settled", reservation_id=decided.id, exc_info=True)

    async def _settle(self, merchant_id: str, decided: Reservation) -> None:
        for _ in range(_ATTEMPTS):
            rejection = await self._record(merchant_id, decided)
            if rejection is None:
                await self._finish(merchant_id, decided)
                return
            if rejection.reason is Reason.EVENT_TOO_EARLY:
                # This server's clock is behind that of the one that decided.
                break
            if rejection.reason is not Reason.EVENT_TOO_LATE:
                await self._give_back(merchant_id, decided, rejection)
                return
            moved = await self._move_to_present(merchant_id, decided)
            if moved is None:
                return
            decided = moved
        raise IngestionUnavailableError

    async def _record(self, merchant_id: str, decided: Reservation) -> Rejection | None:
        """Why the event cannot be recorded; None when it is durable."""
        recorded = await self._ingestor.record(merchant_id, self._usage_events(decided))
        for rejection in recorded.rejections:
            # No one else uses a reservation's id as a key: another payload under it is an earlier form of this event.
            if rejection.reason is Reason.EVENT_KEY_CONFLICT and not decided.consumed:
                continue
            return rejection
        return None

    async def _finish(self, merchant_id: str, decided: Reservation) -> None:
        if decided.consumed:
            self._tidy_later(merchant_id, decided.id)
            return
        token: str | None = None
        async with self._db.writing(merchant_id) as tx:
            if not await reservation_store.finish_commit(tx, decided.id):
                return
            await tx.entitlements_changed(decided.customer_id)
            if self._changes is not None:
                token = self._changes.token()
                await tx.send_token(token)
        if self._changes is not None and token is not None:
            # What was held shows as reserved until then, beside the use itself.
            await self._changes.until_heard(token)

    def _tidy_later(self, merchant_id: str, reservation_id: ReservationId) -> None:
        """Removes what Consume took beside the callers, many at once: as its event is durable, nobody counts it."""
        if not self._consumed:
            self._spawn(self._tidy())
        self._consumed.setdefault(merchant_id, []).append(reservation_id)

    async def _tidy(self) -> None:
        while self._consumed:
            merchant_id = next(iter(self._consumed))
            consumed = self._consumed[merchant_id]
            some = consumed[:_MAX_TIDIED]
            try:
                async with self._db.writing(merchant_id) as tx:
                    await reservation_store.delete_consumed(tx, some)
            except Exception as error:  # the sweep finds them again
                log.warning("consumed_not_tidied", count=len(some), exc_info=error)
            del consumed[: len(some)]
            if not consumed:
                del self._consumed[merchant_id]

    async def _give_back(
        self, merchant_id: str, decided: Reservation, rejection: Rejection
    ) -> None:
        """The event will never be taken (its key is another's, its customer is archived): so nothing was used."""
        failed = replace(
            decided,
            status=ReservationStatus.RELEASED,
            committed_quantity=None,
            failure=rejection.reason,
            failure_message=rejection.message,
        )
        async with self._db.writing(merchant_id) as tx:
            now_is = await reservation_store.find_reservation(tx, decided.id, lock=True)
            if now_is is None or now_is.status is not ReservationStatus.COMMITTING:
                if now_is is not None and now_is.failure is not None:
                    raise UseNotRecordedError(now_is)
                return
            await reservation_store.update_reservation(tx, failed)
            await tx.audit(
                "reservation.released",
                failed.id,
                before={"status": ReservationStatus.COMMITTED},
                after={"status": failed.status, "failure": failed.failure},
                reason=failed.failure_message,
            )
            await tx.entitlements_changed(failed.customer_id)
        raise UseNotRecordedError(failed)

    async def _move_to_present(self, merchant_id: str, decided: Reservation) -> Reservation | None:
        """The use was decided so long ago that its instant is refused: it counts at the present one.

        None when somebody else has finished it meanwhile.
        """
        async with self._db.writing(merchant_id) as tx:
            found = await reservation_store.find_reservation(tx, decided.id, lock=True)
            if found is None or found.status is not ReservationStatus.COMMITTING:
                return None
            present = await present_of(tx, self._clock, decided.customer_id)
            moved = replace(found, settled_at=present.customers)
            await reservation_store.update_reservation(tx, moved)
        log.warning("reservation_settled_late", reservation_id=decided.id)
        return moved

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep()
            except Exception as error:  # the database may be away for a while
                log.warning("reservations_not_swept", exc_info=error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
