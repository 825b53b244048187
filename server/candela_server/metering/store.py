"""Every SQL text that writes events, keys and rollups. Reading them is usage_store's business; nothing here decides.

Data plane: statements take whole flushes as arrays in PostgreSQL's binary forms and answer with as little as
possible. All run as candela_events, which no tenant's wall holds back, so all name merchant_id, but for event_key,
whose hashes contain it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypeAlias

import psycopg
from psycopg.adapt import Dumper
from psycopg.errors import CheckViolation, LockNotAvailable, QueryCanceled
from psycopg.pq import Format

from candela_server.storage import copy_binary
from candela_server.storage.events import Connection, EventStoreUnavailableError
from candela_server.storage.postgres import Tx

TRANSIENT: Final = (EventStoreUnavailableError, LockNotAvailable, QueryCanceled)
"""What may go well when it is done again."""

FLUSH_TURN: Final = 0x0CA4DE10
"""Advisory locks, by merchant, in front of its row of metric_version. A row that flushes share is shared by the next
one without a queue, so who wants it alone might wait for ever; advisory locks are given in order."""

MissingPartitionError = CheckViolation
"""An event or key has no partition to be in; the only check that a flush can violate."""


class UuidArray:
    """A uuid[] parameter that is in PostgreSQL's binary form already."""

    __slots__ = ("content",)
    content: bytes

    def __init__(self, elements: Sequence[bytes]) -> None:
        self.content = copy_binary.uuid_array(elements, len(elements))


class Int8Array:
    """A bigint[] parameter that is in PostgreSQL's binary form already."""

    __slots__ = ("content",)
    content: bytes

    def __init__(self, elements: Sequence[int]) -> None:
        self.content = copy_binary.int8_array(elements, len(elements))


class InstantArray:
    """A timestamptz[] parameter that is in PostgreSQL's binary form already, given in microseconds since 1970."""

    __slots__ = ("content",)
    content: bytes

    def __init__(self, microseconds: Sequence[int]) -> None:
        self.content = copy_binary.timestamp_array(microseconds, len(microseconds))


class _InstantArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1185

    def dump(self, obj: InstantArray) -> bytes:
        return obj.content


class _UuidArrayDumper(Dumper):
    format = Format.BINARY
    oid = 2951

    def dump(self, obj: UuidArray) -> bytes:
        return obj.content


class _Int8ArrayDumper(Dumper):
    format = Format.BINARY
    oid = 1016

    def dump(self, obj: Int8Array) -> bytes:
        return obj.content


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupRow:
    """What one flush adds to one row of usage_rollup. `user_id` "" is the whole customer, `dimension` "" all groups."""

    merchant_id: str
    customer_id: str
    metric_id: str
    user_id: str
    dimension: str
    bucket_us: int
    count: int
    sum: Decimal
    min: Decimal
    max: Decimal
    last_us: int
    last_key: bytes
    last_value: Decimal
    time: Decimal


DistinctRow: TypeAlias = tuple[str, str, str, str, str, datetime, str]
"""merchant, customer, metric, user, dimension, bucket, value."""


@dataclass(frozen=True, slots=True)
class UnmatchedRow:
    """What one flush adds to one event name that no metric reads."""

    merchant_id: str
    name: str
    count: int
    first_at: datetime
    last_at: datetime


