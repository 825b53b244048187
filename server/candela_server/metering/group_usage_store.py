"""Every SQL text that reads usage by group: rollups for whole quarter-hours, raw events for cut ones (EVT-5, EVT-8).

All are of one metric and one customer or user, and take many windows at once. OFFSET 0 keeps the planner from joining
the other way round, so that each group is one walk along the index, whatever it believes of the table. All run as
candela_events, which no tenant's wall holds back, so all name merchant_id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TypeAlias

from candela_server.storage.events import Connection

from .model import Tally
from .rules.group import Group
from .rules.metric_reading import EventSql
from .weight_store import MICROSECONDS_HELD


@dataclass(frozen=True, slots=True)
class GroupScope:
    """Whose groups of which metric, and which dimensions are read.

    With `everything` these are all that there are, and events of others, which have no place yet because their metric
    is young, are read as well: as groups of their own while there are `free_places`, else as the overflow.
    """

    merchant_id: str
    customer_id: str
    metric_id: str
    user_id: str
    dimensions: Sequence[str]
    everything: bool
    free_places: bool


@dataclass(frozen=True, slots=True)
class GroupSpan:
    """A part of the window of that number; values are held until the window's end."""

    number: int
    start_at: datetime
    end_at: datetime
    window_end_at: datetime


Grouped: TypeAlias = dict[tuple[int, str], Tally]
"""What there is, by the number of the window and the dimension."""


async def read_group_rollups(
    connection: Connection, scope: GroupScope, spans: Sequence[GroupSpan], *, last: bool, limit: int
) -> Grouped:
    """What the rollups of each span add up to by group, the latest value only when asked for it; `limit` of them.

    The spans are whole quarter-hours, in order and apart.
    """
    latest = _latest("last_at", "last_key", "last_value") if last else _NO_LATEST
    held = MICROSECONDS_HELD.format(until="span.window_end_at", since="bucket_at")
    cursor = await connection.execute(
        f"""
        SELECT span.number, kept.dimension, sum(event_count), sum(value_sum), min(value_min), max(value_max),
               {latest}, sum(value_sum * {held} - value_time)
        FROM {_KEPT}
        CROSS JOIN LATERAL (
            SELECT bucket_at, event_count, value_sum, value_min, value_max, last_at, last_key, last_value,
                   value_time, width_bucket(bucket_at, %(starts)s::timestamptz[]) AS place
            FROM usage_rollup
            WHERE merchant_id = %(merchant_id)s AND customer_id = %(customer_id)s
              AND metric_id = %(metric_id)s AND user_id = %(user_id)s AND dimension = kept.dimension
              AND bucket_at >= %(first)s AND bucket_at < %(last)s
            OFFSET 0
        ) AS rollup
        JOIN {_SPANS} ON span.place = rollup.place AND bucket_at < span.end_at
        GROUP BY 1, 2 LIMIT %(limit)s
        """,
        {**_scope(scope), **_columns(spans), "limit": limit},
    )
    return _grouped(await cursor.fetchall())


async def read_group_events(
    connection: Connection,
    scope: GroupScope,
    spans: Sequence[GroupSpan],
    reading: EventSql,
    *,
    last: bool,
    limit: int,
) -> Grouped:
    """The same of the raw events in each span."""
    latest = _latest("happened_at", "key_hash", "measured") if last else _NO_LATEST
    held = MICROSECONDS_HELD.format(until="window_end_at", since="happened_at")
    cursor = await connection.execute(
        f"""
        SELECT number, dimension, count(*), sum(measured), min(measured), max(measured), {latest},
               sum(measured * {held})
        FROM (
            SELECT span.number, span.window_end_at, {_dimension(reading)} AS dimension, happened_at, key_hash,
                   {reading.value} AS measured
            FROM {_SPANS} {_EVENTS_OF_SPAN}
            LEFT JOIN usage_group AS known
              ON known.merchant_id = %(merchant_id)s AND known.customer_id = %(customer_id)s
             AND known.metric_id = %(metric_id)s AND known.dimension = {reading.dimension}
            WHERE {reading.condition}
              AND (%(everything)s OR {_dimension(reading)} = ANY(%(dimensions)s))
        ) AS read
        GROUP BY 1, 2 LIMIT %(limit)s
        """,
        {**_scope(scope), **_columns(spans), **_reading(reading), "limit": limit},
    )
    return _grouped(await cursor.fetchall())


async def name_groups(
    connection: Connection,
    scope: GroupScope,
    spans: Sequence[GroupSpan],
    reading: EventSql,
    dimensions: Sequence[str],
) -> dict[str, Group]:
    """The groups behind dimensions that were found in the raw events of these spans."""
    cursor = await connection.execute(
        f"""
        SELECT DISTINCT {reading.dimension}, to_jsonb({reading.group})
        FROM {_SPANS} {_EVENTS_OF_SPAN}
        WHERE {reading.condition} AND {reading.dimension} = ANY(%(named)s)
        """,
        {
            **_scope(scope),
            **_columns(spans),
            **_reading(reading),
            "named": list(dimensions),
        },
    )
    return {row[0]: tuple(row[1]) for row in await cursor.fetchall()}


