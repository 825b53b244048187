"""Every SQL text over the events of backfills, and those that they replace or spare (EVT-4, EVT-9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from candela_server.storage import copy_binary
from candela_server.storage.array_parameters import UuidArray
from candela_server.storage.events import Connection

from .chosen_event_store import chosen_from_values
from .correction import Backfill, ChosenEvent
from .event_statements import WritingStatements


async def copy_backfill_events(connection: Connection, rows: Sequence[bytes]) -> None:
    """Appends events that come with a backfill, each row in binary form."""
    async with (
        connection.cursor() as cursor,
        cursor.copy(
            """
            COPY event (merchant_id, customer_id, user_id, name, value, happened_at, key_hash,
                        idempotency_key, properties, received_at, backfill_id)
            FROM STDIN (FORMAT BINARY)
            """
        ) as copy,
    ):
        await copy.write(b"".join([copy_binary.COPY_HEADER, *rows, copy_binary.COPY_TRAILER]))


async def insert_kept(
    connection: Connection, merchant_id: str, backfill_id: str, key_hashes: Sequence[bytes]
) -> None:
    """Notes events that were sent again and are there already."""
    await connection.execute(
        """
        INSERT INTO backfill_kept_event (merchant_id, backfill_id, key_hash)
        SELECT %s, %s, key_hash FROM unnest(%s) AS kept (key_hash) ORDER BY key_hash
        ON CONFLICT DO NOTHING
        """,
        [merchant_id, backfill_id, UuidArray(key_hashes)],
    )


async def find_crowded(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, limit: int
) -> datetime | None:
    """When the first event happened that is one too many for a step that begins at `start_at`."""
    rows = await statements.fetch(
        f"""
        SELECT happened_at FROM ({_own_and_replaced(backfill)}) AS concerned
        ORDER BY happened_at OFFSET %(limit)s::integer LIMIT 1
        """,
        {
            **_parameters(statements, backfill, start_at, backfill.window.end_at),
            "limit": limit,
        },
    )
    return rows[0][0] if rows else None


async def list_own_events(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> list[ChosenEvent]:
    """The events that came with the backfill."""
    rows = await statements.fetch(_OWN, _parameters(statements, backfill, start_at, end_at))
    return [chosen_from_values(row) for row in rows]


async def list_replaced_events(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> list[ChosenEvent]:
    """The events that the backfill replaces: what was there when it was closed and would count without it, but not
    what it had sent again. Those that another backfill replaced are among them, in case that one is reverted."""
    rows = await statements.fetch(
        _replaced(backfill), _parameters(statements, backfill, start_at, end_at)
    )
    return [chosen_from_values(row) for row in rows]


async def list_given_back(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> list[ChosenEvent]:
    """The events that the backfill has replaced, and that count again without it."""
    rows = await statements.fetch(
        """
        SELECT key_hash, happened_at, came_with, customer_id, user_id, name FROM event_void
        WHERE merchant_id = %(merchant_id)s AND backfill_id = %(backfill_id)s
          AND happened_at >= %(start_at)s::timestamptz AND happened_at < %(end_at)s::timestamptz
        """,
        _parameters(statements, backfill, start_at, end_at),
    )
    return [chosen_from_values(row) for row in rows]


async def free_keys(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> None:
    """Makes the keys of the backfill's events free again, so that the same events can be sent anew."""
    # stored-events: the keys of all that came with the backfill
    await statements.execute(
        """
        DELETE FROM event_key USING event
        WHERE event.merchant_id = %(merchant_id)s AND event.backfill_id = %(backfill_id)s
          AND event.happened_at >= %(start_at)s::timestamptz AND event.happened_at < %(end_at)s::timestamptz
          AND event_key.key_hash = event.key_hash AND event_key.happened_at = event.happened_at
        """,
        _parameters(statements, backfill, start_at, end_at),
    )


# stored-events: what comes with an open backfill does not count yet
_OWN: Final[LiteralString] = """
    SELECT key_hash, happened_at, coalesce(backfill_id, ''), customer_id, coalesce(user_id, ''), name
    FROM event
    WHERE merchant_id = %(merchant_id)s AND backfill_id = %(backfill_id)s
      AND happened_at >= %(start_at)s::timestamptz AND happened_at < %(end_at)s::timestamptz
"""


def _own_and_replaced(backfill: Backfill) -> LiteralString:
    if not backfill.replaces_existing or backfill.reverted_at is not None:
        return _OWN
    return f"{_OWN} UNION ALL {_replaced(backfill)}"


def _replaced(backfill: Backfill) -> LiteralString:
    of_customer: LiteralString = (
        "" if backfill.customer_id is None else "AND event.customer_id = %(customer_id)s"
    )
    # stored-events: what another backfill has replaced is replaced by this one as well
    return f"""
        SELECT event.key_hash, event.happened_at, coalesce(event.backfill_id, ''), event.customer_id,
               coalesce(event.user_id, ''), event.name
        FROM event
        WHERE event.merchant_id = %(merchant_id)s AND event.happened_at >= %(start_at)s::timestamptz
          AND event.happened_at < %(end_at)s::timestamptz {of_customer}
          AND event.backfill_id IS DISTINCT FROM %(backfill_id)s AND event.received_at <= %(closed_at)s::timestamptz
          AND (event.backfill_id IS NULL OR EXISTS (
                  SELECT FROM backfill
                  WHERE backfill.merchant_id = event.merchant_id AND backfill.id = event.backfill_id
                    AND backfill.counted_from_at <= event.happened_at
                    AND event.happened_at < backfill.counted_until_at))
          AND NOT EXISTS (
                  SELECT FROM backfill_kept_event AS kept
                  WHERE kept.merchant_id = event.merchant_id AND kept.backfill_id = %(backfill_id)s
                    AND kept.key_hash = event.key_hash)
          AND NOT EXISTS (
                  SELECT FROM event_void AS void
                  WHERE void.merchant_id = event.merchant_id AND void.key_hash = event.key_hash
                    AND void.happened_at = event.happened_at AND void.came_with = coalesce(event.backfill_id, '')
                    AND void.backfill_id IS NULL)
    """


def _parameters(
    statements: WritingStatements, backfill: Backfill, start_at: datetime, end_at: datetime
) -> dict[str, Any]:
    return {
        "merchant_id": statements.merchant_id,
        "backfill_id": backfill.id,
        "customer_id": backfill.customer_id,
        "closed_at": backfill.closed_at,
        "start_at": start_at,
        "end_at": end_at,
    }
