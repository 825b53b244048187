"""Every SQL text over dead letters; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from candela_server.kernel.errors import Reason
from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Tx

from .model import Rejection
from .rejected_event import NewLetter, RejectedEvent

_COLUMNS = "id, event, reason, field, message, received_at, replayed_at"


async def get_payload_hashes(tx: Tx, key_hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    """The payloads that are kept apart under these keys."""
    rows = await tx.fetch(
        "SELECT key_hash, payload_hash FROM rejected_event WHERE merchant_id = $1 AND key_hash = ANY($2)",
        tx.merchant_id,
        [UUID(bytes=one) for one in key_hashes],
    )
    return {
        row["key_hash"].bytes: row["payload_hash"].to_bytes(8, "big", signed=True) for row in rows
    }


async def count_letters(tx: Tx, limit: int) -> int:
    """How many dead letters are kept, replayed ones too, counted up to `limit`."""
    count: int = await tx.fetchval(
        "SELECT count(*) FROM (SELECT FROM rejected_event WHERE merchant_id = $1 LIMIT $2) AS kept",
        tx.merchant_id,
        limit,
    )
    return count


async def delete_replayed(tx: Tx, limit: int) -> int:
    """Deletes the oldest replayed dead letters, at most `limit`; answers how many."""
    return await tx.execute(
        """
        DELETE FROM rejected_event WHERE merchant_id = $1 AND id IN (
            SELECT id FROM rejected_event WHERE merchant_id = $1 AND replayed_at IS NOT NULL
            ORDER BY received_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        tx.merchant_id,
        limit,
    )


async def insert_letters(tx: Tx, letters: Sequence[NewLetter], received_at: datetime) -> None:
    """Keeps events apart, sorted by key, so that no two batches wait crosswise; a key that is there stays."""
    await tx.execute(
        """
        INSERT INTO rejected_event
            (merchant_id, id, key_hash, payload_hash, event, reason, field, message, received_at)
        SELECT $1, id, key_hash, payload_hash, event, reason, field, message, $2
        FROM unnest($3::text[], $4::uuid[], $5::bigint[], $6::bytea[], $7::text[], $8::text[], $9::text[])
             AS letter (id, key_hash, payload_hash, event, reason, field, message)
        ORDER BY key_hash
        ON CONFLICT (merchant_id, key_hash) DO NOTHING
        """,
        tx.merchant_id,
        received_at,
        [one.id for one in letters],
        [UUID(bytes=one.key_hash) for one in letters],
        [int.from_bytes(one.payload_hash, "big", signed=True) for one in letters],
        [one.event for one in letters],
        [one.error.reason.value for one in letters],
        [one.error.field for one in letters],
        [one.error.message for one in letters],
    )


async def page_letters(
    tx: Tx,
    *,
    limit: int,
    after: tuple[datetime, str] | None,
    include_replayed: bool,
    received_since: datetime | None,
) -> list[RejectedEvent]:
    """One page of dead letters by (received_at, id)."""
    rows = await fetch_planned(
        tx,
        f"""
        SELECT {_COLUMNS} FROM rejected_event
        WHERE merchant_id = $1 AND ($2 OR replayed_at IS NULL)
          AND ($3::timestamptz IS NULL OR received_at >= $3)
          AND ($4::timestamptz IS NULL OR (received_at, id) > ($4, $5::text))
        ORDER BY received_at, id LIMIT $6
        """,
        tx.merchant_id,
        include_replayed,
        received_since,
        after[0] if after else None,
        after[1] if after else "",
        limit,
    )
    return [_letter_from_row(row) for row in rows]


async def lock_letters(tx: Tx, ids: Sequence[str]) -> dict[str, RejectedEvent]:
    """The dead letters of these ids, locked until commit."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM rejected_event WHERE merchant_id = $1 AND id = ANY($2)
        ORDER BY received_at, id FOR UPDATE
        """,
        tx.merchant_id,
        list(ids),
    )
    return {row["id"]: _letter_from_row(row) for row in rows}


async def lock_waiting_letters(
    tx: Tx, *, limit: int, after: tuple[datetime, str] | None
) -> list[RejectedEvent]:
    """The next dead letters that wait, by (received_at, id), locked until commit."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM rejected_event
        WHERE merchant_id = $1 AND replayed_at IS NULL
          AND ($2::timestamptz IS NULL OR (received_at, id) > ($2, $3::text))
        ORDER BY received_at, id LIMIT $4 FOR UPDATE
        """,
        tx.merchant_id,
        after[0] if after else None,
        after[1] if after else "",
        limit,
    )
    return [_letter_from_row(row) for row in rows]


async def mark_replayed(tx: Tx, ids: Sequence[str], at: datetime) -> None:
    """Notes that the dead letters count."""
    await tx.execute(
        "UPDATE rejected_event SET replayed_at = $3 WHERE merchant_id = $1 AND id = ANY($2)",
        tx.merchant_id,
        list(ids),
        at,
    )


async def update_errors(tx: Tx, errors: Mapping[str, Rejection]) -> None:
    """Notes why dead letters still wait."""
    await tx.execute(
        """
        UPDATE rejected_event AS kept
        SET reason = judged.reason, field = judged.field, message = judged.message
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS judged (id, reason, field, message)
        WHERE kept.merchant_id = $1 AND kept.id = judged.id
          AND (kept.reason, kept.field, kept.message)
              IS DISTINCT FROM (judged.reason, judged.field, judged.message)
        """,
        tx.merchant_id,
        list(errors),
        [one.reason.value for one in errors.values()],
        [one.field for one in errors.values()],
        [one.message for one in errors.values()],
    )


async def delete_letters_before(tx: Tx, instant: datetime) -> int:
    """Deletes what was received before `instant`, whosever it is; in a system transaction."""
    # tenant-scope: dead letters are kept for the same time whosever they are
    return await tx.execute("DELETE FROM rejected_event WHERE received_at < $1", instant)


def _letter_from_row(row: Mapping[str, Any]) -> RejectedEvent:
    return RejectedEvent(
        id=row["id"],
        event=row["event"],
        error=Rejection(0, Reason(row["reason"]), row["field"], row["message"]),
        received_at=row["received_at"],
        replayed_at=row["replayed_at"],
    )
