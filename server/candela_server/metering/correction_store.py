"""Every SQL text of corrections, but what finds their events and makes rollups anew; nothing here decides (EVT-4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection
from candela_server.storage.postgres import Tx

from .correction import (
    ChosenEvent,
    CorrectedUsage,
    Correction,
    StoredEvent,
)
from .event_statements import WritingStatements
from .store import FLUSH_TURN


async def hold_flushes(tx: Tx) -> None:
    """Keeps flushes of the merchant from running until the transaction ends, after those that run have ended.

    So what is read afterwards is all there is, and what is made of it stays true. Taken before anything else of
    metering, as flushes do, after a turn in the same queue.
    """
    await tx.fetch("SELECT pg_advisory_xact_lock($1, hashtext($2))", FLUSH_TURN, tx.merchant_id)
    await tx.execute(
        """
        INSERT INTO metric_version (merchant_id, version) VALUES ($1, 0)
        ON CONFLICT (merchant_id) DO NOTHING
        """,
        tx.merchant_id,
    )
    await tx.fetch("SELECT FROM metric_version WHERE merchant_id = $1 FOR UPDATE", tx.merchant_id)


async def insert_correction(tx: Tx, correction: Correction) -> None:
    """Stores a correction."""
    await tx.execute(
        """
        INSERT INTO usage_correction (merchant_id, id, kind, backfill_id, event_count, reason, actor, corrected_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        tx.merchant_id,
        correction.id,
        correction.kind,
        correction.backfill_id,
        correction.event_count,
        correction.reason,
        correction.actor,
        correction.corrected_at,
    )


async def insert_corrected_usage(
    tx: Tx, correction: Correction, spans: Sequence[tuple[str, str, Interval]]
) -> None:
    """Notes whose usage changed: customer, metric, and from when to when."""
    await tx.execute(
        """
        INSERT INTO corrected_usage
            (merchant_id, correction_id, customer_id, metric_id, start_at, end_at, corrected_at)
        SELECT $1::text, $2::text, customer_id, metric_id, start_at, end_at, $3::timestamptz
        FROM unnest($4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
             AS changed (customer_id, metric_id, start_at, end_at)
        """,
        tx.merchant_id,
        correction.id,
        correction.corrected_at,
        [customer_id for customer_id, _, _ in spans],
        [metric_id for _, metric_id, _ in spans],
        [window.start_at for _, _, window in spans],
        [window.end_at for _, _, window in spans],
    )


async def list_corrected_usage(
    tx: Tx, *, since: datetime, customer_id: str | None, limit: int
) -> list[CorrectedUsage]:
    """What was corrected at or after an instant, oldest first; of one customer when one is named."""
    rows = await tx.fetch(
        """
        SELECT correction_id, customer_id, metric_id, start_at, end_at, corrected_at FROM corrected_usage
        WHERE merchant_id = $1 AND corrected_at >= $2 AND ($3::text IS NULL OR customer_id = $3)
        ORDER BY corrected_at, correction_id, customer_id, metric_id LIMIT $4
        """,
        tx.merchant_id,
        since,
        customer_id,
        limit,
    )
    return [
        CorrectedUsage(
            correction_id=row["correction_id"],
            customer_id=row["customer_id"],
            metric_id=row["metric_id"],
            window=Interval(row["start_at"], row["end_at"]),
            corrected_at=row["corrected_at"],
        )
        for row in rows
    ]


async def list_corrected_customers(tx: Tx, *, since: datetime) -> set[str]:
    """Whose usage was corrected at or after an instant."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT customer_id FROM corrected_usage
        WHERE merchant_id = $1 AND corrected_at >= $2
        """,
        tx.merchant_id,
        since,
    )
    return {row["customer_id"] for row in rows}


async def insert_voids(
    statements: WritingStatements,
    correction: Correction,
    events: Sequence[ChosenEvent],
    *,
    replaced_by_key: str | None = None,
) -> None:
    """Notes that these events count no longer."""
    await statements.execute(
        """
        INSERT INTO event_void (merchant_id, key_hash, happened_at, came_with, correction_id, customer_id, user_id,
                                name, backfill_id, replaced_by_key, voided_at)
        SELECT %(merchant_id)s::text, key_hash, happened_at, came_with, %(correction_id)s::text, customer_id, user_id,
               name, %(backfill_id)s::text, %(replaced_by_key)s::text, %(voided_at)s::timestamptz
        FROM unnest(%(keys)s::uuid[], %(instants)s::timestamptz[], %(came_with)s::text[], %(customers)s::text[],
                    %(users)s::text[], %(names)s::text[])
             AS voided (key_hash, happened_at, came_with, customer_id, user_id, name)
        """,
        {
            "merchant_id": statements.merchant_id,
            "correction_id": correction.id,
            "backfill_id": correction.backfill_id,
            "replaced_by_key": replaced_by_key,
            "voided_at": correction.corrected_at,
            "keys": [event.key_hash for event in events],
            "instants": [event.happened_at for event in events],
            "came_with": [event.came_with for event in events],
            "customers": [event.customer_id for event in events],
            "users": [event.user_id for event in events],
            "names": [event.name for event in events],
        },
    )


async def insert_key(
    statements: WritingStatements,
    key_hash: UUID,
    payload_hash: bytes,
    happened_at: datetime,
    months: Sequence[date],
) -> None:
    """Takes one key that is free; no flush of the merchant may be running."""
    await statements.execute(
        """
        INSERT INTO event_key (key_hash, claim_month, payload_hash, happened_at)
        SELECT %(key)s::uuid, month, %(payload)s::bigint, %(happened_at)s::timestamptz
        FROM unnest(%(months)s::date[]) AS claimed (month)
        """,
        {
            "key": key_hash,
            "payload": int.from_bytes(payload_hash, "big", signed=True),
            "happened_at": happened_at,
            "months": list(months),
        },
    )


async def insert_event(statements: WritingStatements, event: StoredEvent) -> None:
    """Stores one event."""
    await statements.execute(
        """
        INSERT INTO event (merchant_id, customer_id, user_id, name, value, happened_at, key_hash,
                           idempotency_key, properties, received_at, backfill_id)
        VALUES (%(merchant_id)s, %(customer_id)s, %(user_id)s, %(name)s, %(value)s, %(happened_at)s, %(key_hash)s,
                %(idempotency_key)s, %(properties)s::text::jsonb, %(received_at)s, %(backfill_id)s)
        """,
        {
            "merchant_id": statements.merchant_id,
            "customer_id": event.customer_id,
            "user_id": event.user_id,
            "name": event.name,
            "value": event.value,
            "happened_at": event.happened_at,
            "key_hash": event.key_hash,
            "idempotency_key": event.idempotency_key,
            "properties": event.properties_json or None,
            "received_at": event.received_at,
            "backfill_id": event.came_with or None,
        },
    )


async def register_correction(statements: WritingStatements, now: datetime) -> int:
    """The number under which the live counters are awaited: a writer with one flush, so that a process that dies
    before it tells them is noticed as one that dies after a flush is."""
    [(number,)] = await statements.fetch(
        """
        INSERT INTO event_writer (sequence, flushed_at) VALUES (1, %(now)s::timestamptz) RETURNING number
        """,
        {"now": now},
    )
    return int(number)


async def forget_correction(connection: Connection, number: int) -> None:
    """The live counters have heard of the correction."""
    await connection.execute("DELETE FROM event_writer WHERE number = %s", [number])
