"""Every SQL text over reservations; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from candela_server.catalog.model import MetricId
from candela_server.customer.model import CustomerId, UserId
from candela_server.kernel.reason import Reason
from candela_server.storage.postgres import Tx, unique_or

from .reservation import (
    EventKeyTakenError,
    Reservation,
    ReservationId,
    ReservationNotFoundError,
    ReservationStatus,
)

_COLUMNS = """id, customer_id, user_id, feature, metric_id, event_name, event_key, quantity,
              counts_events, status, created_at, expires_at, settled_at, committed_quantity,
              properties_json, decided_at, failure, failure_message, measured_property"""


async def lock_allowance(
    tx: Tx, customer_id: CustomerId, metric_id: MetricId, user_id: UserId | None
) -> None:
    """Waits until this transaction alone decides about an allowance, until it ends.

    Users with allowances of their own do not wait for one another (they share the customer's lock), and whoever
    decides about the whole customer's waits for all of them.
    """
    whole = f"reservation:{tx.merchant_id}:{customer_id}:{metric_id}"
    if user_id is None:
        await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", whole)
        return
    await tx.execute(
        """
        SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0)),
               pg_advisory_xact_lock(hashtextextended($2, 0))
        """,
        whole,
        f"{whole}:{user_id}",
    )


async def list_open(
    tx: Tx, customer_id: CustomerId, metric_id: MetricId, user_id: UserId | None, now: datetime
) -> list[Reservation]:
    """What stands against an allowance: held until after `now`, or committing; of one user, or of all when None.

    What has expired is marked so. A server whose clock is behind could commit it otherwise, after its quantity went
    to somebody else.
    """
    rows = await tx.fetch(
        f"""
        WITH lapsed AS (
            UPDATE entitlement_reservation SET status = 'expired', settled_at = expires_at
            WHERE merchant_id = $1 AND customer_id = $2 AND metric_id = $3
              AND ($4::text IS NULL OR user_id = $4) AND status = 'held' AND expires_at <= $5
        )
        SELECT {_COLUMNS} FROM entitlement_reservation
        WHERE merchant_id = $1 AND customer_id = $2 AND metric_id = $3
          AND ($4::text IS NULL OR user_id = $4)
          AND (status = 'committing' OR (status = 'held' AND expires_at > $5))
        """,
        tx.merchant_id,
        customer_id,
        metric_id,
        user_id,
        now,
    )
    return [_from_row(row) for row in rows]


async def list_shown(
    tx: Tx, at: Mapping[CustomerId, datetime]
) -> dict[CustomerId, list[Reservation]]:
    """Of each customer the reservations that its checks show as reserved at its instant.

    What Consume takes is never shown.
    """
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT r.* FROM unnest($2::text[], $3::timestamptz[]) AS holder (id, now_at)
            JOIN entitlement_reservation r ON r.customer_id = holder.id
            WHERE r.merchant_id = $1 AND r.status IN ('held', 'committing')
              AND r.expires_at IS NOT NULL
              AND (r.status = 'committing' OR r.expires_at > holder.now_at)
        ) AS shown
        WHERE merchant_id = $1
        """,
        tx.merchant_id,
        list(at),
        list(at.values()),
    )
    found: dict[CustomerId, list[Reservation]] = {one: [] for one in at}
    for row in rows:
        found[CustomerId(row["customer_id"])].append(_from_row(row))
    return found


async def insert_reservations(tx: Tx, made: Sequence[Reservation]) -> None:
    """Stores new reservations. Raises EventKeyTakenError when the event's key of one is another one's."""
    if not made:
        return
    with unique_or("entitlement_reservation_event_key", EventKeyTakenError(made[0].event_key)):
        await tx.execute(
            f"""
            INSERT INTO entitlement_reservation (merchant_id, {_COLUMNS})
            SELECT $1, {_COLUMNS}
            FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                        $9::numeric[], $10::boolean[], $11::text[], $12::timestamptz[], $13::timestamptz[],
                        $14::timestamptz[], $15::numeric[], $16::bytea[], $17::timestamptz[], $18::text[],
                        $19::text[], $20::text[]) AS made ({_COLUMNS})
            """,
            tx.merchant_id,
            *(list(column) for column in zip(*map(_values, made), strict=True)),
        )


async def update_reservation(tx: Tx, changed: Reservation) -> None:
    """Writes what may change of a reservation: where it stands, and its event."""
    await update_reservations(tx, [changed])


async def update_reservations(tx: Tx, changed: Sequence[Reservation]) -> None:
    """Writes what may change of reservations: where they stand, and their events."""
    if not changed:
        return
    await tx.executemany(
        """
        UPDATE entitlement_reservation
        SET status = $3, settled_at = $4, committed_quantity = $5, properties_json = $6,
            decided_at = $7, failure = $8, failure_message = $9
        WHERE merchant_id = $1 AND id = $2
        """,
        [
            (
                tx.merchant_id,
                one.id,
                one.status,
                one.settled_at,
                one.committed_quantity,
                one.properties_json,
                one.decided_at,
                one.failure,
                one.failure_message,
            )
            for one in changed
        ],
    )


