"""Every SQL text over the days whose usage changed long after they were over; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from candela_server.storage.events import Connection
from candela_server.storage.postgres import Tx

from .model import ChangedDay


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


async def list_days(tx: Tx, customer_ids: Sequence[str]) -> list[ChangedDay]:
    """The noted days of these customers, in no particular order."""
    rows = await tx.fetch(
        """
        SELECT customer_id, metric_id, on_day, noted_at FROM late_usage
        WHERE merchant_id = $1 AND customer_id = ANY($2::text[])
        """,
        tx.merchant_id,
        list(customer_ids),
    )
    return [
        ChangedDay(
            customer_id=row["customer_id"],
            metric_id=row["metric_id"],
            on_day=row["on_day"],
            noted_at=row["noted_at"],
        )
        for row in rows
    ]


async def drop_days(connection: Connection, before: datetime) -> None:
    """Forgets days that were last noted before an instant."""
    # tenant-scope: housekeeping goes by age alone
    await connection.execute("DELETE FROM late_usage WHERE noted_at < %s", [before])
