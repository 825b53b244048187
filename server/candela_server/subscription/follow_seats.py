"""What becomes of the seats that users hold when the terms change: nobody loses one that is in use (SEAT-4)."""

from __future__ import annotations

from datetime import datetime

from candela_server.catalog.price import Component, ComponentId, Price
from candela_server.storage.postgres import Tx

from . import seat_store
from .model import Subscription
from .rules.quantities import counted_components, successors
from .rules.reschedule import ENDED
from .rules.seats_in_use import seats_in_use
from .seat import SeatsInUseError


async def check_seats(
    tx: Tx, before: Subscription, old: Price, after: Subscription, new: Price, *, at: datetime
) -> None:
    """Raises SeatsInUseError when more seats were used in the period than would remain of a component."""
    followed = successors(old, new)
    for component in counted_components(old).values():
        was = before.version.quantities.get(component.id)
        target = followed.get(component.id)
        left = after.version.quantities.get(target) if target else None
        if was is None or left is None or left >= was:
            continue
        seats = [
            one
            for one in await seat_store.list_seats(
                tx, before.id, since=_period_start(before, component, at)
            )
            if one.component_id == component.id
        ]
        used = seats_in_use(seats)
        if used > left:
            raise SeatsInUseError(component.name, used, [one.user_id for one in seats])


async def follow_seats(
    tx: Tx, before: Subscription, old: Price, after: Subscription, new: Price, *, at: datetime
) -> None:
    """Moves holders to the component that takes the place of theirs; what has no such, or has ended, is released."""
    ended = after.version.status in ENDED
    if not ended and old.id == new.id:
        return
    followed: dict[ComponentId, ComponentId] = {} if ended else successors(old, new)
    for seat in await seat_store.list_seats(tx, before.id):
        if seat.component_id not in followed:
            await seat_store.release(tx, seat.id, at)
    for component_id, target in followed.items():
        if component_id != target:
            await seat_store.move(tx, before.id, component_id, target)


def _period_start(held: Subscription, component: Component, at: datetime) -> datetime:
    rule = component.recurrence_in(held.time_zone)
    return rule.period_containing(held.anchor_at, at).start_at
