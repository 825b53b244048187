"""Every SQL text over the groups that have a place of their own (EVT-5). Nothing here decides.

All run as candela_events, which no tenant's wall holds back, so all name merchant_id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from candela_server.storage.events import Connection

from .rules.group import MAX_GROUPS, Group


class GroupKey(NamedTuple):
    """A group of one customer's events for one metric; customer "" is the whole merchant."""

    merchant_id: str
    customer_id: str
    metric_id: str
    dimension: str


async def find_groups(connection: Connection, keys: Sequence[GroupKey]) -> set[GroupKey]:
    """Which of these groups have a place."""
    cursor = await connection.execute(
        """
        SELECT merchant_id, customer_id, metric_id, dimension
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
             AS wanted (merchant_id, customer_id, metric_id, dimension)
        JOIN usage_group USING (merchant_id, customer_id, metric_id, dimension)
        """,
        [list(column) for column in zip(*keys, strict=True)],
    )
    return {GroupKey(*row) for row in await cursor.fetchall()}


async def add_groups(connection: Connection, groups: Sequence[tuple[GroupKey, Group]]) -> None:
    """Gives groups a place, in this order, as long as their customer and metric have one left.

    Whoever else adds groups of the same customer and metric waits for this transaction; the locks are taken in one
    order, so that no two wait crosswise.
    """
    merchant_ids, customer_ids, metric_ids, dimensions = (
        list(column) for column in zip(*[key for key, _ in groups], strict=True)
    )
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(number) FROM (
            SELECT DISTINCT hashtextextended(merchant_id || '/' || customer_id || '/' || metric_id, 17) AS number
            FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (merchant_id, customer_id, metric_id)
            ORDER BY number
        ) AS locks
        """,
        [merchant_ids, customer_ids, metric_ids],
    )
    # A statement of its own, because it must see what the last holder of the locks committed.
    await connection.execute(
        """
        INSERT INTO usage_group (merchant_id, customer_id, metric_id, dimension, group_values)
        SELECT merchant_id, customer_id, metric_id, dimension, group_values::jsonb
        FROM (
            SELECT wanted.*, row_number() OVER (
                PARTITION BY merchant_id, customer_id, metric_id ORDER BY number) AS place
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY
                 AS wanted (merchant_id, customer_id, metric_id, dimension, group_values, number)
            WHERE NOT EXISTS (
                SELECT FROM usage_group AS known
                WHERE known.merchant_id = wanted.merchant_id AND known.customer_id = wanted.customer_id
                  AND known.metric_id = wanted.metric_id AND known.dimension = wanted.dimension)
        ) AS missing
        WHERE place + (
            SELECT count(*) FROM usage_group AS known
            WHERE known.merchant_id = missing.merchant_id AND known.customer_id = missing.customer_id
              AND known.metric_id = missing.metric_id) <= %s
        """,
        [
            merchant_ids,
            customer_ids,
            metric_ids,
            dimensions,
            [json.dumps(group, ensure_ascii=False) for _, group in groups],
            MAX_GROUPS,
        ],
    )


async def list_groups(
    connection: Connection, merchant_id: str, customer_id: str, metric_id: str
) -> dict[str, Group]:
    """The groups of a customer and metric that have a place, by their dimensions."""
    cursor = await connection.execute(
        """
        SELECT dimension, group_values FROM usage_group
        WHERE merchant_id = %s AND customer_id = %s AND metric_id = %s
        """,
        [merchant_id, customer_id, metric_id],
    )
    return {row[0]: tuple(row[1]) for row in await cursor.fetchall()}
