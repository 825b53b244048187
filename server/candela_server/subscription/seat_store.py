"""Every SQL text over the seats that users hold; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from candela_server.catalog.price import ComponentId
from candela_server.customer.model import UserId
from candela_server.storage.postgres import Tx

from .model import SubscriptionId
from .seat import Seat, SeatId

_COLUMNS = "id, subscription_id, component_id, user_id, assigned_at, released_at"


async def insert_seat(tx: Tx, seat: Seat) -> None:
    """Stores that a user holds a seat."""
    await tx.execute(
        f"INSERT INTO seat (merchant_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tx.merchant_id,
        seat.id,
        seat.subscription_id,
        seat.component_id,
        seat.user_id,
        seat.assigned_at,
        seat.released_at,
    )


async def release(tx: Tx, seat_id: SeatId, at: datetime) -> None:
    """Notes that a seat is held no more."""
    await tx.execute(
        """
        UPDATE seat SET released_at = greatest($3, assigned_at)
        WHERE merchant_id = $1 AND id = $2 AND released_at IS NULL
        """,
        tx.merchant_id,
        seat_id,
        at,
    )


async def move(
    tx: Tx, subscription_id: SubscriptionId, before: ComponentId, after: ComponentId
) -> None:
    """Lets the holders of one component's seats hold another's instead."""
    await tx.execute(
        """
        UPDATE seat SET component_id = $4
        WHERE merchant_id = $1 AND subscription_id = $2 AND component_id = $3
          AND released_at IS NULL
        """,
        tx.merchant_id,
        subscription_id,
        before,
        after,
    )


async def list_seats(
    tx: Tx, subscription_id: SubscriptionId, *, since: datetime | None = None
) -> list[Seat]:
    """Who holds seats, and since an instant held them, by assigned_at."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM seat
        WHERE merchant_id = $1 AND subscription_id = $2
          AND (released_at IS NULL OR released_at > $3::timestamptz)
        ORDER BY assigned_at, id
        """,
        tx.merchant_id,
        subscription_id,
        since,
    )
    return [_from_row(row) for row in rows]


async def find_held(
    tx: Tx, subscription_id: SubscriptionId, component_id: ComponentId, user_id: UserId
) -> Seat | None:
    """The seat that a user holds."""
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM seat
        WHERE merchant_id = $1 AND subscription_id = $2 AND component_id = $3 AND user_id = $4
          AND released_at IS NULL
        """,
        tx.merchant_id,
        subscription_id,
        component_id,
        user_id,
    )
    return _from_row(row) if row else None


async def page_seats(
    tx: Tx,
    subscription_id: SubscriptionId,
    *,
    include_released: bool,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[Seat]:
    """One page of seats by (assigned_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM seat
        WHERE merchant_id = $1 AND subscription_id = $2 AND ($3 OR released_at IS NULL)
          AND ($4::timestamptz IS NULL OR (assigned_at, id) > ($4, $5))
        ORDER BY assigned_at, id LIMIT $6
        """,
        tx.merchant_id,
        subscription_id,
        include_released,
        after_at,
        after_id,
        limit,
    )
    return [_from_row(row) for row in rows]


def _from_row(row: Mapping[str, Any]) -> Seat:
    return Seat(
        id=row["id"],
        subscription_id=row["subscription_id"],
        component_id=row["component_id"],
        user_id=row["user_id"],
        assigned_at=row["assigned_at"],
        released_at=row["released_at"],
    )