async def finish_commit(tx: Tx, reservation_id: ReservationId) -> bool:
    """Notes that the event of a committing reservation is durable. Answers whether it was news."""
    touched = await tx.execute(
        """
        UPDATE entitlement_reservation SET status = 'committed'
        WHERE merchant_id = $1 AND id = $2 AND status = 'committing'
        """,
        tx.merchant_id,
        reservation_id,
    )
    return touched > 0


async def delete_consumed(tx: Tx, reservation_ids: Sequence[ReservationId]) -> None:
    """Removes what Consume took, when its events are durable."""
    await tx.execute(
        """
        DELETE FROM entitlement_reservation
        WHERE merchant_id = $1 AND id = ANY($2::text[]) AND status = 'committing' AND expires_at IS NULL
        """,
        tx.merchant_id,
        list(reservation_ids),
    )


async def find_reservation(
    tx: Tx, reservation_id: ReservationId, *, lock: bool = False
) -> Reservation | None:
    """The reservation, or None; locked until commit when asked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM entitlement_reservation WHERE merchant_id = $1 AND id = $2
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        reservation_id,
    )
    return _from_row(row) if row else None


async def get_reservation(
    tx: Tx, reservation_id: ReservationId, *, lock: bool = False
) -> Reservation:
    """The reservation; locked until commit when asked. Raises ReservationNotFoundError."""
    found = await find_reservation(tx, reservation_id, lock=lock)
    if found is None:
        raise ReservationNotFoundError(reservation_id)
    return found


async def lock_reservations(
    tx: Tx, reservation_ids: Sequence[ReservationId]
) -> dict[ReservationId, Reservation]:
    """Those of the reservations that there are, locked until commit."""
    if not reservation_ids:
        return {}
    rows = await tx.fetch(
        f"""
        SELECT found.* FROM unnest($2::text[]) AS asked (id)
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM entitlement_reservation
            WHERE merchant_id = $1 AND id = asked.id FOR UPDATE
        ) AS found
        """,
        tx.merchant_id,
        # In one order everywhere, so that two transactions never wait for one another in a circle.
        sorted(set(reservation_ids)),
    )
    return {ReservationId(row["id"]): _from_row(row) for row in rows}


async def find_by_event_key(tx: Tx, event_key: str) -> Reservation | None:
    """The reservation whose event has this key, or None."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM entitlement_reservation WHERE merchant_id = $1 AND event_key = $2",
        tx.merchant_id,
        event_key,
    )
    return _from_row(row) if row else None


async def list_unfinished(
    tx: Tx, decided_before: datetime, *, limit: int
) -> list[tuple[str, ReservationId]]:
    """The merchant and id of what was decided before an instant and has no durable event yet, oldest first."""
    # tenant-scope: the sweep finishes whosever it is, each in its merchant's own transaction
    rows = await tx.fetch(
        """
        SELECT merchant_id, id FROM entitlement_reservation
        WHERE status = 'committing' AND decided_at < $1 ORDER BY decided_at LIMIT $2
        """,
        decided_before,
        limit,
    )
    return [(row["merchant_id"], ReservationId(row["id"])) for row in rows]


def _values(reservation: Reservation) -> Sequence[object]:
    return (
        reservation.id,
        reservation.customer_id,
        reservation.user_id,
        reservation.feature,
        reservation.metric_id,
        reservation.event_name,
        reservation.event_key,
        reservation.quantity,
        reservation.counts_events,
        reservation.status,
        reservation.created_at,
        reservation.expires_at,
        reservation.settled_at,
        reservation.committed_quantity,
        reservation.properties_json,
        reservation.decided_at,
        reservation.failure,
        reservation.failure_message,
        reservation.measured_property,
    )


def _from_row(row: Any) -> Reservation:
    return Reservation(
        id=ReservationId(row["id"]),
        customer_id=CustomerId(row["customer_id"]),
        user_id=UserId(row["user_id"]) if row["user_id"] else None,
        feature=row["feature"],
        metric_id=MetricId(row["metric_id"]),
        event_name=row["event_name"],
        event_key=row["event_key"],
        quantity=row["quantity"],
        counts_events=row["counts_events"],
        measured_property=row["measured_property"],
        status=ReservationStatus(row["status"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        settled_at=row["settled_at"],
        committed_quantity=row["committed_quantity"],
        properties_json=row["properties_json"],
        decided_at=row["decided_at"],
        failure=Reason(row["failure"]) if row["failure"] else None,
        failure_message=row["failure_message"] or "",
    )
