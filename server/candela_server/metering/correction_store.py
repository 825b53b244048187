"""Every SQL text of corrections but what makes rollups anew; nothing here decides (EVT-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection
from candela_server.storage.postgres import Tx

from .correction import (
    ByFilter,
    ChosenEvent,
    CorrectedUsage,
    Correction,
    StoredEvent,
)
from .event_statements import Statements, Values, WritingStatements
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


async def list_key_places(
    statements: Statements, key_hashes: Sequence[UUID], oldest_month: date
) -> list[tuple[UUID, date, datetime | None]]:
    """For each key that is remembered: the month of its claim and when its event happened, if that was kept."""
    return await statements.fetch(
        """
        SELECT key_hash, claim_month, happened_at FROM event_key
        WHERE key_hash = ANY(%(keys)s::uuid[]) AND claim_month >= %(oldest)s::date
        """,
        {"keys": list(key_hashes), "oldest": oldest_month},
    )


async def list_events_at(
    statements: Statements,
    merchant_id: str,
    key_hashes: Sequence[UUID],
    instants: Sequence[datetime],
) -> list[StoredEvent]:
    """The events under these keys at these instants."""
    return await _list_stored(
        statements,
        "event.happened_at = ANY(%(instants)s::timestamptz[])",
        {"merchant_id": merchant_id, "keys": list(key_hashes), "instants": list(instants)},
    )


async def list_events_between(
    statements: Statements,
    merchant_id: str,
    key_hashes: Sequence[UUID],
    window: Interval,
) -> list[StoredEvent]:
    """The events under these keys in a window: a search through all of the merchant's, for keys of an older release."""
    return await _list_stored(
        statements,
        "event.happened_at >= %(start_at)s::timestamptz AND event.happened_at < %(end_at)s::timestamptz",
        {
            "merchant_id": merchant_id,
            "keys": list(key_hashes),
            "start_at": window.start_at,
            "end_at": window.end_at,
        },
    )


async def _list_stored(
    statements: Statements, where: LiteralString, parameters: Mapping[str, Any]
) -> list[StoredEvent]:
    # stored-events: what is shown and found by its key may be voided
    rows = await statements.fetch(
        f"""
        SELECT event.key_hash, event.idempotency_key, event.name, event.customer_id, event.user_id, event.value,
               event.happened_at, coalesce(event.properties::text, ''), event.received_at,
               coalesce(event.backfill_id, ''),
               EXISTS (SELECT FROM counted_event AS counted
                       WHERE counted.merchant_id = event.merchant_id AND counted.happened_at = event.happened_at
                         AND counted.key_hash = event.key_hash
                         AND counted.backfill_id IS NOT DISTINCT FROM event.backfill_id),
               void.voided_at, void.replaced_by_key
        FROM event
        LEFT JOIN LATERAL (
            SELECT voided_at, replaced_by_key FROM event_void
            WHERE event_void.merchant_id = event.merchant_id AND event_void.key_hash = event.key_hash
              AND event_void.happened_at = event.happened_at
              AND event_void.came_with = coalesce(event.backfill_id, '')
            ORDER BY event_void.backfill_id IS NULL DESC, voided_at DESC LIMIT 1
        ) AS void ON true
        WHERE event.merchant_id = %(merchant_id)s AND event.key_hash = ANY(%(keys)s::uuid[]) AND {where}
        ORDER BY event.received_at, event.key_hash
        """,
        parameters,
    )
    return [_stored_from_values(row) for row in rows]


async def list_counted_events(
    statements: Statements, merchant_id: str, chosen: ByFilter, limit: int
) -> list[ChosenEvent]:
    """The events that count and match, at most `limit`."""
    conditions: list[LiteralString] = []
    parameters: dict[str, Any] = {
        "merchant_id": merchant_id,
        "start_at": chosen.window.start_at,
        "end_at": chosen.window.end_at,
        "limit": limit,
    }
    if chosen.customer_id is not None:
        conditions.append("AND event.customer_id = %(customer_id)s")
        parameters["customer_id"] = chosen.customer_id
    if chosen.names:
        conditions.append("AND event.name = ANY(%(names)s::text[])")
        parameters["names"] = list(chosen.names)
    rows = await statements.fetch(
        f"""
        SELECT event.key_hash, event.happened_at, coalesce(event.backfill_id, ''), event.customer_id,
               coalesce(event.user_id, ''), event.name
        FROM counted_event AS event
        WHERE event.merchant_id = %(merchant_id)s AND event.happened_at >= %(start_at)s::timestamptz
          AND event.happened_at < %(end_at)s::timestamptz {" ".join(conditions)}
        LIMIT %(limit)s::integer
        """,
        parameters,
    )
    return [chosen_from_values(row) for row in rows]


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
    payload_hash: int,
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
            "payload": payload_hash,
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


def chosen_from_values(row: Values) -> ChosenEvent:
    """A chosen event from its columns, in order."""
    key_hash, happened_at, came_with, customer_id, user_id, name = row
    return ChosenEvent(
        key_hash=key_hash,
        happened_at=happened_at,
        came_with=came_with,
        customer_id=customer_id,
        user_id=user_id,
        name=name,
    )


def _stored_from_values(row: Values) -> StoredEvent:
    (
        key_hash,
        idempotency_key,
        name,
        customer_id,
        user_id,
        value,
        happened_at,
        properties_json,
        received_at,
        came_with,
        counts,
        voided_at,
        replaced_by_key,
    ) = row
    return StoredEvent(
        key_hash=key_hash,
        idempotency_key=idempotency_key,
        name=name,
        customer_id=customer_id,
        user_id=user_id,
        value=value,
        happened_at=happened_at,
        properties_json=properties_json,
        received_at=received_at,
        came_with=came_with,
        counts=counts,
        # A backfill that was reverted gives back what it had replaced.
        voided_at=None if counts else voided_at,
        replaced_by_key=None if counts else replaced_by_key,
    )
