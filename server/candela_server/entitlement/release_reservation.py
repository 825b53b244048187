"""Gives a reservation back (ENT-9)."""

from __future__ import annotations

from dataclasses import replace

from .decision import Decided
from .reservation import ReservationId, ReservationSettledError, ReservationStatus
from .rules.reservation import status_at
from .standing import Standing


def release_reservation(standing: Standing, reservation_id: ReservationId) -> Decided:
    """Gives all of it back; one that was given back already, by the caller or by time, stays as it is.

    Raises ReservationNotFoundError, ReservationSettledError.
    """
    before = standing.settling(reservation_id)
    now = standing.present.customers
    match status_at(before, now):
        case ReservationStatus.HELD:
            after = replace(before, status=ReservationStatus.RELEASED, settled_at=now)
        case ReservationStatus.EXPIRED:
            after = replace(before, status=ReservationStatus.EXPIRED, settled_at=before.expires_at)
        case ReservationStatus.RELEASED:
            after = before
        case ReservationStatus.COMMITTING | ReservationStatus.COMMITTED as settled:
            raise ReservationSettledError(before.id, settled)
    return Decided(
        before=before,
        after=after,
        answer=None,
        action="reservation.released",
        audit_before={"status": before.status},
        audit_after={"status": after.status},
        shown=True,
    )
