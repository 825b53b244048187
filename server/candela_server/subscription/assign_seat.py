"""Gives users seats and takes them back; how many are paid for is ChangeQuantity's business (SEAT-4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.catalog import read as catalog
from candela_server.catalog.price import Component, ComponentId
from candela_server.customer import read as customer
from candela_server.customer.model import UserNotFoundError, UserRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import seat_store
from .change_subscription import take
from .model import Subscription, SubscriptionId
from .rules.lifecycle import check_running
from .rules.quantities import counted_components
from .seat import AllSeatsHeldError, Seat, SeatId


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatOfUser:
    """Whose seat of which component; the one that counts seats when none is named."""

    subscription_id: SubscriptionId
    component_id: ComponentId | None
    user: UserRef


async def assign_seat(tx: Tx, clock: Clock, command: SeatOfUser) -> Seat:
    """The seat that the user holds; who holds one keeps it. However many ask at once, no seat is given twice.

    Raises SubscriptionNotFoundError, TransitionRefusedError, UserNotFoundError also for another customer's user, and
    AllSeatsHeldError.
    """
    held, _, now = await take(tx, clock, command.subscription_id)
    check_running(held.version.status)
    component = await _component(tx, held, command.component_id)
    user = await customer.get_user(tx, command.user)
    if user.customer_id != held.customer_id or user.archived_at is not None:
        raise UserNotFoundError(command.user)
    found = await seat_store.find_held(tx, held.id, component.id, user.id)
    if found is None:
        seats = [
            one
            for one in await seat_store.list_seats(tx, held.id)
            if one.component_id == component.id
        ]
        paid_for = held.version.quantities[component.id]
        if len(seats) >= paid_for:
            raise AllSeatsHeldError(component.name, int(paid_for))
        found = Seat(
            id=SeatId(new_id("seat")),
            subscription_id=held.id,
            component_id=component.id,
            user_id=user.id,
            assigned_at=now,
            released_at=None,
        )
        await seat_store.insert_seat(tx, found)
    await tx.audit(
        "seat.assigned", held.id, after={"user_id": user.id, "component_id": component.id}
    )
    return found


async def release_seat(tx: Tx, clock: Clock, command: SeatOfUser) -> Seat | None:
    """The seat that the user held, or None when there was none; it stays paid for.

    Raises SubscriptionNotFoundError and UserNotFoundError.
    """
    held, _, now = await take(tx, clock, command.subscription_id)
    component = await _component(tx, held, command.component_id)
    user = await customer.get_user(tx, command.user)
    found = await seat_store.find_held(tx, held.id, component.id, user.id)
    if found is not None:
        await seat_store.release(tx, found.id, now)
        found = replace(found, released_at=max(now, found.assigned_at))
    await tx.audit(
        "seat.released",
        held.id,
        before={"user_id": user.id, "held": found is not None},
        after={"user_id": user.id, "held": False},
    )
    return found


async def _component(tx: Tx, held: Subscription, component_id: ComponentId | None) -> Component:
    price = await catalog.get_price(tx, held.version.price_id)
    counted = counted_components(price)
    if component_id is not None:
        if component_id not in counted:
            raise InvalidInput(
                f"{component_id} is no PER_UNIT component of the price", field="price_component_id"
            )
        return counted[component_id]
    seats = [one for one in counted.values() if one.seats is not None] or list(counted.values())
    if len(seats) != 1:
        raise InvalidInput(
            f"must be named: the price has {len(seats)} components that count seats",
            field="price_component_id",
        )
    return seats[0]
