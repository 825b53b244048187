"""Puts what reservations hold into a customer's resolved features, so that checks know it without asking (ENT-9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from candela_server.customer.model import UserId

from .model import FeatureState, HeldQuantity
from .reservation import Reservation, ReservationStatus


def show_reserved(
    states: list[FeatureState], open_ones: Sequence[Reservation], user_id: UserId | None
) -> list[FeatureState]:
    """The states with what is held of each metered feature's metric: one user's part where each has its own limit.

    A commit whose event is on its way still shows as reserved: a check may count it twice for a moment, never not.
    """
    if not open_ones:
        return states
    shown = []
    for state in states:
        metered = state.metered
        if metered is not None:
            only = user_id if metered.per_user else None
            held = tuple(
                _held(one)
                for one in open_ones
                if one.metric_id == metered.metric.id and only in (None, one.user_id)
            )
            state = replace(state, metered=replace(metered, held=held))
        shown.append(state)
    return shown


def _held(reservation: Reservation) -> HeldQuantity:
    if reservation.status is ReservationStatus.HELD:
        return HeldQuantity(quantity=reservation.quantity, expires_at=reservation.expires_at)
    assert reservation.committed_quantity is not None, "a committing reservation has its amount"
    return HeldQuantity(quantity=reservation.committed_quantity, expires_at=None)
