"""Every SQL text over the keys of events, which say what was counted already (EVT-2).

Data plane: whole flushes as arrays. The table holds no merchant_id: it is part of what is hashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from struct import Struct
from typing import Final

from candela_server.storage import copy_binary
from candela_server.storage.array_parameters import InstantArray, Int8Bytes, UuidArray
from candela_server.storage.events import Connection, Cursor

from .found_keys import FoundKeys
from .prepared_event import PreparedEvent, key_hash_of, payload_hash_of

_KEY_ROW: Final = Struct(">hi16siii8siq").pack


async def insert_keys(connection: Connection, events: Sequence[PreparedEvent], month: date) -> None:
    """Takes the keys of events, which nobody holds, in a statement that can stand in a pipeline.

    Costs as much as `copy_keys` and writes a quarter more of log; sorted and refused like there.
    """
    await connection.execute(
        """
        INSERT INTO event_key (key_hash, claim_month, payload_hash, happened_at)
        SELECT key_hash, %s, payload_hash, happened_at
        FROM unnest(%s, %s, %s) AS free (key_hash, payload_hash, happened_at)
        """,
        [
            month,
            UuidArray(list(map(key_hash_of, events))),
            Int8Bytes(list(map(payload_hash_of, events))),
            InstantArray([event.happened_us for event in events]),
        ],
    )


async def expect_free_keys(
    connection: Connection, key_hashes: Sequence[bytes], oldest_month: date, before: date
) -> None:
    """Raises store.KeyTakenError when one of these keys was taken in these months, before the last one of them.

    In a pipeline, so that what follows need not wait to hear of it.
    """
    await connection.execute(
        "SELECT candela_expect_free_keys(%s, %s, %s)", [UuidArray(key_hashes), oldest_month, before]
    )


async def copy_keys(connection: Connection, events: Iterable[PreparedEvent], month: date) -> None:
    """Takes the keys of events, which nobody holds.

    Less than half the price of `claim_keys`, which asks of each key whether it is free. Sorted keys keep two flushes
    from waiting for each other crosswise. Raises store.KeyTakenError, and then the transaction is lost.
    """
    day, epoch_us = copy_binary.day_number(month), copy_binary.POSTGRES_EPOCH_US
    rows = [
        _KEY_ROW(4, 16, one.key_hash, 4, day, 8, one.payload_hash, 8, one.happened_us - epoch_us)
        for one in events
    ]
    async with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY event_key (key_hash, claim_month, payload_hash, happened_at) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        await copy.write(b"".join([copy_binary.COPY_HEADER, *rows, copy_binary.COPY_TRAILER]))


async def claim_keys(
    connection: Connection,
    *,
    key_hashes: Sequence[bytes],
    payload_hashes: Sequence[bytes],
    happened_us: Sequence[int],
    month: date,
    oldest_month: date,
) -> list[bytes] | None:
    """Takes the keys that are free in `month` and the months before it, and answers which; None for all of them.

    Sorted keys keep two flushes from waiting for each other crosswise. A key that another transaction is taking is
    waited for.
    """
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        """
        WITH older AS MATERIALIZED (
            SELECT key_hash FROM event_key
            WHERE key_hash = ANY(%(keys)s) AND claim_month >= %(oldest)s AND claim_month < %(month)s
        ), taken AS (
            INSERT INTO event_key (key_hash, claim_month, payload_hash, happened_at)
            SELECT key_hash, %(month)s, payload_hash, happened_at
            FROM unnest(%(keys)s, %(payloads)s, %(instants)s)
                 AS incoming (key_hash, payload_hash, happened_at)
            WHERE NOT EXISTS (SELECT FROM older WHERE older.key_hash = incoming.key_hash)
            ORDER BY incoming.key_hash
            ON CONFLICT DO NOTHING
            RETURNING key_hash
        )
        SELECT count(*), CASE WHEN count(*) < %(count)s THEN array_send(array_agg(key_hash)) END FROM taken
        """,
        {
            "keys": UuidArray(key_hashes),
            "payloads": Int8Bytes(payload_hashes),
            "instants": InstantArray(happened_us),
            "month": month,
            "oldest": oldest_month,
            "count": len(key_hashes),
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    if row[0] == len(key_hashes):
        return None
    return copy_binary.uuids_from_array(row[1]) if row[1] is not None else []


async def return_keys(connection: Connection, key_hashes: Sequence[bytes], month: date) -> None:
    """Gives back keys that this very transaction took in `month`."""
    await connection.execute(
        "DELETE FROM event_key WHERE key_hash = ANY(%s) AND claim_month = %s",
        [UuidArray(key_hashes), month],
    )


async def get_payload_hashes(
    connection: Connection, key_hashes: Sequence[bytes], oldest_month: date
) -> dict[bytes, bytes]:
    """The payloads that stand under these keys."""
    return (await found_keys(await look_for_keys(connection, key_hashes, oldest_month))).payloads()


async def look_for_keys(
    connection: Connection,
    key_hashes: Sequence[bytes],
    oldest_month: date,
    before: date = date.max,
) -> Cursor:
    """The same as a question, of months `before`: `found_keys` reads the answer after others have been asked, too."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        """
        SELECT string_agg(uuid_send(key_hash) || int8send(payload_hash), ''::bytea) FROM event_key
        WHERE key_hash = ANY(%s) AND claim_month >= %s AND claim_month < %s
        """,
        [UuidArray(key_hashes), oldest_month, before],
    )
    return cursor


async def found_keys(*asked: Cursor) -> FoundKeys:
    """What `look_for_keys` found: in one value, as a row for each would cost a replay more than the search."""
    found = []
    for cursor in asked:
        row = await cursor.fetchone()
        assert row is not None
        if row[0] is not None:
            found.append(row[0])
    return FoundKeys(b"".join(found))


async def prepare_event_keys(connection: Connection, months: Sequence[date]) -> None:
    """Makes the partitions of these months' keys."""
    await connection.execute(
        "SELECT candela_prepare_event_keys(month) FROM unnest(%s::date[]) AS wanted (month)",
        [list(months)],
    )


async def drop_event_keys(connection: Connection, before: date) -> int:
    """Drops the keys of all months before the given one; answers how many months.

    Waits only a moment for the table: every flush that comes later waits behind it.
    """
    await connection.execute("SET LOCAL lock_timeout = '1s'")
    cursor = await connection.execute("SELECT candela_drop_event_keys(%s)", [before])
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
