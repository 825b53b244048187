"""Every SQL text that merges the layers of rollups; nothing here decides.

As candela_events, beyond the tenants' wall; each statement names its merchant, but for the question whose turn it is.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.storage.events import Connection

from .rollup_store import ADDING_TO_NAMES, ADDING_TO_ROLLUPS


async def list_layered(connection: Connection, before_at: datetime) -> list[str]:
    """The merchants who have rollups in layers, of quarter-hours that began before an instant, or names."""
    cursor = await connection.execute(
        """
        SELECT merchant_id FROM usage_rollup WHERE layer > 0 AND bucket_at < %s
        UNION
        SELECT merchant_id FROM unmatched_event_name WHERE layer > 0
        ORDER BY 1
        """,
        [before_at],
    )
    return [row[0] for row in await cursor.fetchall()]


async def merge_rollups(
    connection: Connection, merchant_id: str, before_at: datetime, limit: int
) -> int:
    """Adds so many rows of upper layers to the lowest one; answers how many there were.

    Those that a flush is adding to just now are left: it may wait for one that is taken here. Corrections, which make
    all layers anew, must be kept away (`store.hold_metrics`).
    """
    cursor = await connection.execute(
        f"""
        WITH upper AS (
            SELECT ctid FROM usage_rollup
            WHERE merchant_id = %(merchant_id)s AND layer > 0 AND bucket_at < %(before_at)s
            ORDER BY metric_id, bucket_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
        ), taken AS (
            DELETE FROM usage_rollup AS known USING upper WHERE known.ctid = upper.ctid RETURNING known.*
        ), merged AS (
            INSERT INTO usage_rollup AS known
                (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, layer,
                 event_count, value_sum, value_min, value_max, last_at, last_key, last_value, value_time)
            SELECT merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, 0,
                   sum(event_count), sum(value_sum), min(value_min), max(value_max), max(last_at),
                   (array_agg(last_key ORDER BY last_at DESC, last_key DESC))[1],
                   (array_agg(last_value ORDER BY last_at DESC, last_key DESC))[1], sum(value_time)
            FROM taken
            GROUP BY merchant_id, customer_id, metric_id, user_id, dimension, bucket_at
            ORDER BY merchant_id, customer_id, metric_id, user_id, dimension, bucket_at
            {ADDING_TO_ROLLUPS}
        )
        SELECT count(*) FROM taken
        """,
        {"merchant_id": merchant_id, "before_at": before_at, "limit": limit},
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def merge_names(connection: Connection, merchant_id: str) -> None:
    """The same of the names that no metric reads, all at once."""
    await connection.execute(
        f"""
        WITH upper AS (
            SELECT ctid FROM unmatched_event_name
            WHERE merchant_id = %(merchant_id)s AND layer > 0
            FOR UPDATE SKIP LOCKED
        ), taken AS (
            DELETE FROM unmatched_event_name AS known USING upper WHERE known.ctid = upper.ctid RETURNING known.*
        )
        INSERT INTO unmatched_event_name AS known
            (merchant_id, name, layer, event_count, first_event_at, last_event_at)
        SELECT merchant_id, name, 0, sum(event_count), min(first_event_at), max(last_event_at)
        FROM taken GROUP BY merchant_id, name ORDER BY name
        {ADDING_TO_NAMES}
        """,
        {"merchant_id": merchant_id},
    )