async def count_group_values(
    connection: Connection,
    scope: GroupScope,
    spans: Sequence[GroupSpan],
    edges: Sequence[GroupSpan],
    reading: EventSql,
    *,
    limit: int,
) -> dict[tuple[int, str], int]:
    """How many distinct values each window saw by group: `spans` are whole quarter-hours, `edges` what is cut off."""
    cut = _columns(edges)
    cursor = await connection.execute(
        f"""
        WITH seen AS (
            SELECT span.number, kept.dimension, value
            FROM {_KEPT}
            CROSS JOIN LATERAL (
                SELECT bucket_at, value, width_bucket(bucket_at, %(starts)s::timestamptz[]) AS place
                FROM usage_distinct
                WHERE merchant_id = %(merchant_id)s AND customer_id = %(customer_id)s
                  AND metric_id = %(metric_id)s AND user_id = %(user_id)s AND dimension = kept.dimension
                  AND bucket_at >= %(first)s AND bucket_at < %(last)s
                OFFSET 0
            ) AS found
            JOIN {_SPANS} ON span.place = found.place AND bucket_at < span.end_at
            UNION
            SELECT span.number, {_dimension(reading)}, {reading.distinct}
            FROM {_CUT} {_EVENTS_OF_SPAN}
            LEFT JOIN usage_group AS known
              ON known.merchant_id = %(merchant_id)s AND known.customer_id = %(customer_id)s
             AND known.metric_id = %(metric_id)s AND known.dimension = {reading.dimension}
            WHERE {reading.condition} AND ({reading.distinct}) IS NOT NULL
              AND (%(everything)s OR {_dimension(reading)} = ANY(%(dimensions)s))
        )
        SELECT number, dimension, count(*) FROM seen GROUP BY 1, 2 LIMIT %(limit)s
        """,
        {
            **_scope(scope),
            **_columns(spans),
            **{f"cut_{name}": values for name, values in cut.items()},
            **_reading(reading),
            "limit": limit,
        },
    )
    return {(row[0], row[1]): row[2] for row in await cursor.fetchall()}


_KEPT: LiteralString = "unnest(%(dimensions)s::text[]) AS kept (dimension)"
_SPANS: LiteralString = """
    unnest(%(numbers)s::integer[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(window_ends)s::timestamptz[])
    WITH ORDINALITY AS span (number, start_at, end_at, window_end_at, place)
"""
_CUT: LiteralString = _SPANS.replace("%(", "%(cut_")
_NO_LATEST: LiteralString = "NULL::timestamptz, NULL::bytea, NULL::numeric"

_EVENTS_OF_SPAN: LiteralString = """
    JOIN counted_event AS event
      ON event.merchant_id = %(merchant_id)s AND event.customer_id = %(customer_id)s
     AND name = ANY(%(event_names)s) AND happened_at >= span.start_at AND happened_at < span.end_at
     AND (%(user_id)s = '' OR event.user_id = %(user_id)s)
"""


def _dimension(reading: EventSql) -> LiteralString:
    """The dimension of an event whose group is `known`, or not."""
    return f"""
        CASE WHEN known.dimension IS NULL AND NOT %(free_places)s THEN '*' ELSE {reading.dimension} END
    """


def _latest(at: LiteralString, key: LiteralString, value: LiteralString) -> LiteralString:
    order: LiteralString = f"ORDER BY {at} DESC, {key} DESC"
    return f"max({at}), (array_agg(uuid_send({key}) {order}))[1], (array_agg({value} {order}))[1]"


def _scope(scope: GroupScope) -> dict[str, Any]:
    return {
        "merchant_id": scope.merchant_id,
        "customer_id": scope.customer_id,
        "metric_id": scope.metric_id,
        "user_id": scope.user_id,
        "dimensions": list(scope.dimensions),
        "everything": scope.everything,
        "free_places": scope.free_places,
    }


def _columns(spans: Sequence[GroupSpan]) -> dict[str, Any]:
    return {
        "numbers": [span.number for span in spans],
        "starts": [span.start_at for span in spans],
        "ends": [span.end_at for span in spans],
        "window_ends": [span.window_end_at for span in spans],
        "first": spans[0].start_at if spans else None,
        "last": spans[-1].end_at if spans else None,
    }


def _reading(reading: EventSql) -> dict[str, Any]:
    return {"event_names": list(reading.event_names), **reading.parameters}


def _grouped(rows: Sequence[Sequence[Any]]) -> Grouped:
    return {
        (number, dimension): Tally(
            count=int(count),
            sum=total,
            min=least,
            max=most,
            last_at=last_at,
            last_key=bytes(last_key) if last_key is not None else b"",
            last_value=last_value,
            distinct_count=0,
            held=held,
        )
        for number, dimension, count, total, least, most, last_at, last_key, last_value, held in rows
    }
