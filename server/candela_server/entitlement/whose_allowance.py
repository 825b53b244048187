"""Which allowance a request is about, and whose (ENT-9, ENT-7)."""

from __future__ import annotations

from candela_server.customer.model import CustomerById, UserById

from .decision import Allowance
from .model import Metered, Snapshot
from .reservation import Reservation
from .rules.reservation import adds_up
from .snapshot_facts import Who
from .take_stock import counted_user


def holder_of(known: Reservation) -> Who:
    """Whom a reservation was made for."""
    return UserById(known.user_id) if known.user_id else CustomerById(known.customer_id)


def metered_of(snapshot: Snapshot, feature: str) -> Metered | None:
    """What measures the feature's use, if it adds up; anything else is refused without measuring."""
    state = snapshot.features.get(feature)
    metered = state.metered if state is not None else None
    return metered if metered is not None and adds_up(metered.metric) else None


def allowance_of(
    merchant_id: str, snapshot: Snapshot, metered: Metered | None, known: Reservation | None = None
) -> Allowance:
    """What the request is about; a reservation whose feature is not metered any more keeps its metric's lock."""
    return Allowance(
        merchant_id=merchant_id,
        customer_id=known.customer_id if known is not None else snapshot.customer_id,
        metric_id=metered.metric.id if metered else known.metric_id if known else None,
        user_id=counted_user(snapshot, metered) if metered else None,
        window=metered.window if metered else None,
        past=metered.past.parts if metered and metered.past else (),
    )
