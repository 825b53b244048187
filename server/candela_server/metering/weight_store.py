"""Every SQL text that reads weighted sums: what was there before a window, and how long what came inside it was held.

All run as candela_events, which no tenant's wall holds back, so all name merchant_id. Each takes many spans at once, as
arrays, and answers in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString

from candela_server.storage.events import Connection

from .model import Tally
from .rules.aggregation import EMPTY
from .rules.metric_reading import EventSql

MICROSECONDS_HELD: Final[LiteralString] = (
    "(extract(epoch FROM {until}) - extract(epoch FROM {since})) * 1000000"
)
"""How long something is held, exactly: PostgreSQL's epochs are numeric."""


MICROSECONDS_INTO_BUCKET: Final[LiteralString] = (
    "(extract(epoch FROM happened_at) - extract(epoch FROM bucket_at)) * 1000000"
)
"""How far an event lies in its quarter-hour: what value_time is made of."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """Whose events between two instants, and the window that they are weighed in.

    What lies before `window_start_at` is carried into the window, what lies after it is held until `window_end_at`.
    """

    customer_id: str
    metric_id: str
    user_id: str
    start_at: datetime
    end_at: datetime
    window_start_at: datetime
    window_end_at: datetime


async def weigh_rollups(
    connection: Connection, merchant_id: str, spans: Sequence[Weighed]
) -> list[Tally]:
    """The sum, what is carried and what is held of the rollups in each span, which is made of whole quarter-hours."""
    cursor = await connection.execute(
        f"""
        SELECT found.*
        FROM {_SPANS}
        CROSS JOIN LATERAL (
            SELECT sum(value_sum) FILTER (WHERE bucket_at >= span.window_start_at),
                   sum(value_sum) FILTER (WHERE bucket_at < span.window_start_at),
                   sum(value_sum * {MICROSECONDS_HELD.format(until="span.window_end_at", since="bucket_at")}
                       - value_time) FILTER (WHERE bucket_at >= span.window_start_at)
            FROM usage_rollup
            WHERE merchant_id = %(merchant_id)s AND customer_id = span.customer_id
              AND metric_id = span.metric_id AND user_id = span.user_id AND dimension = ''
              AND bucket_at >= span.start_at AND bucket_at < span.end_at
        ) AS found
        ORDER BY span.number
        """,
        {"merchant_id": merchant_id, **_columns(spans)},
    )
    return [_tally_from_row(row) for row in await cursor.fetchall()]


async def weigh_events(
    connection: Connection, merchant_id: str, spans: Sequence[Weighed], reading: EventSql
) -> list[Tally]:
    """The same of the raw events in each span, all of one metric."""
    held = MICROSECONDS_HELD.format(until="span.window_end_at", since="happened_at")
    cursor = await connection.execute(
        f"""
        SELECT found.*
        FROM {_SPANS}
        CROSS JOIN LATERAL (
            SELECT sum({reading.value}) FILTER (WHERE happened_at >= span.window_start_at),
                   sum({reading.value}) FILTER (WHERE happened_at < span.window_start_at),
                   sum({reading.value} * {held}) FILTER (WHERE happened_at >= span.window_start_at)
            FROM counted_event AS event
            WHERE merchant_id = %(merchant_id)s AND customer_id = span.customer_id
              AND name = ANY(%(event_names)s)
              AND happened_at >= span.start_at AND happened_at < span.end_at
              AND (span.user_id = '' OR user_id = span.user_id)
              AND {reading.condition}
        ) AS found
        ORDER BY span.number
        """,
        {
            "merchant_id": merchant_id,
            "event_names": list(reading.event_names),
            **reading.parameters,
            **_columns(spans),
        },
    )
    return [_tally_from_row(row) for row in await cursor.fetchall()]


_SPANS: LiteralString = """
    unnest(%(customer_ids)s::text[], %(metric_ids)s::text[], %(user_ids)s::text[], %(starts)s::timestamptz[],
           %(ends)s::timestamptz[], %(window_starts)s::timestamptz[], %(window_ends)s::timestamptz[])
    WITH ORDINALITY AS span (customer_id, metric_id, user_id, start_at, end_at, window_start_at, window_end_at, number)
"""


def _columns(spans: Sequence[Weighed]) -> dict[str, list[Any]]:
    return {
        "customer_ids": [span.customer_id for span in spans],
        "metric_ids": [span.metric_id for span in spans],
        "user_ids": [span.user_id for span in spans],
        "starts": [span.start_at for span in spans],
        "ends": [span.end_at for span in spans],
        "window_starts": [span.window_start_at for span in spans],
        "window_ends": [span.window_end_at for span in spans],
    }


def _tally_from_row(row: Sequence[Any]) -> Tally:
    inside, carried, held = (Decimal(0) if one is None else one for one in row)
    return replace(EMPTY, sum=inside, carried=carried, held=held)
