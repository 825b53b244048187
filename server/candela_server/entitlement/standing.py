"""What stands against an allowance while decisions about it are made, one after the other (ENT-9)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from candela_server.credit.rules.waterfall import UsedSpan
from candela_server.kernel.errors import Conflict
from candela_server.kernel.interval import Interval

from .model import Snapshot
from .reservation import (
    Reservation,
    ReservationId,
    ReservationNotFoundError,
    ReservationStatus,
    Stock,
)
from .rules.reservation import stock_of


class SnapshotOutdatedError(Conflict):
    """The period ended between reading what the customer may do and deciding by it."""

    def __init__(self) -> None:
        super().__init__(
            "the customer's period is ending now; try again", retry_after=timedelta(seconds=1)
        )


@dataclass(frozen=True, slots=True)
class Present:
    """The instant of a decision on the customer's clock, and on the server's."""

    customers: datetime
    servers: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a metric measured in a window and its parts that are over, and which of the asked event keys are durable, as
    of one instant."""

    usage: Decimal
    recorded: Collection[str]
    window: Interval
    past: Sequence[UsedSpan] = ()


class Standing:
    """The allowance as each next decision finds it; nobody else decides about it meanwhile."""

    def __init__(
        self,
        present: Present,
        *,
        open_ones: Iterable[Reservation] = (),
        measured: Measured | None = None,
        settling: Mapping[ReservationId, Reservation] | None = None,
    ) -> None:
        """`open_ones` stand against it beside what was `measured`; None where nothing bounds the use.

        `settling` are the reservations that are to be settled, locked.
        """
        self.present = present
        self._open = {one.id: one for one in open_ones}
        self._settling = dict(settling or {})
        self._stock: Stock | None = None
        if measured is not None:
            self._stock = stock_of(
                self._open.values(),
                measured.recorded,
                measured.usage,
                measured.window,
                measured.past,
            )

    def present_for(self, snapshot: Snapshot) -> Present:
        """The instant, if the snapshot says what counts at it. Raises SnapshotOutdatedError when its time is over."""
        if snapshot.valid_until is not None and self.present.customers >= snapshot.valid_until:
            raise SnapshotOutdatedError
        return self.present

    def stock(self, *, without: Reservation | None = None) -> Stock:
        """What is used and held now, but for the reservation that is being settled."""
        assert self._stock is not None, "measured for whoever is bounded"
        held = self._open.get(without.id) if without is not None else None
        if held is None or held.status is not ReservationStatus.HELD:
            return self._stock
        return self._stock.holding(-held.quantity)

    def settling(self, reservation_id: ReservationId) -> Reservation:
        """The reservation as it is now. Raises ReservationNotFoundError."""
        found = self._settling.get(reservation_id)
        if found is None:
            raise ReservationNotFoundError(reservation_id)
        return found

    def apply(self, after: Reservation) -> None:
        """Makes the next decision see this one: what it holds, takes or gives back."""
        if after.id in self._settling:
            self._settling[after.id] = after
        before = self._open.pop(after.id, None)
        if after.status in (ReservationStatus.HELD, ReservationStatus.COMMITTING):
            self._open[after.id] = after
        if self._stock is None:
            return
        stock = self._stock
        if before is not None and before.status is ReservationStatus.HELD:
            stock = stock.holding(-before.quantity)
        match after.status:
            case ReservationStatus.HELD:
                stock = stock.holding(after.quantity)
            case ReservationStatus.COMMITTING if after.committed_quantity is not None:
                stock = stock.using(after.committed_quantity)
            case _:
                pass
        self._stock = stock
