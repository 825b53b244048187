"""Every SQL text that adds up the usage of all of a merchant's customers (EVT-8). Nothing here decides.

Rollups are kept per customer, because one row for all would make every flush wait for the one before; so the customers
are gone through one after the other, each by a walk down the index: the cost is that of so many customers' answers,
however many events they sent. All run as candela_events, so all name merchant_id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection

from .model import Tally
from .rules.metric_reading import EventSql
from .weight_store import MICROSECONDS_HELD


async def read_rollups(
    connection: Connection,
    merchant_id: str,
    metric_id: str,
    spans: Sequence[Interval],
    until: Sequence[datetime],
) -> list[Tally]:
    """What the rollups of each span add up to over all customers, held until an instant of its own.

    Spans are whole quarter-hours, ascending.
    """
    held = MICROSECONDS_HELD.format(until=_UNTIL, since="kept.bucket_at")
    cursor = await connection.execute(
        f"""
        {CUSTOMERS.format(table="usage_rollup")}
        SELECT numbered.number, sum(event_count), sum(value_sum), min(value_min), max(value_max), max(last_at),
               (array_agg(uuid_send(last_key) ORDER BY last_at DESC, last_key DESC))[1],
               (array_agg(last_value ORDER BY last_at DESC, last_key DESC))[1],
               sum(value_sum * {held} - value_time)
        FROM whose
        JOIN usage_rollup AS kept
          ON kept.merchant_id = %(merchant_id)s AND kept.customer_id = whose.customer_id
         AND kept.metric_id = %(metric_id)s AND kept.user_id = '' AND kept.dimension = ''
         AND kept.bucket_at >= %(first_at)s AND kept.bucket_at < %(last_at)s
        {_NUMBERED.format(instant="kept.bucket_at", prefix="")}
        GROUP BY numbered.number
        """,
        {
            "merchant_id": merchant_id,
            "metric_id": metric_id,
            "until": list(until),
            **_spans(spans),
        },
    )
    return _tallies(await cursor.fetchall(), len(spans))


async def read_events(
    connection: Connection,
    merchant_id: str,
    spans: Sequence[Interval],
    until: Sequence[datetime],
    reading: EventSql,
) -> list[Tally]:
    """The same of the raw events of each span; spans ascending."""
    held = MICROSECONDS_HELD.format(until=_UNTIL, since="event.happened_at")
    cursor = await connection.execute(
        f"""
        SELECT numbered.number, count(*), sum({reading.value}), min({reading.value}), max({reading.value}),
               max(happened_at),
               (array_agg(uuid_send(key_hash) ORDER BY happened_at DESC, key_hash DESC))[1],
               (array_agg({reading.value} ORDER BY happened_at DESC, key_hash DESC))[1],
               sum({reading.value} * {held})
        FROM {_EVENTS.format(prefix="")}
        {_NUMBERED.format(instant="event.happened_at", prefix="")}
        WHERE {reading.condition}
        GROUP BY numbered.number
        """,
        {"merchant_id": merchant_id, "until": list(until), **_reading(reading), **_spans(spans)},
    )
    return _tallies(await cursor.fetchall(), len(spans))


async def count_distinct(
    connection: Connection,
    merchant_id: str,
    metric_id: str,
    spans: Sequence[Interval | None],
    edges: Sequence[Sequence[Interval]],
    reading: EventSql,
) -> list[int]:
    """How many distinct values each window saw over all customers: `spans` are its whole quarter-hours, `edges` what is
    cut off; both ascending."""
    whole = [(number, span) for number, span in enumerate(spans) if span is not None]
    cut = [(number, edge) for number, some in enumerate(edges) for edge in some]
    cursor = await connection.execute(
        f"""
        {CUSTOMERS.format(table="usage_distinct")}, seen AS (
            SELECT (%(whole_numbers)s::integer[])[numbered.number] AS number, kept.value
            FROM whose
            JOIN usage_distinct AS kept
              ON kept.merchant_id = %(merchant_id)s AND kept.customer_id = whose.customer_id
             AND kept.metric_id = %(metric_id)s AND kept.user_id = '' AND kept.dimension = ''
             AND kept.bucket_at >= %(whole_first_at)s AND kept.bucket_at < %(whole_last_at)s
            {_NUMBERED.format(instant="kept.bucket_at", prefix="whole_")}
            UNION
            SELECT (%(cut_numbers)s::integer[])[numbered.number], {reading.distinct}
            FROM {_EVENTS.format(prefix="cut_")}
            {_NUMBERED.format(instant="event.happened_at", prefix="cut_")}
            WHERE {reading.condition} AND ({reading.distinct}) IS NOT NULL
        )
        SELECT number, count(*) FROM seen GROUP BY number
        """,
        {
            "merchant_id": merchant_id,
            "metric_id": metric_id,
            **_reading(reading),
            **_spans([span for _, span in whole], "whole_"),
            **_spans([edge for _, edge in cut], "cut_"),
            "whole_numbers": [number for number, _ in whole],
            "cut_numbers": [number for number, _ in cut],
        },
    )
    counts: dict[int, int] = {row[0]: row[1] for row in await cursor.fetchall()}
    return [counts.get(number, 0) for number in range(len(spans))]


# Each step is one walk down the index to the next customer, instead of through all rows of this one.
CUSTOMERS: LiteralString = """
    WITH RECURSIVE whose (customer_id) AS (
        (SELECT customer_id FROM {table} WHERE merchant_id = %(merchant_id)s ORDER BY customer_id LIMIT 1)
        UNION ALL
        SELECT (SELECT following.customer_id FROM {table} AS following
                WHERE following.merchant_id = %(merchant_id)s AND following.customer_id > whose.customer_id
                ORDER BY following.customer_id LIMIT 1)
        FROM whose WHERE whose.customer_id IS NOT NULL
    )