async def register_writer(connection: Connection, now: datetime) -> int:
    """A new writer's number; its flushes are counted from 1."""
    cursor = await connection.execute(
        "INSERT INTO event_writer (sequence, flushed_at) VALUES (0, %s) RETURNING number",
        [now],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def count_flush(connection: Connection, writer: int, now: datetime) -> int | None:
    """Notes one more flush of the writer and answers its sequence; None when the writer was forgotten."""
    cursor = await connection.execute(
        """
        UPDATE event_writer SET sequence = sequence + 1, flushed_at = %s WHERE number = %s
        RETURNING sequence
        """,
        [now, writer],
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def list_writers(connection: Connection) -> list[tuple[int, int, datetime]]:
    """Each writer's number, last committed sequence and when that was."""
    cursor = await connection.execute("SELECT number, sequence, flushed_at FROM event_writer")
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def forget_writers(connection: Connection, before: datetime) -> None:
    """Removes writers that have not flushed since `before`; one that still lives registers again."""
    await connection.execute("DELETE FROM event_writer WHERE flushed_at < %s", [before])


async def get_metric_version(tx: Tx) -> int:
    """How often the merchant's metrics have changed; 0 when there never was one."""
    version = await tx.fetchval(
        "SELECT version FROM metric_version WHERE merchant_id = $1", tx.merchant_id
    )
    return version or 0


async def list_filled_metrics(tx: Tx) -> set[str]:
    """The metrics whose rollups hold the events from before the metric was made, too."""
    rows = await tx.fetch(
        "SELECT metric_id FROM metric_history WHERE merchant_id = $1", tx.merchant_id
    )
    return {row["metric_id"] for row in rows}


async def hold_metric_versions(
    connection: Connection, merchant_ids: Sequence[str]
) -> dict[str, int]:
    """The metric versions of these merchants (sorted), which cannot change until the transaction ends."""
    versions = await _hold_metric_versions(connection, merchant_ids)
    if len(versions) < len(merchant_ids):
        await connection.execute(
            """
            INSERT INTO metric_version (merchant_id, version)
            SELECT merchant_id, 0 FROM unnest(%s::text[]) AS missing (merchant_id)
            ON CONFLICT (merchant_id) DO NOTHING
            """,
            [[merchant_id for merchant_id in merchant_ids if merchant_id not in versions]],
        )
        versions = await _hold_metric_versions(connection, merchant_ids)
    return versions


async def _hold_metric_versions(
    connection: Connection, merchant_ids: Sequence[str]
) -> dict[str, int]:
    cursor = await connection.execute(
        """
        WITH turn AS MATERIALIZED (
            SELECT pg_advisory_xact_lock_shared(%(turn)s, hashtext(merchant_id))
            FROM unnest(%(merchant_ids)s::text[]) AS held (merchant_id)
        )
        SELECT merchant_id, version FROM metric_version
        WHERE merchant_id = ANY(%(merchant_ids)s) AND (SELECT count(*) FROM turn) > 0
        ORDER BY merchant_id FOR SHARE
        """,
        {"turn": FLUSH_TURN, "merchant_ids": list(merchant_ids)},
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def claim_keys(
    connection: Connection,
    *,
    key_hashes: Sequence[bytes],
    payload_hashes: Sequence[int],
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
            "payloads": Int8Array(payload_hashes),
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
) -> dict[bytes, int]:
    """The payloads that stand under these keys."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        """
        SELECT uuid_send(key_hash), payload_hash FROM event_key
        WHERE key_hash = ANY(%s) AND claim_month >= %s
        """,
        [UuidArray(key_hashes), oldest_month],
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def copy_events(connection: Connection, rows: Iterable[bytes]) -> None:
    """Appends events, each row in binary form; the order of fields is EVENT_FIELDS' order."""
    async with (
        connection.cursor() as cursor,
        cursor.copy(
            """
            COPY event (merchant_id, customer_id, user_id, name, value, happened_at, key_hash,
                        idempotency_key, properties, received_at)
            FROM STDIN (FORMAT BINARY)
            """
        ) as copy,
    ):
        await copy.write(b"".join([copy_binary.COPY_HEADER, *rows, copy_binary.COPY_TRAILER]))


async def add_rollups(connection: Connection, rows: Sequence[RollupRow]) -> None:
    """Adds to the rollups; the rows are sorted by their key, so that no two flushes wait crosswise."""
    dimensions, times = [row.dimension for row in rows], [row.time for row in rows]
    await connection.execute(
        """
        INSERT INTO usage_rollup AS known
            (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at,
             event_count, value_sum, value_min, value_max, last_at, last_key, last_value, value_time)
        SELECT merchant_id, customer_id, metric_id, user_id, coalesce(dimension, ''), bucket_at,
               event_count, value_sum, value_min, value_max, last_at, last_key, last_value,
               coalesce(value_time, 0)
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
                    %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::timestamptz[],
                    %s::uuid[], %s::numeric[], %s::numeric[])
             AS added (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, event_count,
                       value_sum, value_min, value_max, last_at, last_key, last_value, value_time)
        ON CONFLICT (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at) DO UPDATE SET
            event_count = known.event_count + excluded.event_count,
            value_sum = known.value_sum + excluded.value_sum,
            value_time = known.value_time + excluded.value_time,
            value_min = least(known.value_min, excluded.value_min),
            value_max = greatest(known.value_max, excluded.value_max),
            last_value = CASE WHEN (known.last_at, known.last_key) < (excluded.last_at, excluded.last_key)
                              THEN excluded.last_value ELSE known.last_value END,
            last_key = CASE WHEN (known.last_at, known.last_key) < (excluded.last_at, excluded.last_key)
                            THEN excluded.last_key ELSE known.last_key END,
            last_at = greatest(known.last_at, excluded.last_at)
        """,
        [
            _ids([row.merchant_id for row in rows]),
            _ids([row.customer_id for row in rows]),
            _ids([row.metric_id for row in rows]),
            _ids([row.user_id for row in rows]),
            # Most flushes have no groups and weigh nothing: an array that is too short reads as NULL.
            _ids(dimensions) if any(dimensions) else "{}",
            InstantArray([row.bucket_us for row in rows]),
            Int8Array([row.count for row in rows]),
            _numbers([row.sum for row in rows]),
            _numbers([row.min for row in rows]),
            _numbers([row.max for row in rows]),
            InstantArray([row.last_us for row in rows]),
            UuidArray([row.last_key for row in rows]),
            _numbers([row.last_value for row in rows]),
            _numbers(times) if any(times) else "{}",
        ],
    )


async def add_distinct_values(connection: Connection, rows: Sequence[DistinctRow]) -> None:
    """Adds distinct values, sorted; those that are there stay."""
    await connection.execute(
        """
        INSERT INTO usage_distinct (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, value)
        SELECT merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, value
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
             AS added (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, value)
        ON CONFLICT DO NOTHING
        """,
        [list(column) for column in zip(*rows, strict=True)],
    )


async def add_unmatched_names(connection: Connection, rows: Sequence[UnmatchedRow]) -> None:
    """Counts events whose name no metric reads; the rows are sorted."""
    await connection.execute(
        """
        INSERT INTO unmatched_event_name AS known
            (merchant_id, name, event_count, first_event_at, last_event_at)
        SELECT merchant_id, name, event_count, first_at, last_at
        FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
             AS added (merchant_id, name, event_count, first_at, last_at)
        ON CONFLICT (merchant_id, name) DO UPDATE SET
            event_count = known.event_count + excluded.event_count,
            first_event_at = least(known.first_event_at, excluded.first_event_at),
            last_event_at = greatest(known.last_event_at, excluded.last_event_at)
        """,
        [
            [row.merchant_id for row in rows],
            [row.name for row in rows],
            Int8Array([row.count for row in rows]),
            [row.first_at for row in rows],
            [row.last_at for row in rows],
        ],
    )


async def hold_flushes(connection: Connection, merchant_id: str) -> None:
    """Keeps flushes of the merchant from running until the transaction ends, after those that run have ended."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [FLUSH_TURN, merchant_id]
    )
    await connection.execute(
        """
        INSERT INTO metric_version (merchant_id, version) VALUES (%s, 0)
        ON CONFLICT (merchant_id) DO NOTHING
        """,
        [merchant_id],
    )
    await connection.execute(
        "SELECT FROM metric_version WHERE merchant_id = %s FOR UPDATE", [merchant_id]
    )


async def insert_metric_history(
    connection: Connection, merchant_id: str, metric_id: str, read_count: int, now: datetime
) -> None:
    """Notes that the metric's rollups hold all events."""
    await connection.execute(
        """
        INSERT INTO metric_history (merchant_id, metric_id, read_count, filled_at)
        VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        [merchant_id, metric_id, read_count, now],
    )


async def prepare_events(connection: Connection, instants: Sequence[datetime]) -> None:
    """Makes the partitions that hold these instants, where there are partitions."""
    await connection.execute(
        "SELECT candela_prepare_events(instant) FROM unnest(%s::timestamptz[]) AS wanted (instant)",
        [list(instants)],
    )


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


def _ids(ids: Sequence[str]) -> str:
    """A text[] of ids of our own making, which need no escaping; psycopg would look at every character."""
    return '{"' + '","'.join(ids) + '"}'


def _numbers(numbers: Sequence[Decimal]) -> str:
    """A numeric[]."""
    return "{" + ",".join([format(number, "f") for number in numbers]) + "}"


# Before any pool connects: each connection takes over what is registered at that time.
psycopg.adapters.register_dumper(UuidArray, _UuidArrayDumper)
psycopg.adapters.register_dumper(Int8Array, _Int8ArrayDumper)
psycopg.adapters.register_dumper(InstantArray, _InstantArrayDumper)
