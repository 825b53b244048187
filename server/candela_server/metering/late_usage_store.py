"""Every SQL text over usage that changed long after it happened: noted days, and what was corrected; nothing here
decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from candela_server.storage.events import Connection
from candela_server.storage.postgres import Tx

from .model import KnownSpan


async def note_days(
    connection: Connection, rows: Sequence[tuple[str, str, str, date]], at: datetime
) -> None:
    """Notes days of merchants, customers and metrics, sorted, so that no two writers wait crosswise."""
    await connection.execute(
        """
        INSERT INTO late_usage AS known (merchant_id, customer_id, metric_id, on_day, noted_at)
        SELECT merchant_id, customer_id, metric_id, on_day, %s
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::date[])
             AS noted (merchant_id, customer_id, metric_id, on_day)
        ON CONFLICT (merchant_id, customer_id, metric_id, on_day)
        DO UPDATE SET noted_at = greatest(known.noted_at, excluded.noted_at)
        """,
        [at, *(list(column) for column in zip(*rows, strict=True))],
    )


async def list_noted_customers(tx: Tx, customer_ids: Sequence[str]) -> set[str]:
    """Those of the customers of whom any day is noted, or any usage was corrected."""
    rows = await tx.fetch(
        """
        SELECT customer_id FROM unnest($2::text[]) AS asked (customer_id)
        WHERE EXISTS (SELECT FROM late_usage l
                      WHERE l.merchant_id = $1 AND l.customer_id = asked.customer_id)
           OR EXISTS (SELECT FROM corrected_usage c
                      WHERE c.merchant_id = $1 AND c.customer_id = asked.customer_id)
        """,
        tx.merchant_id,
        list(customer_ids),
    )
    return {row["customer_id"] for row in rows}


async def list_changed(tx: Tx, spans: Sequence[KnownSpan], *, before_seen: timedelta) -> list[bool]:
    """Of each span, whether one of its days was noted, or part of it corrected, since it was seen, or up to
    `before_seen` before that."""
    rows = await tx.fetch(
        """
        SELECT EXISTS (
            SELECT FROM late_usage l
            WHERE l.merchant_id = $1 AND l.customer_id = span.customer_id
              AND l.metric_id = span.metric_id
              AND l.on_day BETWEEN (span.start_at AT TIME ZONE 'UTC')::date
                               AND (span.end_at AT TIME ZONE 'UTC')::date
              AND l.noted_at > span.seen_at - $7::interval
        ) OR EXISTS (
            SELECT FROM corrected_usage c
            WHERE c.merchant_id = $1 AND c.customer_id = span.customer_id
              AND c.metric_id = span.metric_id
              AND c.start_at < span.end_at AND c.end_at > span.start_at
              AND c.corrected_at > span.seen_at - $7::interval
        ) AS changed
        FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
             WITH ORDINALITY AS span (customer_id, metric_id, start_at, end_at, seen_at, number)
        ORDER BY span.number
        """,
        tx.merchant_id,
        [span.customer_id for span in spans],
        [span.metric_id for span in spans],
        [span.window.start_at for span in spans],
        [span.window.end_at for span in spans],
        [span.seen_at for span in spans],
        before_seen,
    )
    return [row["changed"] for row in rows]


async def drop_days(connection: Connection, before: datetime) -> None:
    """Forgets days that were last noted before an instant."""
    # tenant-scope: housekeeping goes by age alone
    await connection.execute("DELETE FROM late_usage WHERE noted_at < %s", [before])