"""

# Which span an instant lies in, counted from 1; instants in the gaps between spans are in none.
_NUMBERED: LiteralString = """
    JOIN LATERAL (SELECT width_bucket({instant}, %({prefix}starts)s::timestamptz[]) AS number) AS numbered
      ON {instant} < (%({prefix}ends)s::timestamptz[])[numbered.number]
"""

_UNTIL: LiteralString = "(%(until)s::timestamptz[])[numbered.number]"

_EVENTS: LiteralString = """
    (SELECT * FROM counted_event AS event
     WHERE merchant_id = %(merchant_id)s AND name = ANY(%(event_names)s)
       AND happened_at >= %({prefix}first_at)s AND happened_at < %({prefix}last_at)s) AS event
"""


def _spans(spans: Sequence[Interval], prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}starts": [span.start_at for span in spans],
        f"{prefix}ends": [span.end_at for span in spans],
        # Without spans nothing is read.
        f"{prefix}first_at": spans[0].start_at if spans else None,
        f"{prefix}last_at": spans[-1].end_at if spans else None,
    }


def _reading(reading: EventSql) -> dict[str, Any]:
    return {"event_names": list(reading.event_names), **reading.parameters}


def _tallies(rows: Sequence[Sequence[Any]], count: int) -> list[Tally]:
    by_number = {row[0]: row for row in rows}
    nothing = (0, 0, Decimal(0), None, None, None, None, None, Decimal(0))
    tallies = []
    for number in range(1, count + 1):
        _, events, total, least, most, last_at, last_key, last_value, held = by_number.get(
            number, nothing
        )
        tallies.append(
            Tally(
                count=int(events),
                sum=Decimal(total),
                min=least,
                max=most,
                last_at=last_at,
                last_key=bytes(last_key) if last_key is not None else b"",
                last_value=last_value,
                distinct_count=0,
                held=Decimal(held),
            )
        )
    return tallies
