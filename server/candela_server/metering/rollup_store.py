"""Every SQL text that adds to rollups, to distinct values, and to the count of names that no metric reads.

Data plane: whole flushes as arrays, in one order, so that no two wait for each other crosswise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString, TypeAlias

from candela_server.storage.array_parameters import (
    InstantArray,
    Int8Array,
    UuidArray,
    ids,
    numbers,
)
from candela_server.storage.events import Connection

from .rules.folding import Share

RollupKey: TypeAlias = tuple[str, str, str, str, str, int]
"""merchant, customer, metric, user ("" is the whole customer), dimension ("" is all groups), bucket in microseconds."""

DistinctRow: TypeAlias = tuple[str, str, str, str, str, datetime, str]
"""merchant, customer, metric, user, dimension, bucket, value."""


ADDING_TO_ROLLUPS: Final[LiteralString] = """
    ON CONFLICT (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, layer) DO UPDATE SET
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
"""
"""How rollups that are there already, `known`, grow by what is inserted."""

ADDING_TO_NAMES: Final[LiteralString] = """
    ON CONFLICT (merchant_id, name, layer) DO UPDATE SET
        event_count = known.event_count + excluded.event_count,
        first_event_at = least(known.first_event_at, excluded.first_event_at),
        last_event_at = greatest(known.last_event_at, excluded.last_event_at)
"""
"""The same of unmatched_event_name."""


@dataclass(frozen=True, slots=True)
class UnmatchedRow:
    """What one flush adds to one event name that no metric reads."""

    merchant_id: str
    name: str
    count: int
    first_at: datetime
    last_at: datetime


async def add_rollups(
    connection: Connection, rows: Sequence[tuple[RollupKey, Share]], layer: int
) -> None:
    """Adds shares to a layer of the rollups of their keys, sorted by these, so that no two flushes wait crosswise.

    The columns stand side by side in a SELECT list: in FROM PostgreSQL would put each aside before it joins them.
    """
    merchants, customers, metrics, users, dimensions, buckets = zip(
        *[key for key, _ in rows], strict=True
    )
    shares = [share for _, share in rows]
    times = [share.time for share in shares]
    await connection.execute(
        f"""
        INSERT INTO usage_rollup AS known
            (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, layer,
             event_count, value_sum, value_min, value_max, last_at, last_key, last_value, value_time)
        SELECT merchant_id, customer_id, metric_id, user_id, coalesce(dimension, ''), bucket_at, %s,
               event_count, value_sum, value_min, value_max, last_at, last_key, last_value,
               coalesce(value_time, 0)
        FROM (
            SELECT unnest(%s::text[]) AS merchant_id, unnest(%s::text[]) AS customer_id,
                   unnest(%s::text[]) AS metric_id, unnest(%s::text[]) AS user_id,
                   unnest(%s::text[]) AS dimension, unnest(%s::timestamptz[]) AS bucket_at,
                   unnest(%s::bigint[]) AS event_count, unnest(%s::numeric[]) AS value_sum,
                   unnest(%s::numeric[]) AS value_min, unnest(%s::numeric[]) AS value_max,
                   unnest(%s::timestamptz[]) AS last_at, unnest(%s::uuid[]) AS last_key,
                   unnest(%s::numeric[]) AS last_value, unnest(%s::numeric[]) AS value_time
        ) AS added
        {ADDING_TO_ROLLUPS}
        """,
        [
            layer,
            ids(merchants),
            ids(customers),
            ids(metrics),
            ids(users),
            # Most flushes have no groups and weigh nothing: an array that is too short reads as NULL.
            ids(dimensions) if any(dimensions) else "{}",
            InstantArray(buckets),
            Int8Array([share.count for share in shares]),
            numbers([share.sum for share in shares]),
            numbers([share.min for share in shares]),
            numbers([share.max for share in shares]),
            InstantArray([share.last_us for share in shares]),
            UuidArray([share.last_key for share in shares]),
            numbers([share.last_value for share in shares]),
            numbers(times) if any(times) else "{}",
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


async def add_unmatched_names(
    connection: Connection, rows: Sequence[UnmatchedRow], layer: int
) -> None:
    """Counts events whose name no metric reads, in a layer; the rows are sorted."""
    await connection.execute(
        f"""
        INSERT INTO unmatched_event_name AS known
            (merchant_id, name, layer, event_count, first_event_at, last_event_at)
        SELECT merchant_id, name, %s, event_count, first_at, last_at
        FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
             AS added (merchant_id, name, event_count, first_at, last_at)
        {ADDING_TO_NAMES}
        """,
        [
            layer,
            [row.merchant_id for row in rows],
            [row.name for row in rows],
            Int8Array([row.count for row in rows]),
            [row.first_at for row in rows],
            [row.last_at for row in rows],
        ],
    )
