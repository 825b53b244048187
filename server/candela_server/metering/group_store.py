"""Every SQL text over the groups that have a place of their own (EVT-5). Nothing here decides.

All run as candela_events, which no tenant's wall holds back, so all name merchant_id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection

from .rules.group import MAX_GROUPS, Group
from .rules.metric_reading import EventSql


class GroupKey(NamedTuple):
    """A group of one customer's events for one metric."""

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


async def add_groups_of_events(
    connection: Connection, merchant_id: str, metric_id: str, reading: EventSql, span: Interval
) -> None:
    """Gives the groups of all events in a span a place, by their first events, as long as there is one left.

    The caller holds the merchant's flushes, so that nobody else adds groups.
    """
    await connection.execute(
        adding_groups(
            reading,
            """
            counted_event AS event
            WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
              AND happened_at >= %(start_at)s AND happened_at < %(end_at)s
            """,
        ),
        {
            "merchant_id": merchant_id,
            "metric_id": metric_id,
            "event_names": list(reading.event_names),
            "start_at": span.start_at,
            "end_at": span.end_at,
            **reading.parameters,
        },
    )


def adding_groups(reading: EventSql, events: LiteralString) -> LiteralString:
    """The statement that gives the groups of these events, a FROM and its WHERE, their places."""
    return f"""
        INSERT INTO usage_group (merchant_id, customer_id, metric_id, dimension, group_values)
        SELECT %(merchant_id)s::text, customer_id, %(metric_id)s::text, dimension, group_values
        FROM (
            SELECT seen.*, row_number() OVER (PARTITION BY customer_id ORDER BY first_at, dimension) AS place
            FROM (
                SELECT event.customer_id, {reading.dimension} AS dimension, to_jsonb({reading.group}) AS group_values,
                       min(happened_at) AS first_at
                FROM {events} AND {reading.condition}
                GROUP BY 1, 2, 3
            ) AS seen
            WHERE NOT EXISTS (
                SELECT FROM usage_group AS known
                WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = seen.customer_id
                  AND known.metric_id = %(metric_id)s AND known.dimension = seen.dimension)
        ) AS missing
        WHERE place + (
            SELECT count(*) FROM usage_group AS known
            WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = missing.customer_id
              AND known.metric_id = %(metric_id)s) <= {MAX_GROUPS}
        """


def dimensions_of(reading: EventSql) -> LiteralString:
    """Which dimensions an event counts in, as a relation beside it: all groups, and its own."""
    if not reading.dimension:
        return "(VALUES ('')) AS grouped (dimension)"
    return f"""(
        SELECT '' UNION ALL
        SELECT coalesce((
            SELECT known.dimension FROM usage_group AS known
            WHERE known.merchant_id = %(merchant_id)s AND known.customer_id = event.customer_id
              AND known.metric_id = %(metric_id)s AND known.dimension = {reading.dimension}), '*')
        ) AS grouped (dimension)"""


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
