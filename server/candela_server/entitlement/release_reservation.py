"""Gives a reservation back (ENT-9)."""

from __future__ import annotations

from dataclasses import replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import reservation_store
from .reservation import Reservation, ReservationId, ReservationSettledError, ReservationStatus
from .rules.reservation import status_at
from .take_stock import present_of


async def release_reservation(tx: Tx, clock: Clock, reservation_id: ReservationId) -> Reservation:
    """Gives all of it back; one that was given back already, by the caller or by time, stays as it is.

    Needs no lock on the allowance, as it only makes room. Raises ReservationNotFoundError, ReservationSettledError.
    """
    before = await reservation_store.get_reservation(tx, reservation_id, lock=True)
    present = await present_of(tx, clock, before.customer_id)
    match status_at(before, present.customers):
        case ReservationStatus.HELD:
            after = replace(before, status=ReservationStatus.RELEASED, settled_at=present.customers)
        case ReservationStatus.EXPIRED:
            after = replace(before, status=ReservationStatus.EXPIRED, settled_at=before.expires_at)
        case ReservationStatus.RELEASED:
            after = before
        case ReservationStatus.COMMITTING | ReservationStatus.COMMITTED as settled:
            raise ReservationSettledError(before.id, settled)
    await reservation_store.update_reservation(tx, after)
    await tx.audit(
        "reservation.released",
        after.id,
        before={"status": before.status},
        after={"status": after.status},
    )
    await tx.entitlements_changed(after.customer_id)
    return after
